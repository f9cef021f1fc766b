"""A record after the UK Algorithmic Transparency Recording Standard (ATRS, template 3), filled in as far as known.

What only the organisation knows is left as a blank that begins with FORCE, so that none is overlooked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bladecheck import __version__
from bladecheck.core.bundle import Bundle
from bladecheck.core.pack.bom import MEASURE, rights

FORCE = "FORCE TO FILL IN"
ASIDE = ("by the first look alone", "if every picture had all looks")
Field = tuple[str, str, str]


def record(bundle: Bundle) -> str:
    """The record as Markdown."""
    lines = [
        f"# Algorithmic transparency record: Bladecheck with model {bundle.manifest.name} {bundle.manifest.version}",
        "",
        "Prefilled by `bladecheck model atrs` after version 3 of the standard's template; check the numbering against "
        f"the template in force. Text marked **[{FORCE}: …]** only the organisation can give. The rest describes the "
        "software and model as shipped: check that it is true of your installation.",
    ]
    for title, fields in _sections(bundle):
        lines += ["", f"## {title}"]
        for number, name, text in fields:
            lines += ["", f"### {number} {name}", "", text]
    return "\n".join(lines) + "\n"


def blank(what: str) -> str:
    """A field that the organisation fills in."""
    return f"**[{FORCE}: {what}]**"


def _sections(bundle: Bundle) -> Iterator[tuple[str, list[Field]]]:
    yield "Tier 1: overview", _overview()
    yield "Tier 2: owner and responsibility", _owner()
    yield "Tier 2: description and rationale", _rationale()
    yield "Tier 2: deployment context", _deployment()
    yield "Tier 2: tool specification", _tool(bundle)
    yield "Tier 2: model specification", _model(bundle)
    yield "Tier 2: development data", _development(bundle)
    yield "Tier 2: operational data", _operation()
    yield "Tier 2: risks, mitigations and impact assessments", _risks(bundle)


def _overview() -> list[Field]:
    return [
        ("1.1", "Name", "Bladecheck"),
        ("1.2", "Description", "Before a picture is posted, Bladecheck says whether it seems to show knife imagery: "
         "hold, check, clear or cannot judge, with its reasons. A person decides. It exists because some people, those "
         "touched by violence above all, feel less safe when they see such pictures. "
         + blank("why and since when you use it")),
        ("1.3", "Website URL", blank("a page about your use of it")),
        ("1.4", "Contact email", blank("address for questions")),
    ]  # fmt: skip


def _owner() -> list[Field]:
    return [
        ("2.1.1", "Organisation or department", blank("name")),
        ("2.1.2", "Team", blank("name")),
        ("2.1.3", "Senior responsible owner", blank("role")),
        ("2.1.4", "Third party involvement", blank("yes or no: who installs, hosts or maintains it")),
        ("2.1.4.1", "Third party", blank("name, or none")),
        ("2.1.4.2", "Companies House number", blank("number, or not applicable")),
        ("2.1.4.3", "Third party role", blank("role, or not applicable")),
        ("2.1.4.4", "Procurement procedure type", blank("procedure; the software itself is free, Apache License 2.0")),
        ("2.1.4.5", "Third party data access terms", "The software sends nothing to anybody. "
         + blank("terms of whoever hosts it")),
    ]  # fmt: skip


def _rationale() -> list[Field]:
    return [
        ("2.2.1", "Detailed description", "The picture is decoded in memory, a neural network scores it for knives, "
         "guns and other weapons, thresholds chosen on held-out pictures turn scores into one of four answers, and a "
         "policy file of the organisation may change the rules. The page shows where the blade is, offers a copy "
         "with the blade covered, suggests wording, and can make a record of who decided what."),
        ("2.2.2", "Benefits", "Fewer knife pictures posted unseen; the same question asked of every picture; a record "
         "that can be shown. " + blank("what you expect, and how you will tell")),
        ("2.2.3", "Previous process", blank("how pictures were approved before")),
        ("2.2.4", "Alternatives considered", blank("such as a rule without a tool, or a second pair of eyes")),
    ]  # fmt: skip


def _deployment() -> list[Field]:
    return [
        ("2.3.1", "Integration into broader operational process", "Advice to a member of staff before posting. "
         + blank("at which step, and what follows from hold and check")),
        ("2.3.2", "Human review", "A person sees every picture with its answer and decides, also against it; what is "
         "not sure goes to a person as check. Nothing is posted, held back or decided by the tool. "
         + blank("who decides, and who approves")),
        ("2.3.3", "Frequency and scale of usage", blank("pictures a month")),
        ("2.3.4", "Required training", "None to use the page. " + blank("guidance that you give to staff")),
        ("2.3.5", "Appeals and review", "No decision about a person is made. "
         + blank("how the public can complain about a post, and how staff report wrong answers")),
    ]  # fmt: skip


def _tool(bundle: Bundle) -> list[Field]:
    return [
        ("2.4.1.1", "System architecture", "A program on one computer of the organisation, reached by a browser; "
         "no external service, no database, no network access of its own. " + blank("where it runs, who can reach it")),
        ("2.4.1.2", "System-level input", "Pictures that staff choose, one to twenty at a time."),
        ("2.4.1.3", "System-level output", "For each picture: hold, check, clear or cannot judge; reasons; scores; a "
         "map of where the blade is; on request a copy with the blade covered."),
        ("2.4.1.4", "Maintenance", f"Bladecheck {__version__}. " + blank("who updates it, how often it is re-measured "
         "on your own pictures (`bladecheck evaluate`)")),
        ("2.4.1.5", "Models", f"{bundle.manifest.name} {bundle.manifest.version}"),
    ]  # fmt: skip


def _model(bundle: Bundle) -> list[Field]:
    manifest = bundle.manifest
    outputs = manifest.outputs
    return [
        ("2.4.2.1", "Model name", manifest.name),
        ("2.4.2.2", "Model version", f"{manifest.version}, sha256 of bundle.json `{bundle.sha256}`"),
        ("2.4.2.3", "Model task", "Image classification: " + ", ".join(outputs.labels) + "; their kinds and features."),
        ("2.4.2.4", "Model input", f"{manifest.input}, {manifest.preprocess.size} x {manifest.preprocess.size} pixels"),
        ("2.4.2.5", "Model output", f"{outputs.width} scores"
         + (", a map of where blade and weapon are" if outputs.occupancy else "") + "."),
        ("2.4.2.6", "Model architecture", manifest.summary),
        ("2.4.2.7", "Model performance", _performance(bundle)),
        ("2.4.2.8", "Datasets and their purposes", _splits(manifest.data)
         or "Given with the development data below."),
    ]  # fmt: skip


def _development(bundle: Bundle) -> list[Field]:
    data = bundle.manifest.data
    return [
        ("2.4.3.1", "Development data description", "Photographs that show knives, other weapons or neither; "
         "sources and counts are listed in the model card and in `bladecheck model bom`."),
        ("2.4.3.2", "Data modality", "Image"),
        ("2.4.3.3", "Data quantities", _splits(data) or "Not stated in the bundle."),
        ("2.4.3.4", "Sensitive attributes", "None was labelled or used. Pictures may show people, also officers."),
        ("2.4.3.5", "Data completeness and representativeness", _list(bundle.manifest.limits)),
        ("2.4.3.6", "Data cleaning", "For the shipped models: every knife and police picture that measures was "
         "labelled by eye; related pictures are on one side of every split; what could not be judged is apart."),
        ("2.4.3.7", "Data collection", _list(rights(bundle)) or "Not stated in the bundle."),
        ("2.4.3.8", "Data access and storage", "No picture is distributed with the software."),
        ("2.4.3.9", "Data sharing agreements", "None. " + blank("say so if you adapted the model to your pictures")),
    ]  # fmt: skip


def _operation() -> list[Field]:
    return [
        ("2.4.4.1", "Data sources", "Pictures that the organisation holds and may publish. " + blank("from where")),
        ("2.4.4.2", "Sensitive attributes", "None is derived: no face, plate or text is read, nobody is recognised. "
         "Pictures may show people and scenes of alleged offences."),
        ("2.4.4.3", "Data processing methods", "In memory, until the answer is sent; copies carry no hidden data."),
        ("2.4.4.4", "Data access and storage", "The service stores no picture and logs no file name. "
         + blank("where records are kept, for how long, who sees them")),
        ("2.4.4.5", "Data sharing agreements", blank("none, or which")),
    ]  # fmt: skip


def _risks(bundle: Bundle) -> list[Field]:
    return [
        ("2.5.1", "Impact assessments", blank("data protection (docs/dpia-template.md is a beginning) and equality: "
         "date, outcome, link")),
        ("2.5.2", "Risks and mitigations", "\n".join([
            "- A knife is missed: the share that ends as clear is measured, thresholds favour check, a person looks.",
            "- A harmless picture is held: a person may decide against it; the share is measured.",
            "- Staff trust the answer too much: it is worded as advice, and unsure is an answer of its own.",
            "- Pictures unlike those it was measured on: "
            + ("each answer and report says which these are" if bundle.manifest.embedding_range
               else "this model does not say which these are") + "; measure it on your own.",
            f"- {blank('risks of your own use')}",
        ])),
    ]  # fmt: skip


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _splits(data: Mapping[str, Any]) -> str:
    """Counts of pictures by split, of the bundle and of the parent that it was adapted from."""
    lines = []
    if isinstance(labels := data.get("labels"), Mapping):
        lines.append("- the user's own labels: " + ", ".join(f"{value} {key}" for key, value in labels.items()))
    for split, counts in (data.get("by_split") or {}).items():
        lines.append(f"- {split}: " + ", ".join(f"{value} {key}" for key, value in counts.items()))
    if isinstance(parent := data.get("parent"), Mapping) and (before := _splits(parent)):
        lines.append("- of its parent:\n" + "\n".join(f"  {line}" for line in before.splitlines()))
    return "\n".join(lines)


def _performance(bundle: Bundle) -> str:
    """Main measures of what the service does, with interval and n; slices and comparisons stay in the card."""
    lines = [f"Thresholds chosen for: {bundle.manifest.thresholds.chosen_for}."]
    for section, tree in bundle.manifest.metrics.items():
        if not isinstance(tree, Mapping) or section.startswith("slices") or section.endswith(ASIDE):
            continue
        found = {**tree, **(tree.get("decisions") or {})}
        measures = [f"  - {key.replace('_', ' ')}: {value['value']} ({value['low']} to {value['high']}"
                    f"{', n ' + str(value['n']) if 'n' in value else ''})"
                    for key, value in found.items()
                    if isinstance(value, Mapping) and set(value) >= MEASURE and value["value"] is not None]  # fmt: skip
        lines += [f"- {section}", *measures] if measures else []
    return "\n".join(
        [lines[0], "", *lines[1:]] if len(lines) > 1 else [lines[0], "", "No measurement is in the bundle."]
    )
