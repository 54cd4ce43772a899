"""Files into a data set: ``erya.read("reviews.csv", text="review", label="stars")``.

Sniffs what it can and says what it took; every row that came in is either used or rejected, and counted.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say
from erya.text import columns as choosing
from erya.text import sources
from erya.text.columns import Plan, Wish
from erya.text.dataset import Dataset, Part, Reading, Reject
from erya.text.files import LINE_LIMIT, Source
from erya.text.formats import Opened, open_rows
from erya.text.judge import judge, languages
from erya.text.readers import Row
from erya.text.samples import sample_card

KEPT_REJECTS = 100_000  # more are counted, not listed
_MOST_BAD = 1000  # in "stop" mode counting ends here
_PEEK_ROWS, _PEEK_CHARACTERS = 200, 4_000_000


def read(
    source: str | Path,
    *,
    task: str = "classify",
    text: str | None = None,
    text2: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    bad_rows: str = "stop",
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    unlabelled: bool = False,
    strict: bool = False,
    check: bool = True,
    line_limit: int = LINE_LIMIT,
) -> Dataset:
    """Read a data set.

    Args:
        source: a file (csv, tsv, jsonl, txt with ``__label__``; plain, .gz, .xz or .zst), a folder with train, dev and test
            files, a pattern such as ``"part-*.csv"``, or ``"sample:NAME"``.
        task: what it is for.
        text: the column (or JSON key) with the text; without a header its number, from 1. None: found and noted.
        text2: the second text, where the input is a pair.
        label: the column with the label; labels are strings, whatever the file holds.
        weight: a column of non-negative numbers; None: no weights.
        header: whether the first line of a csv names the columns; None: found and noted.
        encoding: None: UTF-8, or what a byte order mark says.
        bad_rows: ``"stop"`` at rows that cannot be read, or ``"skip"`` them into ``reading.rejects``. Rows without text or
            without label are always skipped and counted.
        format: ``"csv" "tsv" "jsonl" "txt" "labels"``; None: by name and content.
        validation: a file of its own for the dev part.
        test: a file of its own for the test part.
        unlabelled: read texts only (to predict, to count); targets are None.
        strict: labels that training never shows, and inputs that are in two parts, are errors.
        check: whether data from which nothing can be learned (one row, one label, …) is an error.
        line_limit: bytes of the longest line.

    Returns:
        A data set with ``reading``, the account of it.

    Raises:
        DataError: exit 3; the code says what, ``where`` and ``help`` the rest.
        UsageError: exit 2; an argument that means nothing.
    """
    _check_usage(source, task, bad_rows, unlabelled)
    wish = Wish(text, text2, label, weight, header, unlabelled)
    tokenizer, sample = None, None
    if str(source).startswith("sample:"):
        sample = sample_card(str(source).removeprefix("sample:"))
        tokenizer = sample.tokenizer
        files = sources.find(sample.folder)
        files.notes.clear()
        wish.text, wish.label = wish.text or sample.columns["text"], wish.label or sample.columns["label"]
    else:
        files = sources.find(Path(source).expanduser())
    for part, extra in (("dev", validation), ("test", test)):
        if extra is not None:
            files.parts[part] = sources.find(Path(extra).expanduser()).parts["train"]

    reading = Reading(notes=files.notes)
    collector = _Collector(reading, wish, bad_rows, encoding, format, line_limit)
    parts = {name: collector.part(files.parts[name]) for name in ("train", "dev", "test") if name in files.parts}
    assert reading.rows_in == reading.used + reading.rejected, "rows were lost"
    data = Dataset(
        parts["train"],
        parts.get("dev"),
        parts.get("test"),
        source=str(source),
        task=task,
        tokenizer=tokenizer,
        columns=collector.columns,
        reading=reading,
    )
    if sample is not None and sample.split and validation is None and test is None:
        data = data.split(seed=0)
    data.languages = languages(data.train)
    if check:
        judge(data, strict=strict)
    return data


def stream(
    source: str | Source,
    *,
    text: str | None = None,
    text2: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    format: str | None = None,
    line_limit: int = LINE_LIMIT,
) -> Iterator[tuple[int, Any] | Reject]:
    """The texts of one file without labels, one by one, in memory that does not grow: ``(row, document)`` or a ``Reject``.

    Args:
        source: a path, or an open binary file such as ``sys.stdin.buffer``.
        text: as in ``read``, and so the others.
    """
    wish = Wish(text, text2, None, None, header, True)
    opened = open_rows(
        Path(source) if isinstance(source, str) else source, format=format, encoding=encoding, line_limit=line_limit
    )
    plan, items = _planned(opened, wish, None, [])
    take = _taker(plan)
    for number, item in enumerate(items, 1):
        taken = item if isinstance(item, Reject) else take(item)
        if isinstance(taken, Reject):
            taken.row, taken.file = number, opened.name
            yield taken
        else:
            yield number, taken[0]


def _check_usage(source: str | Path, task: str, bad_rows: str, unlabelled: bool) -> None:
    if bad_rows not in ("stop", "skip"):
        guess = nearest(bad_rows, ("stop", "skip")) or "skip"
        raise UsageError(
            "unknown-option",
            say(
                f"bad_rows is 'stop' or 'skip', not '{quoted(bad_rows)}'",
                f"bad_rows 只能是 stop 或 skip，不能是 '{quoted(bad_rows)}'",
            ),
            help=f"--bad-rows {guess}",
        )
    if task != "classify" and not unlabelled:
        raise UsageError(
            "unknown-task",
            say(
                f"labels are read for the task classify, not for '{quoted(task)}'",
                f"目前只为 classify 任务读取标签，不支持 '{quoted(task)}'",
            ),
            help="--task classify",
        )
    if not isinstance(source, str | Path):
        raise UsageError(
            "bad-source",
            say(f"a {type(source).__name__} is not a path", f"{type(source).__name__} 不是路径"),
            help='erya.read("reviews.csv")',
        )


# ---- one file ----------------------------------------------------------------------------------------------------


def _planned(
    opened: Opened, wish: Wish, columns: dict[str, str] | None, notes: list[str]
) -> tuple[Plan, Iterator[Row | Reject]]:
    """Look at the first records, choose the columns, and give all records but the header.

    Args:
        opened: the file.
        wish: what the user asked for.
        columns: what an earlier file of the same data had; its choice is kept where the names are there.
        notes: gets what was guessed.
    """
    first: list[Row | Reject] = []
    seen = 0
    for item in opened.rows:
        first.append(item)
        seen += len(item.raw)
        if len(first) >= _PEEK_ROWS or seen > _PEEK_CHARACTERS:
            break
    if opened.format == "conll":
        raise DataError(
            "wrong-format",
            say(
                f"{opened.name} holds tagged sentences, not texts with labels",
                f"{opened.name} 是序列标注数据，不是带标签的文本",
            ),
            where=f"{opened.name}:1",
            help="--format tsv",
        )
    broken = first and isinstance(first[0], Reject) and opened.format in ("csv", "tsv")
    if broken and wish.header is not False and any(not name.isdigit() for name in wish.named().values()):
        assert isinstance(first[0], Reject)
        raise _stopped(opened, [first[0]], 1)
    if columns:
        kept = Wish(
            columns.get("text"),
            columns.get("text2"),
            columns.get("label"),
            columns.get("weight"),
            wish.header,
            wish.unlabelled,
        )
        plan = choosing.choose(
            opened.name, opened.format, first, kept if opened.format not in ("txt", "labels") else wish, []
        )
    else:
        plan = choosing.choose(opened.name, opened.format, first, wish, notes) if first else Plan({}, {}, False)
    items = itertools.chain(first, opened.rows)
    if plan.header:
        next(items, None)
    return plan, items


def _taker(plan: Plan) -> Callable[[Row], tuple[Any, str | None, float | None] | Reject]:
    """A function from a record to input, label and weight."""
    text, text2 = plan.places.get("text"), plan.places.get("text2")
    label, weight = plan.places.get("label"), plan.places.get("weight")

    def take(row: Row) -> tuple[Any, str | None, float | None] | Reject:
        values = row.values
        get = values.get if isinstance(values, dict) else values.__getitem__
        document: Any = get(text)
        if not isinstance(document, str):
            document = _as_text(document)
        if not document or document.isspace():
            return _no_text(row, get(text), plan.columns["text"])
        if text2 is not None:
            second = _as_text(get(text2))
            if not second or second.isspace():
                return _no_text(row, get(text2), plan.columns["text2"])
            document = (document, second)
        answer: str | None = None
        if label is not None:
            named = _as_label(get(label))
            if not named:
                return _no_label(row, get(label), plan.columns["label"])
            answer = named
        number: float | None = None
        if weight is not None:
            number = _as_weight(get(weight))
            if number is None:
                reason = say(
                    f"'{quoted(get(weight), 20)}' is not a weight", f"'{quoted(get(weight), 20)}' 不能作为权重"
                )
                return _left_out(row, "bad-weight", reason, harmless=False)
        return document, answer, number

    return take


def _as_text(value: Any) -> str:
    """A JSON value as text; numbers count as text, nothing else does."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _as_label(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list):
        return _as_label(value[0])
    return ""


