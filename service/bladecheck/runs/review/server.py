"""Serves the labelling page until it is interrupted."""

from __future__ import annotations

from pathlib import Path

from bladecheck.errors import RunError
from bladecheck.runs.counts.labels import LabelFile, Labels, Role
from bladecheck.runs.counts.opened import Opened
from bladecheck.runs.counts.sample import LABELS
from bladecheck.runs.local_page import LocalPage, Query, Reply, as_json, as_picture
from bladecheck.runs.pictures import Pictures
from bladecheck.runs.review.session import Session

FILES = Path(__file__).parent / "files"


def serve(opened: Opened, who: str, role: Role, blur: bool = False, port: int = 0, archive: Path | None = None) -> int:
    """Print the page's address and serve it; Ctrl-C ends it, and nothing answered is lost.

    Raises:
        RunError: another program labels this sample, the archive is gone, or whoever gave the first answers is to
            give the second ones.
    """
    with opened.sample.locked(), LabelFile(opened.sample.path / LABELS) as file:
        queue = opened.queue(role, file.labels)
        if not queue:
            print("There is nothing to label in this role yet.")
            return 0
        if role == "second":
            queue = _for_second(queue, file.labels, who)
        with Pictures(opened.folder, [row for row, _ in queue], archive) as pictures:
            page = make(queue, file, pictures, who, role, blur, port)
            page.attend(
                f"Label at {page.address} (keys 1 yes, 2 no, 3 can't tell). Ctrl-C ends it.",
                f"Every answer is kept. Next: bladecheck estimate {opened.folder.path}",
            )
    return 0


def _for_second(queue: list[tuple[str, str]], labels: Labels, who: str) -> list[tuple[str, str]]:
    """Agreement with oneself is none: what has no first answer by somebody else is left out, and it is said."""
    theirs = [row for row in queue if labels.second_by(*row, who)]
    if not theirs:
        raise RunError(
            f"Second answers come after the first, from someone else than {who}: give another pseudonym with --who."
        )
    if left_out := len(queue) - len(theirs):
        print(f"{left_out:,} pictures are left out: they have no first answer yet, or one by {who}.", flush=True)
    return theirs


def make(
    queue: list[tuple[str, str]], file: LabelFile, pictures: Pictures, who: str, role: Role, blur: bool, port: int
) -> LocalPage:
    """The page, ready to be served."""
    session, bytes_of = Session(queue, file, who, role), dict(queue)

    def picture(row: str, query: Query) -> Reply:
        return as_picture(pictures.open(row, bytes_of[row]))

    def begin(rest: str, query: Query) -> Reply:
        return as_json({**session.begin(), "blur": blur})

    def answer(rest: str, query: Query) -> Reply:
        return as_json(session.answer(str(query["tab"]), str(query["row"]), str(query["answer"]), query["seconds"]))

    def undo(rest: str, query: Query) -> Reply:
        return as_json(session.undo(str(query["tab"])))

    return LocalPage(FILES, {"picture": picture}, {"begin": begin, "answer": answer, "undo": undo}, port)
