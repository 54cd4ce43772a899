"""``filter``: the rows of many files that a classifier gives one label, copied byte for byte; a killed run continues."""

from __future__ import annotations

import itertools
import math
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
from erya.cli.values import chosen, number, probability, whole
from erya.errors import UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.filtering import Settings, Tally
    from erya.filtering.run import Outcome, Standing
    from erya.filtering.sample import Sampled

PLAIN_SECONDS = 10.0
DRAWN_SECONDS = 0.2
MOST_FILES = 20  # in the table
BAR = 40  # characters of the longest bar
MOST_BARS = 20
USUAL = 0.99  # of the rows: those that cost more do not make the bars coarser

Bar = tuple[float, float, int]  # from where to where, and how many rows


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
                "erya filter m.erya shards/ --label good --min-probability 0.9 --sample 1000",
                say("what would be kept; nothing is written", "先看会保留什么，不写文件"),
            ),
            (
                "erya filter m.erya shards/ --label toxic --label spam --max-probability 0.2 -o clean/",
                say("drop what is either", "去掉属于其中任一类的行"),
            ),
            (
                "erya filter kn.erya shards/ --max-bits 2.5 -o clean/",
                say("what a language model finds probable", "语言模型认为可能的行"),
            ),
            (
                "zcat web.jsonl.gz | erya filter m.erya - --label zh --min-probability 0.8 --text body.text -o - | wc -l",
                say("between two pipes", "用在管道中"),
            ),
        ],
        more=say(
            "With a language model a row stays by its bits a character: --max-bits, --min-bits.\n"
            "A row stays if p is at least --min-probability and at most --max-probability; p is the probability of the label, of several "
            "labels the largest. Each file FILE becomes DIR/FILE, packed as it was (.gz .xz .zst); the rows that stay keep their "
            "original bytes and order.\n"
            "Processes share a large file: one that is not packed is cut at line ends; an archive is unpacked by one process while the "
            "others score, unless there are enough archives for all. The bytes written do not depend on the number of processes.\n"
            "Stopped or killed, the same command continues: finished files and pieces are not done again, no row is lost or doubled. A "
            "folder filled with another model or threshold is never added to. With -o - the rows go to standard output, unpacked, and "
            "nothing can be continued.\n"
            "Rows in = kept + dropped + rejected; rejected rows have no text that could be scored.",
            "用语言模型时，按每字符比特数筛选：--max-bits、--min-bits。\n"
            "p 不低于 --min-probability 且不高于 --max-probability 的行保留；p 是该标签的概率，给出多个标签时取最大者。"
            "每个文件 FILE 写成 DIR/FILE，压缩方式不变（.gz .xz .zst）；保留的行字节与顺序都不变。\n"
            "多个进程会分担一个大文件：未压缩的在行尾切开；压缩包只能从头读起，由一个进程解压，其余进程评分，压缩包足够多时则每个进程各做一个。"
            "写出的字节与进程数无关。\n"
            "中断或被杀后，再次运行同一条命令即可继续：已完成的文件和分块不会重做，行不会丢失，也不会重复。"
            "用别的模型或阈值写过的文件夹不会被混写。-o - 把行写到标准输出，不压缩，也不能续做。\n"
            "输入行数 = 保留 + 丢弃 + 拒收；拒收的行没有可评分的文本。",
        ),
    )


