"""Many shards into a folder: what is to be done, what an earlier run has done already, and what came of it all."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from erya.errors import DataError, EryaError, Interrupted, UsageError, quoted, typed
from erya.filtering.counts import Tally
from erya.filtering.journal import Journal
from erya.filtering.layout import layout_of
from erya.filtering.pool import Pool, Shard, Standing, Watch, facts_of
from erya.filtering.settings import Settings
from erya.language import say
from erya.text import sources
from erya.text.files import unreadable
from erya.text.formats import format_of

__all__ = ["Outcome", "Shard", "Standing", "run", "shards_of", "with_columns"]


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


def shards_of(names: Sequence[str], out: Path | None) -> list[Shard]:
    """The files behind paths, folders (all data files in them) and patterns, each once, in that order.

    Args:
        names: what the user wrote.
        out: the folder that their outputs go to; None: they go nowhere by name.

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
            if path.name in named and out is not None:
                raise _same_name(named[path.name], path)
            if out is not None and (out / path.name).resolve() == real:
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
        layout, notes = layout_of(shard.source, settings)
        if layout.format != "jsonl":
            return settings, notes
        if layout.text is not None:
            return replace(settings, text=layout.text, text2=layout.text2), notes
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
        processes: at most this many; a shard that is alone in being left is worked on by all of them.
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
                job = {"model": str(model), "settings": settings.to_plain(), "bad_rows": bad_rows}
                pool = Pool(job, journal, waiting, watch, len(shards))
                pool.run(processes)
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
        if done is not None and done.source == facts_of(shard.source) and _size(target) == done.size:
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


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
