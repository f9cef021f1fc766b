"""For those who label elsewhere: the drawn sample as CSV or Label Studio tasks, and answers back from either.

Nothing of the model goes out (no score, no prediction), the order is the order of the draw, and only drawn rows come
back in.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bladecheck.errors import RunError
from bladecheck.runs.counts.labels import ANSWERS, Answer, LabelFile, Role
from bladecheck.runs.folder import replace

CSV_COLUMNS = ("row_id", "picture", "label")
CHOICES: dict[str, Answer] = {"knife": "yes", "not_knife": "no", "cannot_tell": "unsure"}
TASKS, SETUP = "tasks.json", "config.xml"
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Choices name="choice" toName="image" choice="single" showInLine="true">
    <Choice value="knife" hotkey="1"/>
    <Choice value="not_knife" hotkey="2"/>
    <Choice value="cannot_tell" hotkey="3"/>
  </Choices>
</View>
"""
Wanted = Sequence[tuple[str, str]]
"""row_id and sha256, in the order shown."""


@dataclass(slots=True)
class Imported:
    """What became of an import: answers taken, answers that were there already, and rows left out with the reason."""

    taken: int = 0
    known: int = 0
    empty: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


def export(target: Path, wanted: Wanted, where: Callable[[str], str]) -> None:
    """Write the sample: a file that ends in .csv, else a folder for Label Studio.

    Args:
        target: the file or folder.
        wanted: what to label.
        where: row_id to a path or web address.

    Raises:
        RunError: the place can't be written.
    """
    try:
        if target.suffix.lower() == ".csv":
            target.parent.mkdir(parents=True, exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{target} can't be written: {error.strerror or error}.") from error
    if target.suffix.lower() == ".csv":
        stream = io.StringIO()
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(CSV_COLUMNS)
        out.writerows((row, where(row), "") for row, _ in wanted)
        replace(target, stream.getvalue().encode("utf-8", "replace"))
        return
    tasks = [{"data": {"image": _studio(where(row)), "row_id": row, "sha256": sha256}} for row, sha256 in wanted]
    replace(target / SETUP, CONFIG.encode())
    replace(target / TASKS, (json.dumps(tasks, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _studio(place: str) -> str:
    """Label Studio's address for a local file; web addresses as they are."""
    return place if place.startswith("https://") else "/data/local-files/?d=" + quote(place.lstrip("/"))


def load(source: Path) -> list[tuple[str, str]]:
    """row_id and answer as they stand in a CSV file or a JSON export of Label Studio.

    Raises:
        RunError: it can't be read or lacks what is needed.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{source} can't be read: {error}.") from error
    return _from_studio(source, text) if source.suffix.lower() == ".json" else _from_csv(source, text)


def _from_csv(source: Path, text: str) -> list[tuple[str, str]]:
    lines = csv.DictReader(io.StringIO(text))
    if missing := {"row_id", "label"} - set(lines.fieldnames or ()):
        raise RunError(f"{source} has no column {sorted(missing)[0]!r}; needed are row_id and label (yes, no, unsure).")
    return [((line["row_id"] or "").strip(), (line["label"] or "").strip().lower()) for line in lines]


def _from_studio(source: Path, text: str) -> list[tuple[str, str]]:
    try:
        tasks = json.loads(text)
        return [(str(task["data"]["row_id"]), _choice(task)) for task in tasks]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(
            f"{source} is no JSON export of Label Studio with this sample's tasks ({type(error).__name__}: {error})."
        ) from error


def _choice(task: Mapping[str, Any]) -> str:
    """The latest annotation that was not cancelled; empty without one."""
    for annotation in reversed(task.get("annotations") or []):
        if not annotation.get("was_cancelled"):
            for result in annotation["result"]:
                choice = str(result["value"]["choices"][0])
                return CHOICES.get(choice, choice)
    return ""


def take(
    found: Sequence[tuple[str, str]], wanted: Wanted, file: LabelFile, who: str, role: Role, source: str
) -> Imported:
    """Keep the answers of drawn rows; everything else is named with the reason.

    Raises:
        RunError: an answer that is none of yes, no and unsure: then nothing is taken.
    """
    for row, answer in found:
        if answer and answer not in ANSWERS:
            raise RunError(
                f"{source}: {answer!r} for row {row} is no answer; use yes, no or unsure, or leave it empty."
            )
    bytes_of, done = dict(wanted), Imported()
    for row, answer in found:
        if not answer:
            done.empty += 1
        elif row not in bytes_of:
            done.left_out.append((row, "was not drawn"))
        elif (reason := _refused(file, row, bytes_of[row], answer, who, role)) is None:
            file.put(row, bytes_of[row], _answer(answer), who, role, sync=False, source=source)
            done.taken += 1
        elif reason:
            done.left_out.append((row, reason))
        else:
            done.known += 1
    file.sync()
    return done


def _answer(text: str) -> Answer:
    return next(answer for answer in ANSWERS if answer == text)


def _refused(file: LabelFile, row: str, sha256: str, answer: str, who: str, role: Role) -> str | None:
    """Why an answer is not taken; empty where it is there already, None where it is to be taken."""
    before = file.labels.given(role, row, sha256)
    if role == "second" and not file.labels.second_by(row, sha256, who):
        return f"a second answer comes after the first, from someone else than {who}"
    if before is None or (before.who == who and before.answer != answer):
        return None
    return "" if before.who == who else f"was answered by {before.who} already; --second gives a second answer"