def _as_weight(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _no_text(row: Row, value: Any, column: str) -> Reject:
    if value is None or isinstance(value, str):
        return _left_out(
            row, "empty-text", say(f"no text in '{quoted(column)}'", f"'{quoted(column)}' 为空"), harmless=True
        )
    kind = type(value).__name__
    return _left_out(
        row,
        "bad-value",
        say(f"'{quoted(column)}' holds a {kind}, not text", f"'{quoted(column)}' 不是文本，而是 {kind}"),
        harmless=False,
    )


def _no_label(row: Row, value: Any, column: str) -> Reject:
    if isinstance(value, list) and len(value) > 1:
        reason = say(f"{len(value)} labels in one row", f"一行有 {len(value)} 个标签")
        return _left_out(row, "several-labels", reason, harmless=False)
    if value is None or isinstance(value, str | list):
        return _left_out(
            row,
            "empty-label",
            say(f"no label in '{quoted(column)}'", f"'{quoted(column)}' 为空（缺标签）"),
            harmless=True,
        )
    reason = say(f"'{quoted(column)}' holds an object, not a label", f"'{quoted(column)}' 不是标签，而是对象")
    return _left_out(row, "bad-value", reason, harmless=False)


def _left_out(row: Row, code: str, reason: str, *, harmless: bool) -> Reject:
    return Reject(0, reason, row.raw[:2000], code, row.line, row.start, harmless=harmless)


# ---- all files ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Collector:
    """Reads the parts one after another; the columns of the first file hold for all."""

    reading: Reading
    wish: Wish
    bad_rows: str
    encoding: str | None
    format: str | None
    line_limit: int
    columns: dict[str, str] = field(default_factory=dict)

    def part(self, paths: list[Path]) -> Part:
        """All records of some files."""
        part = Part([], None if self.wish.unlabelled else [], None)
        weights: list[float] = []
        number, empty = 0, True
        for path in paths:
            opened = open_rows(path, format=self.format, encoding=self.encoding, line_limit=self.line_limit)
            self.reading.notes.extend(opened.notes)
            plan, items = _planned(opened, self.wish, self.columns, self.reading.notes)
            if not self.columns and plan.columns:
                self.columns = plan.columns
                self.reading.encoding, self.reading.format = opened.encoding, opened.format
            empty = empty and opened.empty
            number = self._file(opened, plan, items, part, weights, number)
        if "weight" in self.columns:
            part.weights = weights
        if not part.inputs:
            raise self._nothing(paths, number, empty)
        return part

    def _file(
        self, opened: Opened, plan: Plan, items: Iterator[Row | Reject], part: Part, weights: list[float], number: int
    ) -> int:
        """The records of one file into ``part``; the number of the last one comes back."""
        reading, take = self.reading, _taker(plan)
        bad: list[Reject] = []
        for item in items:
            number += 1
            taken = item if isinstance(item, Reject) else take(item)
            reading.rows_in += 1
            if not isinstance(taken, Reject):
                document, label, weight = taken
                part.inputs.append(document)
                part.rows.append(number)
                if part.targets is not None and label is not None:
                    part.targets.append(label)
                if weight is not None:
                    weights.append(weight)
                reading.used += 1
                continue
            taken.row, taken.file = number, opened.name
            reading.rejected += 1
            if len(reading.rejects) < KEPT_REJECTS:
                reading.rejects.append(taken)
            if self.bad_rows == "stop" and not taken.harmless:
                bad.append(taken)
                if len(bad) >= _MOST_BAD:
                    break
        if bad:
            raise _stopped(opened, bad, len(bad))
        return number

    def _nothing(self, paths: list[Path], rows: int, empty: bool) -> DataError:
        name = quoted(paths[0].name) if len(paths) == 1 else say(f"{len(paths)} files", f"{len(paths)} 个文件")
        if empty:
            return DataError(
                "empty-file",
                say(f"{name} is empty", f"{name} 是空的"),
                where=quoted(paths[0], 200),
                help=f"ls -l '{quoted(paths[0], 200)}'",
            )
        if rows == 0:
            return DataError(
                "no-rows",
                say(f"{name} has no rows but a header", f"{name} 只有表头，没有数据行"),
                where=f"{name}:1",
                help=say("if the first line is data: --no-header", "如果首行就是数据：--no-header"),
            )
        counts = Counter(reject.reason for reject in self.reading.rejects)
        shown = "; ".join(f"{count:,} × {reason}" for reason, count in counts.most_common(3))
        first = self.reading.rejects[0]
        return DataError(
            "no-rows",
            say(f"none of the {rows:,} rows of {name} can be used: {shown}", f"{name} 的 {rows:,} 行都不能用：{shown}"),
            where=f"{first.file}:{first.line}   {quoted(first.raw)}",
            help=say("name the columns: --text COL --label COL", "请指定列：--text 列名 --label 列名"),
        )


def _stopped(opened: Opened, bad: list[Reject], count: int) -> DataError:
    """The error for rows that cannot be read: how many, the first one, and what to do."""
    first = bad[0]
    many = say(
        f"{'at least ' if count >= _MOST_BAD else ''}{count:,} {'row' if count == 1 else 'rows'}",
        f"{'至少 ' if count >= _MOST_BAD else ''}{count:,} 行",
    )
    name = opened.name
    skip = say("or leave such rows out: --bad-rows skip", "或跳过这些行：--bad-rows skip")
    where = (
        f"{name}:{first.line}"
        + (f", byte {first.byte:,}" if first.byte is not None else "")
        + f"   {quoted(first.raw)}"
    )
    if first.code == "bad-encoding":
        from erya.text.encoding import guess

        byte = "" if first.byte is None else say(f", byte {first.byte:,}", f"，第 {first.byte:,} 字节")
        wanted = opened.encoding.upper()
        looks = guess(bytes(opened.sample))
        return DataError(
            "bad-encoding",
            say(
                f"{many} of {name} {'is' if count == 1 else 'are'} not valid {wanted} (first: line {first.line:,}{byte}: {first.reason})",
                f"{name} 有 {many}不是有效的 {wanted}（第一处：第 {first.line:,} 行{byte}：{first.reason}）",
            ),
            where=where,
            help=say(
                f"the bytes look like {looks.upper()}  →  --encoding {looks}, ",
                f"这些字节像是 {looks.upper()}  →  --encoding {looks}，",
            )
            + skip
            if looks
            else say("name the encoding: --encoding gb18030, ", "请指定编码：--encoding gb18030，") + skip,
        )
    return DataError(
        first.code,
        say(
            f"{many} of {name} cannot be read (first: line {first.line:,}: {first.reason})",
            f"{name} 有 {many}无法读取（第一处：第 {first.line:,} 行：{first.reason}）",
        ),
        where=where,
        help=say("mend the row, ", "修正这一行，") + skip,
    )
