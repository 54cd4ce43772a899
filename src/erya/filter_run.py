"""Many shards through several processes: who filters what, what is done already, and what came of it.

The caller's process gives out shards and keeps the journal. Each worker is ``python -m erya.filter_run``: it opens the model by
its path, takes a shard a line from its standard input and answers in JSON lines. A worker computes on one thread, so that
the number of processes changes no bit of a score, and ends by itself when its caller is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import erya.errors
from erya.atomic import remove_strays
from erya.errors import DataError, EryaError, Interrupted, ResourceError, UsageError, quoted, typed
from erya.filter_journal import Done, Journal
from erya.filtering import Settings, Tally, column_of, filter_file
from erya.foreign_classifier import open_classifier
from erya.language import say
from erya.text import sources
from erya.text.files import unreadable
from erya.text.formats import format_of
from erya.text.read import row_lines

PROGRESS_SECONDS = 0.5
_ONE_THREAD = ("ERYA_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Watch = Callable[["Standing"], None]


@dataclass(frozen=True, slots=True)
class Shard:
    """A file to filter, and the name of what is kept of it."""

    source: Path
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is: shards, and bytes and rows of this run's own work."""

    shards: int
    finished: int
    rows: int
    bytes: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        shards: by name, in the order given; those that an earlier run did, too.
        total: of all of them.
        fresh: of what this run did itself.
        earlier: how many an earlier run had done.
        seconds: that this run took.
    """

    shards: dict[str, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    fresh: Tally = field(default_factory=Tally)
    earlier: int = 0
    seconds: float = 0.0

    @property
    def gigabytes_per_hour(self) -> float | None:
        """Of unpacked input, by this run; None where it had nothing to do."""
        return self.fresh.bytes / 1e9 / self.seconds * 3600 if self.fresh.bytes and self.seconds else None


# ---- what is to be filtered --------------------------------------------------------------------------------------


def shards_of(names: Sequence[str], out: Path) -> list[Shard]:
    """The files behind paths, folders (all data files in them) and patterns, each once, in that order.

    Raises:
        DataError: one is not there, or a folder holds none.
        UsageError: two of them have one name, or one would be overwritten.
    """
    found: dict[Path, Shard] = {}
    named: dict[str, Path] = {}
    for given in names:
        for path in _files(Path(given).expanduser()):
            real = path.resolve()
            if real in found:
                continue
            if path.name in named:
                raise _same_name(named[path.name], path)
            if (out / path.name).resolve() == real:
                raise UsageError(
                    "output-is-input",
                    say(f"{quoted(path)} would be overwritten by its own rows", f"{quoted(path)} 会被它自己的行覆盖"),
                    help="-o kept/",
                )
            named[path.name] = path
            found[real] = Shard(path, path.name)
    return list(found.values())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return sources.find(path).parts["train"]
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file() and entry.name[:1] not in "._")
    except OSError as error:
        raise unreadable(path, error) from error
    files = [file for file in files if format_of(file) is not None]
    if not files:
        raise DataError(
            "empty-folder",
            say(
                f"there are no data files in {quoted(path.name or path)}", f"{quoted(path.name or path)} 里没有数据文件"
            ),
            where=quoted(path, 200),
            help=f"ls -A {typed(path)}",
        )
    return files


def _same_name(first: Path, second: Path) -> UsageError:
    name = quoted(first.name)
    return UsageError(
        "same-name",
        say(f"two files are named {name}: what is kept of them, too", f"有两个文件都叫 {name}，输出会重名"),
        where=f"{quoted(first, 100)} · {quoted(second, 100)}",
        help=say("filter each folder into an output of its own: -o kept/1", "每个文件夹用各自的输出：-o kept/1"),
    )


def with_columns(settings: Settings, shards: Sequence[Shard]) -> tuple[Settings, list[str]]:
    """The settings with the fields of the text that the first shard with rows has, and what was guessed on the way."""
    for shard in shards:
        rows = row_lines(
            shard.source, text=settings.text, text2=settings.text2, encoding=settings.encoding, format=settings.format
        )
        if rows.plan.lines:
            return settings, rows.notes
        if rows.plan.columns:
            columns = rows.plan.columns
            return replace(settings, text=columns["text"], text2=columns.get("text2")), rows.notes
    return settings, []


# ---- the run -----------------------------------------------------------------------------------------------------


def run(
    model: Path,
    settings: Settings,
    shards: Sequence[Shard],
    out: Path,
    *,
    processes: int,
    bad_rows: str = "stop",
    restart: bool = False,
    watch: Watch = lambda standing: None,
) -> Outcome:
    """Filter all shards into ``out``; those that an earlier run with these settings has done are left as they are.

    Args:
        model: the model file, whose ``digest_of`` is in ``settings``.
        settings: which rows are kept.
        shards: from ``shards_of``.
        out: a folder; ``out/NAME`` gets what is kept of a shard, packed as the shard is.
        processes: at most this many, and one a shard.
        bad_rows: see ``filter_file``.
        restart: throw an earlier run's results away.
        watch: told where the run stands, several times a second.

    Raises:
        EryaError: what went wrong first; what was done until then is kept, and the same call continues.
        Interrupted: Ctrl-C or SIGTERM.
    """
    started = time.monotonic()
    with Journal(out, settings, bad_rows=bad_rows, restart=restart) as journal:
        try:
            waiting = _unfinished(journal, shards)
            outcome = Outcome(earlier=len(shards) - len(waiting))
            if waiting:
                job = {"model": str(model), "settings": settings.to_plain(), "out": str(out), "bad_rows": bad_rows}
                pool = _Pool(job, journal, waiting, watch, len(shards))
                pool.run(min(processes, len(waiting)))
                outcome.fresh = pool.fresh
        except KeyboardInterrupt:
            count = sum(shard.name in journal.done for shard in shards)
            raise Interrupted(
                "interrupted",
                say(
                    f"stopped: {count:,} of {len(shards):,} files are done",
                    f"已停止：完成 {count:,}/{len(shards):,} 个文件",
                ),
                help=say("the same command continues", "再次运行同一条命令即可继续"),
            ) from None
        except EryaError:
            journal.discard_unused()
            raise
        for shard in shards:
            outcome.shards[shard.name] = journal.done[shard.name].tally
            outcome.total.add(outcome.shards[shard.name])
    outcome.seconds = time.monotonic() - started
    return outcome


def _unfinished(journal: Journal, shards: Sequence[Shard]) -> list[Shard]:
    """The shards that are not done, or have changed since, or whose output is gone.

    Raises:
        UsageError: a file stands where an output would, and no run of these settings wrote it.
    """
    waiting = []
    for shard in shards:
        done, target = journal.done.get(shard.name), journal.folder / shard.name
        if done is not None and done.source == _facts(shard.source) and _size(target) == done.size:
            continue
        if done is None and shard.name not in journal.begun and os.path.lexists(target):
            raise UsageError(
                "output-exists",
                say(
                    f"{quoted(target)} exists already, and was not written by this filter",
                    f"{quoted(target)} 已存在，且不是本次过滤写出的",
                ),
                where=quoted(target, 200),
                help=say("choose another folder: -o other/", "换一个文件夹：-o other/"),
            )
        waiting.append(shard)
    return waiting


def _facts(path: Path) -> tuple[int, int]:
    """Size and time of change."""
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return found.st_size, found.st_mtime_ns


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


class _Pool:
    """The workers of one run, served from one thread: a shard is in the journal before a worker hears of it.

    Attributes:
        fresh: what the workers did.
    """

    def __init__(
        self, job: dict[str, Any], journal: Journal, shards: Sequence[Shard], watch: Watch, count: int
    ) -> None:
        self.job, self.journal, self.watch, self.count = job, journal, watch, count
        self.waiting = deque(shards)
        self.fresh = Tally()
        self.events: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self.busy: dict[_Worker, tuple[Shard, tuple[int, int]]] = {}
        self.partly: dict[_Worker, tuple[int, int]] = {}  # rows and bytes of what is not finished
        self.started = time.monotonic()

    def run(self, processes: int) -> None:
        """Work until no shard waits. Raises EryaError: the first that a worker met."""
        workers: list[_Worker] = []
        try:
            for _ in range(processes):
                workers.append(_Worker(self.job, self.events))
            alive = set(workers)
            while alive:
                try:
                    worker, event = self.events.get(timeout=1.0)
                except queue.Empty:
                    continue
                if event is None:
                    alive.discard(worker)
                    self._ended(worker)
                else:
                    self._heard(worker, event)
        finally:
            for worker in workers:
                worker.stop()
            remove_strays(self.journal.folder)

    def _heard(self, worker: _Worker, event: dict[str, Any]) -> None:
        if event["event"] == "error":
            raise _rebuilt(event)
        if event["event"] == "progress":
            self.partly[worker] = (event["rows"], event["bytes"])
        else:  # ready, or done and so ready again
            if event["event"] == "done":
                shard, source = self.busy.pop(worker)
                self.partly.pop(worker, None)
                tally = Tally.from_plain(event["tally"])
                self.journal.finish(shard.name, Done(source, event["size"], tally))
                self.fresh.add(tally)
            if self.waiting:
                shard = self.waiting.popleft()
                self.busy[worker] = (shard, _facts(shard.source))
                self.journal.begin(shard.name)
                worker.send({"source": str(shard.source), "name": shard.name})
            else:
                worker.close()
        self.watch(
            Standing(
                self.count,
                self.count - len(self.waiting) - len(self.busy),
                self.fresh.rows + sum(rows for rows, _ in self.partly.values()),
                self.fresh.bytes + sum(size for _, size in self.partly.values()),
                time.monotonic() - self.started,
            )
        )

    def _ended(self, worker: _Worker) -> None:
        code = worker.process.wait()
        if code == 0 and worker not in self.busy:
            return
        last = worker.last_words()
        if code > 0 and "MemoryError" not in last:
            raise RuntimeError(f"a filtering process ended with {code}: {last}")
        shard = self.busy[worker][0] if worker in self.busy else None
        raise ResourceError(
            "worker-died",
            say(
                "a filtering process was killed; was the memory full?",
                "一个过滤进程被终止，可能是内存不足",
            ),
            where=quoted(shard.source, 200) if shard else None,
            help=say(
                "the same command continues; with less memory: --threads 1",
                "再次运行同一条命令即可继续；省内存：--threads 1",
            ),
        )


class _Worker:
    """A process that filters one shard after another, and a thread that listens to it."""

    def __init__(self, job: dict[str, Any], events: queue.Queue[Any]) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in stop)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "erya.filter_run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
        self.listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self.listener.start()
        self.send(job)

    def send(self, line: dict[str, Any]) -> None:
        """One JSON line. That the worker is gone is heard from the listener."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """No more shards."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()
        self.listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 4000))
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return quoted(lines[-1], 300) if lines else ""

    def _listen(self, events: queue.Queue[Any]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            events.put((self, json.loads(line)))
        events.put((self, None))


def _environment() -> dict[str, str]:
    """Of a worker: it finds this erya, speaks UTF-8 and computes on one thread."""
    root = str(Path(erya.errors.__file__).resolve().parent.parent)
    paths = [root, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]
    one = dict.fromkeys(_ONE_THREAD, "1")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", **one}


def _rebuilt(event: dict[str, Any]) -> EryaError:
    """The error that a worker met."""
    kinds = {kind.__name__: kind for kind in EryaError.__subclasses__()}
    kind = kinds.get(event["kind"], EryaError)
    return kind(event["code"], event["error"], where=event["where"], help=event["help"])


# ---- the worker's side -------------------------------------------------------------------------------------------


def work(orders: TextIO, speak: Callable[[dict[str, Any]], None]) -> None:
    """Filter what the caller asks for: the job on the first line, then a shard a line. A foreseen error ends it."""
    job = json.loads(orders.readline())
    try:
        model, settings = open_classifier(Path(job["model"])), Settings(**job["settings"])
        column_of(model, settings.label)
        speak({"event": "ready"})
        for line in orders:
            shard = json.loads(line)
            target = Path(job["out"], shard["name"])
            tally = filter_file(
                model, settings, Path(shard["source"]), target, bad_rows=job["bad_rows"], told=_progress(speak)
            )
            speak({"event": "done", "tally": tally.to_plain(), "size": target.stat().st_size})
    except EryaError as problem:
        kind = next((kind.__name__ for kind in type(problem).__mro__ if kind in EryaError.__subclasses__()), "")
        told = {"kind": kind, "code": problem.code, "error": problem.message, "where": problem.where}
        speak({"event": "error", **told, "help": problem.help})


def _progress(speak: Callable[[dict[str, Any]], None]) -> Callable[[Tally], None]:
    spoken = time.monotonic()

    def told(tally: Tally) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= PROGRESS_SECONDS:
            spoken = time.monotonic()
            speak({"event": "progress", "rows": tally.rows, "bytes": tally.bytes})

    return told


def _main() -> None:
    """Keep the answers' stream for the answers; end quietly when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the caller ends its own
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def speak(event: dict[str, Any]) -> None:
        answers.write(json.dumps(event) + "\n")
        answers.flush()

    try:
        work(sys.stdin, speak)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    _main()
