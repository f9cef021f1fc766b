"""The model card, written from bundle.json so that the two can't disagree."""

from __future__ import annotations

from typing import Any

from bladecheck.core.bundle import Bundle

NAMES = {
    "knife_auc": "Knife: area under the ROC curve",
    "knife_average_precision": "Knife: average precision",
    "gun_auc": "Gun: area under the ROC curve",
    "ece": "Expected calibration error",
    "ece_floor": "The same, if the probabilities were exactly right (it is not 0: bins are small)",
    "brier": "Brier score",
    "knife_not_clear": "Knife pictures that are not `clear`",
    "knife_hold": "Knife pictures that are `hold`",
    "other_hold": "Other pictures that are `hold`",
    "other_not_clear": "Other pictures that are not `clear`",
    "ordinary_hold": "Ordinary photos that are `hold`",
    "ordinary_not_clear": "Ordinary photos that are not `clear`",
    "accuracy": "Kind of blade: share named right",
    "auc": "area under the ROC curve",
    "looks": "Looks a picture, on average",
}
PREFIXES = {
    "kinds": "Kind: ",
    "gun": "Gun: ",
    "other_weapon": "Other weapon: ",
    "the lender alone": "The lender alone: ",
}


def render(bundle: Bundle) -> str:
    """The card as Markdown."""
    manifest = bundle.manifest
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        "Generated from bundle.json by the training pipeline; do not edit.",
        "",
        manifest.summary,
        "",
        "## Operating point",
        "",
        "| score | check from | hold from |",
        "| --- | --- | --- |",
        *(f"| {name} | {band.check:.4f} | {band.hold:.4f} |" for name, band in manifest.thresholds.labels.items()),
        "",
        f"Chosen for: {manifest.thresholds.chosen_for}.",
        "",
        *_looks(bundle),
        *_range(bundle),
        "## What it reaches",
        "",
        "Measures have their n and a 95 % interval: bootstrap over groups, Wilson for shares.",
    ]
    for title, part in manifest.metrics.items():
        lines += ["", f"### {title}", "", *_section(part)]
    lines += ["", "## What it cannot do", "", *(f"- {limit}" for limit in manifest.limits), "", "## Data", ""]
    lines += _counts(manifest.data)
    lines += ["", "## How it was made", ""]
    lines += [f"- {key}: {value}" for key, value in manifest.training.items() if key != "tried"]
    if tried := manifest.training.get("tried"):
        lines += ["", "## Aims missed, and what was tried", "", *(f"- {entry}" for entry in tried)]
    return "\n".join(lines) + "\n"


def _looks(bundle: Bundle) -> list[str]:
    looks = bundle.manifest.preprocess.looks
    if not looks:
        return []
    return [
        f"The whole picture is looked at first. If its knife score lies from {looks.again_from:.4f} up to "
        f"{looks.again_to:.4f}, {len(looks.crops)} parts of it are looked at too, and the highest scores count.",
        "",
    ]


def _range(bundle: Bundle) -> list[str]:
    stated = bundle.manifest.embedding_range
    if not stated:
        return []
    return [
        f"Unlike what was measured: a picture whose embedding lies outside the range of the measured ones "
        f"({stated.share:.0%} of them lie within) is marked `unlike`; runs and reports say how many are. "
        "What is measured below says little about such pictures.",
        "",
    ]


def _section(part: Any) -> list[str]:
    if not isinstance(part, dict):
        return [str(part)]
    if all(isinstance(value, dict) and "knife_not_clear" in value for value in part.values()) and part:
        return _slices(part)
    rows = list(_flat(part))
    table = ["| measure | value | 95 % interval | n |", "| --- | --- | --- | --- |"] if rows else []
    notes = [f"{value}" for value in part.values() if isinstance(value, str)]
    return [*notes, *([""] if notes and rows else []), *table, *(_row(name, value) for name, value in rows)]


def _flat(part: dict[str, Any], prefix: str = "") -> Any:
    for name, value in part.items():
        if isinstance(value, dict) and "value" in value:
            yield prefix + NAMES.get(name, name), value
        elif isinstance(value, dict):
            yield from _flat(value, PREFIXES.get(name, prefix))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield NAMES.get(name, name.replace("_", " ")), {"value": value}


def _row(name: str, value: dict[str, Any]) -> str:
    if value["value"] is None:
        return f"| {name} | - | - | {value.get('n', '')} |"
    low, high = value.get("low"), value.get("high")
    span = f"{low:.4f} to {high:.4f}" if low is not None and high is not None else ""
    number = f"{value['value']:.4f}" if isinstance(value["value"], float) else str(value["value"])
    count = str(value.get("n", ""))
    count += f" ({value['positives']} positive)" if "positives" in value else ""
    return f"| {name} | {number} | {span} | {count} |"


def _slices(part: dict[str, Any]) -> list[str]:
    def cell(value: dict[str, Any]) -> str:
        return "-" if value["value"] is None else f"{value['value']:.3f} ({value['positives']}/{value['n']})"

    head = ["| slice | pictures | knife not clear | knife hold | other hold |", "| --- | --- | --- | --- | --- |"]
    return head + [
        f"| {name} | {value['pictures']} | {cell(value['knife_not_clear'])} | {cell(value['knife_hold'])} | "
        f"{cell(value['other_hold'])} |"
        for name, value in part.items()
    ]


def _counts(data: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    columns = ("knife", "no knife", "not judged", "trained on")
    for kind in ("split", "source"):
        lines += [f"| {' | '.join((kind, *columns))} |", f"|{' --- |' * (1 + len(columns))}"]
        for name, count in data.get(f"by_{kind}", {}).items():
            lines.append(f"| {' | '.join([name or '-', *(str(count.get(column, 0)) for column in columns)])} |")
        lines.append("")
    if unlabelled := data.get("unlabelled"):
        lines += [f"Unlabelled pictures, labelled softly by the parent: {unlabelled}.", ""]
    lines.append(str(data.get("licences", "")))
    if law := data.get("for_lawyers"):
        lines += ["", "### For a force's lawyer", "", *(f"- {entry}" for entry in law)]
    return lines
