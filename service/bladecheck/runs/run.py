"""A run over an archive: every item becomes a row, every distinct picture is scored once, and nothing is lost."""

from __future__ import annotations

import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.archives.containers.remote import path_of
from bladecheck.archives.item import Handle, Item
from bladecheck.errors import BladecheckError, RunError, StoreUnreachable
from bladecheck.runs import folder as run_folder
from bladecheck.runs import rows
from bladecheck.runs.engines import Claims, Engine, Outcome, Task
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.provenance import Inputs, versions
from bladecheck.runs.resume import Again, Behind, look_back
from bladecheck.runs.shards import Shard, known_inputs
from bladecheck.runs.summary import Summary, summarise
from bladecheck.runs.table import Ledger

CARD = ("summary", "limits", "thresholds", "gates", "metrics", "data", "outputs", "embedding_range")
DONE_BEFORE, DUPLICATE = "done before", "duplicate"
Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Attributes:
        retry_failed: try failed rows again.
        fetch: downloads a picture known by address only; None leaves those rows `remote`.
        side_by_side: put another model's or policy's rows into a folder of their own inside the run.
        timezone: whose months the summary uses by default; None keeps the run's, which is UTC to begin with.
        shard: which part of the rows this run is for; None for all.
        provenance: command and settings, for run.json.
    """

    retry_failed: bool = False
    fetch: Fetch | None = None
    side_by_side: bool = False
    timezone: str | None = None
    shard: Shard | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """Where the run lies, its counts, and whether it was stopped before the end."""

    folder: RunFolder
    summary: Summary
    stopped: bool


class Run:
    """One session over a run folder: the first, or one that goes on where others ended.

    Args:
        paths: the inputs as the user gave them.
        items: of the archive; gone through once.
        engine: what scores.
        folder: where the run lies.
        options: whether to retry, fetch, and where another model's rows go.
        tick: called with the status of every item that is dealt with.
        stop: when set, no further picture is begun and the session ends in good order.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        items: Iterable[Item],
        engine: Engine,
        folder: RunFolder,
        options: Options | None = None,
        tick: Callable[[str], None] = lambda status: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._paths, self._items, self._engine, self._options = tuple(paths), items, engine, options or Options()
        self._watch, self._stop = tick, stop or threading.Event()
        self._dealt_with: Counter[str] = Counter()
        self._folder = choose(folder, engine, self._options.side_by_side)

    def go(self) -> Finished:
        """Score what is not scored yet.

        Raises:
            RunError: the folder is locked, foreign or can't be written, or an input vanished.
            ArchiveError, ServerError: the archive or the server failed; what was scored is kept.
        """
        self._folder.create()
        with ExitStack() as stack:
            stack.enter_context(self._folder.locked())
            manifest = self._folder.manifest()
            self._inputs = Inputs(self._paths, manifest["inputs"] or known_inputs(self._folder, self._options.shard))
            entries = self._inputs.describe()
            changed = frozenset(self._inputs.changed(entries))
            known = {entry["name"] for entry in manifest["inputs"]}
            self._joined = bool(known) and any(entry["name"] not in known for entry in entries)
            self._timezone = self._options.timezone or manifest.get("timezone", "UTC")
            self._journal = stack.enter_context(Journal(self._folder.journal))
            self._begin(manifest)
            again = Again(self._options.retry_failed, self._options.fetch is not None, changed)
            self._behind = look_back(self._folder.journal, again)
            session = self._open_session(manifest, entries)
            try:
                self._work()
            except BaseException as error:
                self._close_session(manifest, session, f"{type(error).__name__}: {error}")
                raise
            self._close_session(manifest, session, "stopped" if self._stop.is_set() else "complete")
            with Ledger(self._folder) as ledger:
                summary = summarise(ledger.rows(), self._timezone)
            self._folder.save({**manifest, "counts": summary.counts()})
        return Finished(self._folder, summary, self._stop.is_set())

    def _begin(self, manifest: dict[str, Any]) -> None:
        if self._journal.empty:
            head = rows.header(manifest["run_id"], self._engine.model, self._engine.policy, FORMAT)
            self._journal.append([head])
        head = self._folder.header()
        manifest |= {"run_id": head["run_id"], "model": head["model"], "policy": head["policy"]}

    def _work(self) -> None:
        claims = Claims(self._behind.pictures)
        with closing(self._engine.score(self._tasks(self._behind), claims)) as outcomes:
            for outcome in outcomes:
                self._record(outcome)

    def _tasks(self, behind: Behind) -> Iterator[Task]:
        """What is to be scored; rows that need no scoring are written on the way."""
        for identity, source, item in rows.identified(self._items, self._inputs.label):
            if self._stop.is_set():
                return
            behind.damaged.discard(bytes.fromhex(identity))
            if self._options.shard and not self._options.shard.holds(identity):
                continue  # counted above all the same: which copy of a picture a row is must not depend on the shard
            # An archive that came later may add to a row: then it is written again.
            done = bytes.fromhex(identity) in behind.rows and not (self._joined and item.also)
            # A video that was skipped before and is looked at now.
            if done and not (item.status == "present" and bytes.fromhex(identity) in behind.videos):
                self._tick(DONE_BEFORE)
                continue
            also = [(self._inputs.label(place.source_path), place) for place in item.also]
            row = rows.row_record(identity, source, item, also)
            if item.status == "present":
                handle = item.opener if isinstance(item.opener, Handle) else None
                yield Task(row, partial(_read, item), handle)
            elif item.status == "remote" and item.media_url and self._options.fetch:
                yield Task(row, partial(self._options.fetch, item.media_url))
            else:
                self._journal.append([row])
                self._tick(str(item.status))
        if behind.damaged:
            self._journal.append([rows.gone_record(behind.damaged)])

    def _record(self, outcome: Outcome) -> None:
        row, status = outcome.task.row, DUPLICATE
        if outcome.failure:
            row |= {"status": "failed", "code": outcome.failure.code, "detail": outcome.failure.detail}
            self._journal.append([row])
            self._tick("failed")
            return
        row |= {"status": "present", "sha256": outcome.sha256}
        batch = [row]
        if outcome.result is not None and outcome.sha256 is not None:
            status = outcome.result["status"]
            picture = rows.picture_record(outcome.sha256, outcome.result, outcome.size, outcome.pdq, run_folder.now())
            batch = [picture, row]
        self._journal.append(batch)
        self._tick(status)

    def _tick(self, status: str) -> None:
        self._dealt_with[status] += 1
        self._watch(status)

    def _open_session(self, manifest: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
        names = {entry["name"] for entry in entries}
        manifest["inputs"] = [entry for entry in manifest["inputs"] if entry["name"] not in names] + entries
        manifest["model_card"] = {name: self._engine.card.get(name) for name in CARD}
        manifest["timezone"] = self._timezone
        if self._options.shard:
            manifest["shard"] = str(self._options.shard)
        session: dict[str, Any] = {
            "started": run_folder.now(),
            "finished": None,
            "ended": None,
            "bladecheck": __version__,
        }
        session |= {"python": platform.python_version(), "platform": platform.platform(), "packages": versions()}
        session |= self._options.provenance
        manifest["sessions"].append(session)
        self._folder.save(manifest)
        return session

    def _close_session(self, manifest: dict[str, Any], session: dict[str, Any], how: str) -> None:
        session |= {"finished": run_folder.now(), "ended": how, "dealt_with": dict(sorted(self._dealt_with.items()))}
        session |= self._engine.notes
        try:
            self._folder.save(manifest)
        except RunError:
            if how == "complete":
                raise


def _read(item: Item) -> bytes:
    """The bytes of an item; an archive that is gone as a whole ends the session instead of failing row after row."""
    try:
        return item.open()
    except StoreUnreachable as error:
        raise RunError(f"{error.detail}. What was scored is kept: run the same command again.") from error
    except (BladecheckError, OSError) as error:
        if path_of(item.source_path).exists():
            raise
        raise RunError(
            f"{item.source_path} is gone (was a disk taken out?). What was scored is kept: bring it back and run the "
            "same command again."
        ) from error


def choose(folder: RunFolder, engine: Engine, side_by_side: bool) -> RunFolder:
    """The folder for this engine's rows: the run's own, or one beside if the run is another model's.

    Raises:
        RunError: the run is of another model or policy, and side by side was not asked for.
    """
    if not folder.exists or folder.journal.stat().st_size == 0:
        return folder
    head = folder.header()
    if head["model"] == engine.model and head["policy"] == engine.policy:
        return folder
    if side_by_side:
        return folder.beside(engine.model, engine.policy)
    raise RunError(
        f"{folder.path} holds rows of {_named(head['model'], head['policy'])}; you are scoring with "
        f"{_named(engine.model, engine.policy)}. Rows of two models or policies don't mix: choose another -o, or add "
        "--side-by-side to keep both."
    )


def _named(model: Mapping[str, str], policy: Mapping[str, str]) -> str:
    return f"{model['name']} {model['version']} ({model['sha256'][:8]}), policy {policy['name']}"
