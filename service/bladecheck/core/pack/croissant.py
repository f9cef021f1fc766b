"""A Croissant description (JSON-LD, 1.0) of a file of labels: what its columns are, without the pictures.

Croissant: MLCommons' vocabulary for data sets of machine learning, on top of schema.org.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from bladecheck.errors import LabelsError

CONFORMS = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "equivalentProperty": "cr:equivalentProperty",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
ABOUT = {
    "id": "Identity of the picture.",
    "path": "Where the picture lies, from the file's folder.",
    "label": "What it shows: knife or other, or a kind of blade.",
    "split": "train: learnt from. dev: held out. police: posts of a police force.",
    "knife": "1: a real bladed article can be made out. 0: none. Empty: not judged.",
    "gun": "1: a gun can be made out. 0: none.",
    "blade": "Kind of blade.",
    "setting": "What kind of scene it is, such as product, food, hand or seized.",
    "style": "Photo, drawing or toy.",
    "features": "What else shows, such as serrated or blood.",
    "other": "What it shows in place of a knife, such as axe or baton.",
    "group": "Pictures of one post, object or video share a group, which is never split.",
    "source_repo": "The public collection that it was found in.",
    "licence": "The licence that the collection states; most state none.",
    "width": "Pixels across.",
    "height": "Pixels down.",
    "boxes": "Where blades are.",
}
"""What known columns mean."""


def describe(labels: Path, name: str, description: str, licence: str | None = None, version: str = "1.0.0",
             published: date | None = None) -> dict[str, Any]:  # fmt: skip
    """The description of a CSV file of labels; only the labels are described, the pictures are not part of it.

    Args:
        labels: the file.
        name, description: of the data set.
        licence: of the labels; None is said to be unstated.
        version: of the data set, as MAJOR.MINOR.PATCH.
        published: None: today.

    Raises:
        LabelsError: the file can't be read, or has no first line that names columns.
    """
    data = _bytes(labels)
    columns, rows = _table(data, labels)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": name,
        "description": description,
        "license": licence or "Not stated.",
        "version": version,
        "datePublished": (published or date.today()).isoformat(),
        "distribution": [{
            "@type": "cr:FileObject", "@id": "labels", "name": labels.name, "contentUrl": labels.name,
            "contentSize": f"{len(data)} B", "encodingFormat": "text/csv", "sha256": hashlib.sha256(data).hexdigest(),
        }],
        "recordSet": [{
            "@type": "cr:RecordSet", "@id": "pictures", "name": "pictures",
            "description": f"One picture a row, {len(rows)} rows.",
            "field": [_field(column, [row[place] for row in rows]) for place, column in enumerate(columns)],
        }],
    }  # fmt: skip


def _field(column: str, values: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": f"pictures/{column}", "name": column,
        "description": ABOUT.get(column.lower(), f"Column {column} of the file."),
        "dataType": _kind(values),
        "source": {"fileObject": {"@id": "labels"}, "extract": {"column": column}},
    }  # fmt: skip


def _kind(values: Sequence[str]) -> str:
    """Integers only if every row has one: readers turn a column with gaps into text or floats."""
    return "sc:Integer" if values and all(value.isascii() and value.isdigit() for value in values) else "sc:Text"


def _bytes(labels: Path) -> bytes:
    try:
        return labels.read_bytes()
    except OSError as error:
        raise LabelsError(f"{labels} can't be read ({error.strerror}). Give a CSV file of labels.") from error


def _table(data: bytes, labels: Path) -> tuple[list[str], list[list[str]]]:
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{labels} is not CSV in UTF-8: {error}.") from error
    columns = lines[0] if lines else []
    if not columns or not all(columns) or len(set(columns)) < len(columns):
        raise LabelsError(f"{labels}: its first line must name the columns, each once; it says {','.join(columns)!r}.")
    rows = [line for line in lines[1:] if line]
    for number, line in enumerate(rows, 2):
        if len(line) != len(columns):
            raise LabelsError(f"{labels}: row {number} has {len(line)} cells, the first line {len(columns)}.")
    return columns, rows
