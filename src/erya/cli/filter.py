"""``filter``: the rows of many files that a classifier gives one label, copied byte for byte; a killed run continues."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Manner, argument, option
from erya.cli.reading import shown_path
from erya.cli.values import chosen, probability, whole
from erya.errors import quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.filter_run import Outcome, Standing
    from erya.filtering import Tally

PLAIN_SECONDS = 10.0
DRAWN_SECONDS = 0.2


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "filter",
        flat(filter),
        group=say("Use a model", "使用模型"),
        summary=say("copy the rows of files that have a label, byte for byte", "按标签筛选文件中的行，逐字节复制"),
        examples=[
            ("erya filter m.erya shards/*.jsonl.gz --label good --min-probability 0.9 -o kept/", ""),
            (
                "erya filter m.erya shards/ --label spam --min-probability 0.5 --invert -o clean/",
                say("what stays below", "保留低于阈值的行"),
            ),
            (
                "erya filter m.erya lines.txt --label zh --min-probability 0.8 -o zh/",
                say("one text a line", "每行一条文本"),
            ),
        ],
        more=say(
            "A row stays if p(label) is at least --min-probability. Each file FILE becomes DIR/FILE, packed as it was (.gz .xz .zst); "
            "the rows that stay keep their original bytes and order. One process a file, as many as there are processors.\n"
            "Stopped or killed, the same command continues: finished files are not done again, no row is lost or doubled. A folder "
            "filled with another model or threshold is never added to.\n"
            "Rows in = kept + dropped + rejected; rejected rows have no text that could be scored.",
            "p(标签) 不低于 --min-probability 的行保留。每个文件 FILE 写成 DIR/FILE，压缩方式不变（.gz .xz .zst）；"
            "保留的行字节与顺序都不变。每个进程处理一个文件，进程数为处理器数。\n"
            "中断或被杀后，再次运行同一条命令即可继续：已完成的文件不会重做，行不会丢失，也不会重复。"
            "用别的模型或阈值写过的文件夹不会被混写。\n"
            "输入行数 = 保留 + 丢弃 + 拒收；拒收的行没有可评分的文本。",
        ),
    )


@dataclass(frozen=True)
class Reading:
    """How the files are read."""

    text: Annotated[
        str | None,
        option(
            "--text", "FIELD", "JSON field of the text; else guessed", "文本所在的 JSON 字段；不写则自动判断", env=True
        ),
    ] = None
    text2: Annotated[
        str | None,
        option("--text2", "FIELD", "field of the second text, for pairs", "第二段文本所在的字段（文本对）", env=True),
    ] = None
    format: Annotated[
        str | None,
        option(
            "--format",
            "NAME",
            "jsonl txt labels; else told by the name and the first lines",
            "jsonl txt labels；不写则按文件名与开头几行判断",
        ),
    ] = None
    encoding: Annotated[
        str | None,
        option(
            "--encoding",
            "NAME",
            "of files that are not UTF-8, e.g. gb18030",
            "非 UTF-8 文件的编码，如 gb18030",
            env=True,
        ),
    ] = None
    bad_rows: Annotated[
        str | None,
        option(
            "--bad-rows",
            "stop|skip|keep",
            "at a row that cannot be read: stop (default), skip it, or keep it unscored; counted each time",
            "遇到读不了的行：stop 停止（默认），skip 跳过，keep 不评分直接保留；都会计数",
            env=True,
        ),
    ] = None

    def policy(self) -> str:
        """What is done with rows that cannot be read."""
        return chosen("--bad-rows", self.bad_rows or "stop", ["stop", "skip", "keep"])


def filter(
    reading: Reading,
    manner: Manner,
    model: Annotated[
        str,
        argument(
            "m.erya",
            "a trained classifier; fastText's .bin and .ftz, too",
            "训练好的分类模型；也可用 fastText 的 .bin、.ftz",
        ),
    ],
    files: Annotated[
        list[str],
        argument("FILE", "jsonl or txt files, folders of them or patterns", "jsonl 或 txt 文件、文件夹或通配模式"),
    ],
    label: Annotated[str, option("--label", "NAME", "the label that rows are kept for", "要保留的标签")],
    min_probability: Annotated[
        str,
        option(
            "--min-probability", "P", "keep rows from this p(label) up, 0 to 1", "p(标签) 不低于此值的行保留，0 到 1"
        ),
    ],
    out: Annotated[str, option("-o --out", "DIR", "the folder to write to", "输出文件夹")],
    invert: Annotated[
        bool, option("--invert", "", "keep the rows below the threshold instead", "改为保留低于阈值的行")
    ] = False,
    threads: Annotated[
        str | None,
        option(
            "--threads",
            "N",
            "processes at once (default: all processors)",
            "同时运行的进程数（默认全部处理器）",
            env=True,
        ),
    ] = None,
    restart: Annotated[
        bool,
        option(
            "--restart", "", "delete what an earlier filter wrote there, and start over", "删除此前的过滤结果，重新开始"
        ),
    ] = False,
) -> None:
    """Filter files."""
    from erya import machine
    from erya.filter_run import run, shards_of, with_columns
    from erya.filtering import Settings, digest_of

    threshold = probability("--min-probability", min_probability)
    processes = machine.threads() if threads is None else whole("--threads", threads, default=1, least=1)
    folder, path = Path(out).expanduser(), _model(model)
    shards = shards_of(files, folder)
    wanted = Settings(
        digest_of(path), label, threshold, invert, reading.text, reading.text2, reading.encoding, reading.format
    )
    settings, notes = with_columns(wanted, shards)
    for note in notes:
        manner.talk(output.fact(say("read", "读取"), note))
    progress = _Progress(silent=manner.quiet)
    try:
        outcome = run(
            path,
            settings,
            shards,
            folder,
            processes=processes,
            bad_rows=reading.policy(),
            restart=restart,
            watch=progress.watch,
        )
    finally:
        progress.close()
    if manner.json:
        output.write_document(_document(model, settings.to_plain(), outcome, folder))
        return
    for line in _lines(outcome, folder):
        output.write(line)
    if outcome.total.kept and path.suffix == ".erya":
        first = next(name for name, tally in outcome.shards.items() if tally.kept)
        manner.next(f"erya predict {shown_path(model)} {shown_path(folder / first)} --top 2")


def _model(name: str) -> Path:
    """The model file. What is wrong with a path that is none, the one who opens models says best."""
    from erya import catalog

    path = Path(name).expanduser()
    if not path.is_file():
        catalog.load(path)
    return path


# ---- what came of it -------------------------------------------------------------------------------------------


def _lines(outcome: Outcome, folder: Path) -> list[str]:
    total = outcome.total
    share = f"  ({output.percent(total.kept / total.rows)})" if total.rows else ""
    names = {
        "rows": say("rows", "行数"),
        "kept": say("kept", "保留"),
        "dropped": say("dropped", "丢弃"),
        "rejected": say("rejected", "拒收"),
        "speed": say("speed", "速度"),
    }
    rows = [
        (names["rows"], f"{total.rows:,} = {total.kept:,} + {total.dropped:,} + {total.rejected:,}" + _files(outcome)),
        (names["kept"], f"{total.kept:,}{share} → {quoted(folder, 200)}"),
        (names["dropped"], f"{total.dropped:,}"),
        (names["rejected"], f"{total.rejected:,}{_reasons(total)}"),
    ]
    if outcome.gigabytes_per_hour is not None:
        rows.append((names["speed"], _speed(outcome)))
    width = max(output.width_of(name) for name, _ in rows)
    return [f"{output.padded(name, width)}  {text}" for name, text in rows]


def _files(outcome: Outcome) -> str:
    count = len(outcome.shards)
    if outcome.earlier:
        return say(
            f"  ({count:,} file{'' if count == 1 else 's'}, {outcome.earlier:,} of them done before)",
            f"（{count:,} 个文件，其中 {outcome.earlier:,} 个此前已完成）",
        )
    return say(f"  ({count:,} file{'' if count == 1 else 's'})", f"（{count:,} 个文件）")


def _reasons(total: Tally) -> str:
    common = sorted(total.reasons.items(), key=lambda pair: -pair[1])[:3]
    shown = say("; ", "；").join(f"{reason} ×{count:,}" for reason, count in common)
    if total.copied:
        shown += say(f"; {total.copied:,} copied unscored", f"；{total.copied:,} 行未评分直接保留")
    return f"  ({shown})" if shown else ""


def _speed(outcome: Outcome) -> str:
    fresh = outcome.fresh
    return (
        f"{outcome.gigabytes_per_hour:,.2f} GB/h · "
        + say(f"{fresh.rows / outcome.seconds:,.0f} rows/s", f"{fresh.rows / outcome.seconds:,.0f} 行/秒")
        + f" · {output.size(fresh.bytes)} · {output.duration(outcome.seconds)}"
    )


def _document(model: str, settings: dict[str, Any], outcome: Outcome, folder: Path) -> dict[str, Any]:
    return {
        "schema": "erya.filter/1",
        "model": model,
        "settings": settings,
        "out": str(folder),
        **outcome.total.to_plain(),
        "files": {name: tally.to_plain() for name, tally in outcome.shards.items()},
        "files_done_before": outcome.earlier,
        "seconds": outcome.seconds,
        "gigabytes_per_hour": outcome.gigabytes_per_hour,
    }


class _Progress:
    """On a terminal one line that changes in place; elsewhere a line now and then."""

    def __init__(self, *, silent: bool) -> None:
        self.silent, self.live = silent, sys.stderr.isatty()
        self._next = time.monotonic() + (0.0 if self.live else PLAIN_SECONDS)
        self._drawn = False

    def watch(self, standing: Standing) -> None:
        """Where the run stands."""
        now = time.monotonic()
        if self.silent or now < self._next:
            return
        self._next = now + (DRAWN_SECONDS if self.live else PLAIN_SECONDS)
        line = "  " + _standing(standing)
        if self.live:
            sys.stderr.write("\r\x1b[2K" + output.cut(line, output.columns() - 1))
            sys.stderr.flush()
            self._drawn = True
        else:
            output.talk(line)

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def _standing(standing: Standing) -> str:
    speed = standing.bytes / 1e9 / max(standing.seconds, 1e-9) * 3600
    return "  ".join(
        [
            say(
                f"{standing.finished:,}/{standing.shards:,} files", f"{standing.finished:,}/{standing.shards:,} 个文件"
            ),
            say(f"{standing.rows:,} rows", f"{standing.rows:,} 行"),
            output.size(standing.bytes),
            f"{speed:,.1f} GB/h",
        ]
    )