@dataclass(frozen=True)
class Reading:
    """How the files are read."""

    text: Annotated[
        str | None,
        option(
            "--text",
            "FIELD",
            "JSON field of the text, outer.inner inside objects; else guessed",
            "文本所在的 JSON 字段，嵌套时写 外层.内层；不写则自动判断",
            env=True,
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


@dataclass(frozen=True)
class Choosing:
    """Which rows stay."""

    label: Annotated[
        list[str] | None,
        option("--label", "NAME", "the label that rows are kept for; may be repeated", "要保留的标签，可写多次"),
    ] = None
    min_probability: Annotated[
        str | None,
        option("--min-probability", "P", "keep rows from this p up, 0 to 1", "p 不低于此值的行保留，0 到 1"),
    ] = None
    max_probability: Annotated[
        str | None,
        option("--max-probability", "P", "keep rows up to this p, 0 to 1", "p 不高于此值的行保留，0 到 1"),
    ] = None
    max_bits: Annotated[
        str | None,
        option(
            "--max-bits",
            "B",
            "language models: keep rows of up to B bits a character",
            "语言模型：每字符不超过 B 比特的行保留",
        ),
    ] = None
    min_bits: Annotated[
        str | None,
        option(
            "--min-bits",
            "B",
            "language models: keep rows from B bits a character up",
            "语言模型：每字符不低于 B 比特的行保留",
        ),
    ] = None
    invert: Annotated[bool, option("--invert", "", "keep the other rows instead", "改为保留其余的行")] = False

    def limits(self, task: str | None) -> dict[str, float | None]:
        """From which p to which, or from how many bits to how many, as ``Settings`` has them. Raises UsageError."""
        from erya.filtering.settings import other_scale

        of_labels = bool(self.label) or self.min_probability is not None or self.max_probability is not None
        if self.max_bits is not None or self.min_bits is not None:
            if task == "classify":
                raise other_scale(task)
            if of_labels:
                raise UsageError(
                    "options-conflict",
                    say(
                        "bits are of language models, labels and probabilities of classifiers",
                        "比特数用于语言模型，标签与概率用于分类模型",
                    ),
                    help="--max-bits 5",
                )
            return self._bits()
        if task == "generate":
            if of_labels:
                raise other_scale(task)
            raise UsageError(
                "missing-option",
                say(
                    "of a language model --max-bits or --min-bits is needed, in bits a character",
                    "语言模型需要 --max-bits 或 --min-bits，单位为每字符比特",
                ),
                help="--max-bits 5",
            )
        if self.min_probability is None and self.max_probability is None:
            raise UsageError(
                "missing-option",
                say(
                    "--min-probability or --max-probability is needed",
                    "需要 --min-probability 或 --max-probability",
                ),
                help="--min-probability 0.9",
            )
        least = 0.0 if self.min_probability is None else probability("--min-probability", self.min_probability)
        most = 1.0 if self.max_probability is None else probability("--max-probability", self.max_probability)
        if least > most:
            raise UsageError(
                "bad-value",
                say(
                    f"no p is at least {least} and at most {most}",
                    f"没有 p 能同时不低于 {least} 且不高于 {most}",
                ),
                help=f"--min-probability {most} --max-probability {least}",
            )
        return {"min_probability": least, "max_probability": most}

    def _bits(self) -> dict[str, float | None]:
        least = None if self.min_bits is None else _bits_of("--min-bits", self.min_bits)
        most = None if self.max_bits is None else _bits_of("--max-bits", self.max_bits)
        if least is not None and most is not None and least > most:
            raise UsageError(
                "bad-value",
                say(
                    f"no text has {least:g} to {most:g} bits a character",
                    f"没有文本能有 {least:g} 到 {most:g} 比特每字符",
                ),
                help=f"--min-bits {most:g} --max-bits {least:g}",
            )
        return {"min_bits": least, "max_bits": most}


def _bits_of(name: str, text: str) -> float:
    """A number from 0 up. Raises UsageError."""
    bits = number(name, text)
    if bits < 0:
        raise UsageError(
            "bad-value",
            say(
                f"{name} {quoted(text, 40)}: a number from 0 up is needed",
                f"{name} {quoted(text, 40)}：需要不小于 0 的数",
            ),
            help=f"{name} 5",
        )
    return bits


def filter(
    choosing: Choosing,
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
        argument(
            "FILE",
            "jsonl or txt files, folders of them or patterns; -: standard input",
            "jsonl 或 txt 文件、文件夹或通配模式；- 为标准输入",
        ),
    ],
    out: Annotated[
        str | None,
        option("-o --out", "DIR", "the folder to write to; -: standard output", "输出文件夹；- 为标准输出"),
    ] = None,
    sample: Annotated[
        str | None,
        option(
            "--sample",
            "N",
            "score only N rows and show what would be kept; writes nothing",
            "只评 N 行，看会保留什么；不写任何文件",
        ),
    ] = None,
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
    from erya.filtering import Settings, digest_of

    count = None if sample is None else whole("--sample", sample, default=1000, least=1)
    _check_ways(files, out, count, restart, manner)
    processes = machine.threads() if threads is None else whole("--threads", threads, default=1, least=1)
    path = _model(model)
    limits: dict[str, Any] = choosing.limits(_task(path))
    settings = Settings(
        digest_of(path),
        tuple(choosing.label or ()),
        invert=choosing.invert,
        text=reading.text,
        text2=reading.text2,
        encoding=reading.encoding,
        format=reading.format,
        **limits,
    )
    if count is not None:
        _look(model, path, settings, files, count, manner)
    elif out == "-":
        _pipe(path, settings, files, processes, reading.policy(), manner)
    else:
        assert out is not None
        _to_folder(model, path, settings, files, Path(out).expanduser(), processes, reading.policy(), restart, manner)


def _check_ways(files: list[str], out: str | None, sample: int | None, restart: bool, manner: Manner) -> None:
    """Refuse what does not go together."""
    if "-" in files and (len(files) > 1 or sample is not None or out != "-"):
        raise UsageError(
            "standard-input-alone",
            say(
                "standard input can be read only once and has no name: it goes to standard output, alone",
                "标准输入只能读一遍，也没有文件名：只能单独使用，并写到标准输出",
            ),
            help="erya filter m.erya - … -o -",
        )
    if out is None and sample is None:
        raise UsageError("missing-option", say("where to? --out is missing", "写到哪里？缺少 --out"), help="-o kept/")
    if out == "-" and (restart or manner.json):
        other = "--restart" if restart else "--json"
        raise UsageError(
            "options-conflict",
            say(
                f"{other} and -o - do not go together: standard output is for the rows",
                f"{other} 与 -o - 不能同时使用：标准输出用来写保留的行",
            ),
            help="-o kept/",
        )


def _to_folder(
    model: str,
    path: Path,
    wanted: Settings,
    files: list[str],
    folder: Path,
    processes: int,
    bad_rows: str,
    restart: bool,
    manner: Manner,
) -> None:
    from erya.filtering.run import run, shards_of, with_columns

    shards = shards_of(files, folder)
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
            bad_rows=bad_rows,
            restart=restart,
            watch=progress.watch,
        )
    finally:
        progress.close()
    if manner.json:
        output.write_document(_document(model, settings.to_plain(), outcome, folder))
        return
    for line in [*_lines(outcome, quoted(folder, 200)), *_table(outcome), *_picture(outcome.total, settings)]:
        output.write(line)
    if outcome.total.kept and path.suffix == ".erya":
        first = shown_path(folder / next(name for name, tally in outcome.shards.items() if tally.kept))
        if settings.labels:
            manner.next(f"erya predict {shown_path(model)} {first} --top 2")
        else:
            manner.next(f"erya evaluate {shown_path(model)} {first}", f'erya explain {shown_path(model)} "…"')


def _pipe(path: Path, wanted: Settings, files: list[str], processes: int, bad_rows: str, manner: Manner) -> None:
    """Rows to standard output; what is said goes to standard error."""
    from erya.filtering.run import shards_of, with_columns
    from erya.filtering.stream import filter_stream

    progress = _Progress(silent=manner.quiet)

    def noted(note: str) -> None:
        manner.talk(output.fact(say("read", "读取"), note))

    def write(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    settings, given = wanted, None
    if files != ["-"]:
        given = shards_of(files, None)
        settings, notes = with_columns(wanted, given)
        for note in notes:
            noted(note)
    try:
        outcome = filter_stream(
            path,
            settings,
            sys.stdin.buffer if given is None else given,
            write,
            processes=processes,
            bad_rows=bad_rows,
            watch=progress.watch,
            noted=noted,
        )
    finally:
        progress.close()
    for line in [*_lines(outcome, say("standard output", "标准输出")), *_picture(outcome.total, settings)]:
        manner.talk(line)


def _look(model: str, path: Path, wanted: Settings, files: list[str], count: int, manner: Manner) -> None:
    """A sample: what would be kept."""
    from erya.filtering.run import shards_of, with_columns
    from erya.filtering.sample import sampled

    shards = shards_of(files, None)
    settings, notes = with_columns(wanted, shards)
    for note in notes:
        manner.talk(output.fact(say("read", "读取"), note))
    found = sampled(path, settings, shards, count)
    if manner.json:
        output.write_document(
            {
                "schema": "erya.filter-sample/1",
                "model": model,
                "settings": settings.to_plain(),
                **found.tally.to_plain(),
                "files": found.shards,
                "files_beginning_only": found.beginnings,
                "seconds": found.seconds,
                "gigabytes_per_hour_of_one_process": found.gigabytes_per_hour,
                "nearest": [
                    {"p" if settings.labels else "bits": score, "kept": kept, "text": text}
                    for score, kept, text in found.nearest
                ],
            }
        )
        return
    for line in _sample_lines(found, settings):
        output.write(line)


def _model(name: str) -> Path:
    """The model file. What is wrong with a path that is none, the one who opens models says best."""
    from erya import catalog

    path = Path(name).expanduser()
    if not path.is_file():
        catalog.load(path)
    return path


def _task(path: Path) -> str | None:
    """What the model is for; None: those who open it will say what is wrong with it."""
    from erya import artefact, catalog

    if catalog.is_artefact(path):
        return artefact.load(path).model.partition("/")[0]
    return catalog.foreign_task(path)


# ---- what came of it -------------------------------------------------------------------------------------------


def _lines(outcome: Outcome, target: str) -> list[str]:
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
        (names["kept"], f"{total.kept:,}{share} → {target}"),
        (names["dropped"], f"{total.dropped:,}"),
        (names["rejected"], f"{total.rejected:,}{_reasons(total)}"),
    ]
    if outcome.gigabytes_per_hour is not None:
        rows.append((names["speed"], _speed(outcome)))
    width = max(output.width_of(name) for name, _ in rows)
    return [f"{output.padded(name, width)}  {text}" for name, text in rows]


def _table(outcome: Outcome) -> list[str]:
    """Kept and dropped of each file, where there are several; of very many the first ones."""
    if len(outcome.shards) < 2:
        return []
    rows = [
        [name, f"{tally.rows:,}", f"{tally.kept:,}", f"{tally.dropped:,}", f"{tally.rejected:,}", _share(tally)]
        for name, tally in list(outcome.shards.items())[:MOST_FILES]
    ]
    head = [
        say("file", "文件"),
        say("rows", "行数"),
        say("kept", "保留"),
        say("dropped", "丢弃"),
        say("rejected", "拒收"),
        "",
    ]
    lines = ["", *output.table(rows, head=head, right=(1, 2, 3, 4, 5))]
    more = len(outcome.shards) - MOST_FILES
    if more > 0:
        lines.append(say(f"… and {more:,} more; all of them: --json", f"……另有 {more:,} 个文件；要看全部：--json"))
    return lines


def _share(tally: Tally) -> str:
    return output.percent(tally.kept / tally.rows) if tally.rows else ""


def _picture(total: Tally, settings: Settings) -> list[str]:
    """How many rows have which p, or how many bits a character, and which of them stay."""
    if not any(total.histogram):
        return []
    rows = bars(total.histogram) if settings.labels else bars_of_bits(total.histogram)
    label = " | ".join(quoted(name, 40) for name in settings.labels)
    ends = [f"{low:.2f}–{high:.2f}" if math.isfinite(high) else f"≥ {low:.2f}" for low, high, _ in rows]
    width, most = max(map(len, ends)), max(count for _, _, count in rows)
    digits = len(f"{most:,}")
    drawn = [
        f"{name:>{width}}  {count:>{digits},}  " + ("█" * round(count / most * BAR) or ("▏" if count else ""))
        for name, (_, _, count) in zip(ends, rows, strict=True)
    ]
    drawn = ["", *drawn, ""]  # before and behind: limits that lie where no rows are
    for sign, place in _limits(rows, settings):
        drawn[place + 1] = f"{drawn[place + 1]:<{width + digits + 4}}  ← {sign}"
    head = f"p({label})" if settings.labels else say("bits a character", "每字符比特")
    return ["", head, *[line.rstrip() for line in drawn if line]]


def bars(histogram: list[int]) -> list[Bar]:
    """The rows of a histogram of p."""
    bins = len(histogram)
    return [(place / bins, (place + 1) / bins, count) for place, count in enumerate(histogram)]


def bars_of_bits(histogram: list[int]) -> list[Bar]:
    """At most 20 rows, as fine as what was seen allows; a few rows of text that cost much more than all others share the last."""
    from erya.filtering.counts import BINS, MOST_BITS

    seen = [step for step, count in enumerate(histogram) if count]
    running = list(itertools.accumulate(histogram))
    usual = next(step for step, count in enumerate(running) if count >= USUAL * running[-1])
    for wide in (1, 2, 5, *(10 * 2**power for power in range(20))):
        first = seen[0] // wide
        if seen[-1] // wide - first < MOST_BARS or usual // wide - first < MOST_BARS - 1:
            break
    last = min(seen[-1] // wide, first + MOST_BARS - 1)
    found: list[Bar] = []
    for row in range(first, last + 1):
        open_ended = row == last and (seen[-1] >= (last + 1) * wide or seen[-1] == BINS * MOST_BITS - 1)
        end = len(histogram) if open_ended else (row + 1) * wide
        high = math.inf if open_ended else (row + 1) * wide / BINS
        found.append((row * wide / BINS, high, sum(histogram[row * wide : end])))
    return found


def _score(score: float, settings: Settings) -> str:
    """A probability; of language models bits a character."""
    return f"{score:.4f}" if settings.labels else f"{score:.2f}"


def _limits(rows: list[Bar], settings: Settings) -> list[tuple[str, int]]:
    """The limits, and in which row of the histogram each lies: −1 before the first, their number behind the last."""
    least, most = settings.min_bits, settings.max_bits
    if settings.labels:
        least = settings.min_probability if settings.min_probability != 0.0 else None
        most = settings.max_probability if settings.max_probability != 1.0 else None
    found = []
    if least is not None:
        place = sum(low <= least for low, _, _ in rows) - 1
        if least > rows[-1][1]:
            place = len(rows)
        found.append((say(f"min {least:g}", f"下限 {least:g}"), place))
    if most is not None:
        place = sum(high < most for _, high, _ in rows) if most >= rows[0][0] else -1
        found.append((say(f"max {most:g}", f"上限 {most:g}"), place))
    return found


def _sample_lines(found: Sampled, settings: Settings) -> list[str]:
    tally = found.tally
    seen = say(
        f"{tally.rows:,} rows of {found.shards:,} file{'' if found.shards == 1 else 's'}",
        f"{found.shards:,} 个文件中的 {tally.rows:,} 行",
    )
    if found.beginnings:
        seen += say(
            f"; of {found.beginnings:,} packed only the beginning", f"；其中 {found.beginnings:,} 个压缩文件只看了开头"
        )
    pairs = [
        (say("sample", "样本"), seen),
        (say("kept", "保留"), f"{tally.kept:,}  ({_share(tally)})" if tally.rows else "0"),
        (say("dropped", "丢弃"), f"{tally.dropped:,}"),
        (say("rejected", "拒收"), f"{tally.rejected:,}{_reasons(tally)}"),
    ]
    if found.gigabytes_per_hour is not None:
        speed = f"{found.gigabytes_per_hour:,.1f} GB/h"
        pairs.append((say("speed", "速度"), speed + say(" with one process", "（单进程）")))
    width = max(output.width_of(name) for name, _ in pairs)
    lines = [f"{output.padded(name, width)}  {text}" for name, text in pairs]
    lines += _picture(tally, settings)
    if found.nearest:
        lines += ["", say("nearest to the limit", "最接近阈值的行")]
        for p, kept, text in found.nearest:
            sign = "+" if kept else "−"
            lines.append(output.cut(f"{sign} {_score(p, settings)}  {quoted(text, 200)}", output.columns() - 1))
    return lines


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
        "schema": "erya.filter/2",
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
