"""Files into a data set: ``erya.read("reviews.csv", text="review", label="stars")``.

Sniffs what it can and says what it took; every row that came in is either used or rejected, and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya.errors import DataError, UsageError, nearest, quoted, typed
from erya.language import say
from erya.text import columns as choosing
from erya.text import sources
from erya.text.columns import Plan, Wish
from erya.text.complaints import MOST_BAD, nothing, stopped, wrong_format
from erya.text.dataset import Dataset, Kind, Part, Reading, Reject, kind_of, labels_of
from erya.text.encoding import line_based
from erya.text.files import LINE_LIMIT, Source
from erya.text.formats import Opened, open_rows
from erya.text.judge import judge, languages
from erya.text.readers import Row
from erya.text.samples import sample_card
from erya.text.values import Taken, no_label, taker

KEPT_REJECTS = 100_000  # more are counted, not listed
_PEEK_ROWS, _PEEK_CHARACTERS, _PEEK_REJECTS = 200, 4_000_000, 10_000


def read(
    source: str | Path,
    *,
    task: str = "classify",
    text: str | None = None,
    text2: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    label_separator: str | None = None,
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
            files, a pattern such as ``"part-*.csv"``, or ``"sample:NAME"``. For tags: CoNLL, JSON lines with spans or with
            tokens and tags, exports of Doccano, or brat's .txt and .ann.
        task: what it is for: ``"classify"``, ``"tag"``.
        text: the column (or JSON key) with the text; without a header its number, from 1. None: found and noted.
        text2: the second text, where the input is a pair.
        label: the column with the label; labels are strings, whatever the file holds. Several labels a row: a JSON list
            (``[]``: none of them), or several ``__label__`` words; shares of labels: a JSON object ``{"a": 0.7, "b": 0.3}``.
            Where one row has several, all are read so.
        weight: a column of non-negative numbers; None: no weights.
        tokens: the column (a number from 1) of CoNLL files with the token, or the JSON key of a list of tokens.
        tags: the column with the tag, or the JSON key of the tags or spans; None: the last column, or a key that is known.
        label_separator: what stands between several labels in one field, such as ``";"``; an empty field: no label.
        header: whether the first line of a csv names the columns; None: found and noted.
        encoding: None: UTF-8, or what a byte order mark says.
        bad_rows: ``"stop"`` at rows that cannot be read, or ``"skip"`` them into ``reading.rejects``. Rows without text or
            without label are always skipped and counted.
        format: ``"csv" "tsv" "jsonl" "txt" "labels"``, for tags ``"conll" "jsonl" "brat"``; None: by name and content.
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
    _check_usage(source, task, bad_rows, unlabelled, label_separator)
    if task == "tag":
        from erya.text.read_tags import read_tagged

        return read_tagged(
            source,
            text=text,
            tokens=tokens,
            tags=tags,
            encoding=encoding,
            bad_rows=bad_rows,
            format=format,
            validation=validation,
            test=test,
            unlabelled=unlabelled,
            strict=strict,
            check=check,
            line_limit=line_limit,
        )
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
    collector = _Collector(reading, wish, bad_rows == "stop", encoding, format, line_limit, label_separator)
    parts = {name: collector.part(files.parts[name]) for name in ("train", "dev", "test") if name in files.parts}
    collector.settle(parts, quoted(source, 200))
    if reading.rejected > len(reading.rejects):
        kept = len(reading.rejects)
        reading.notes.append(
            say(f"only the first {kept:,} rejected rows are listed", f"只列出前 {kept:,} 个被拒收的行")
        )
    assert reading.rows_in == reading.used + reading.rejected, "rows were lost"
    data = Dataset(
        parts["train"],
        parts.get("dev"),
        parts.get("test"),
        source=str(source),
        task=task,
        tokenizer=tokenizer,
        columns=collector.plan.columns if collector.plan else {},
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
    plan, items = _planned(opened, wish, [], stop=False)
    take = taker(plan)
    for number, item in enumerate(items, 1):
        taken = item if isinstance(item, Reject) else take(item)
        if isinstance(taken, Reject):
            taken.row, taken.file = number, opened.name
            yield taken
        else:
            yield number, taken[0]


@dataclass(slots=True)
class RowLines:
    """The texts of a file of one row a line, each with the very bytes of its line: what copies some rows out needs.

    Attributes:
        opened: the file.
        plan: what is taken of a row.
        notes: what was guessed.
    """

    opened: Opened
    plan: Plan
    notes: list[str]

    def __iter__(self) -> Iterator[tuple[Any | Reject, bytes]]:
        """The document or why there is none, and the bytes with their line end; none of a line over the limit."""
        take = taker(self.plan)
        for number, item in enumerate(self.opened.rows, 1):
            taken = item if isinstance(item, Reject) else take(item)
            line = self.opened.line
            raw = line.raw + line.end if line is not None and line.whole else b""
            if isinstance(taken, Reject):
                taken.row, taken.file = number, self.opened.name
                yield taken, raw
            else:
                yield taken[0], raw


def row_lines(
    source: Path,
    *,
    text: str | None = None,
    text2: str | None = None,
    encoding: str | None = None,
    format: str | None = None,
    line_limit: int = LINE_LIMIT,
) -> RowLines:
    """Get ready to read a file row by row with the bytes of each row, in memory that does not grow.

    Args:
        source: a jsonl or txt file, packed or not. Blank lines between JSON rows are no rows.
        text: as in ``read``, and so the others.

    Raises:
        DataError: the file cannot be opened, has no such column, or its rows are not lines (csv, UTF-16).
    """
    opened = open_rows(source, format=format, encoding=encoding, line_limit=line_limit)
    if opened.format not in ("jsonl", "txt", "labels"):
        raise DataError(
            "not-lines",
            say(
                f"{opened.name} is {opened.format}: its rows are not simply lines, so they cannot be copied byte for byte",
                f"{opened.name} 是 {opened.format} 格式：一行数据不一定是一行文本，无法逐字节复制",
            ),
            where=f"{opened.name}:1",
            help=say(
                "use a .jsonl or .txt file; if it is one text a line: --format txt",
                "请改用 .jsonl 或 .txt 文件；如果确实每行一条文本：--format txt",
            ),
        )
    if not line_based(opened.encoding):
        raise DataError(
            "not-lines",
            say(
                f"{opened.name} is {opened.encoding.upper()}: its lines cannot be copied byte for byte",
                f"{opened.name} 的编码是 {opened.encoding.upper()}：无法逐字节复制其中的行",
            ),
            where=f"{opened.name}:1",
            help=f"iconv -f {opened.encoding} -t utf-8 {typed(source)} > utf8-{typed(source.name)}",
        )
    notes: list[str] = []
    plan, _ = _planned(opened, Wish(text, text2, unlabelled=True), notes, stop=False)
    again = open_rows(source, format=opened.format, encoding=encoding, line_limit=line_limit)
    return RowLines(again, plan, [*opened.notes, *notes])


def _check_usage(source: str | Path, task: str, bad_rows: str, unlabelled: bool, separator: str | None) -> None:
    if separator is not None and not separator.strip():
        raise UsageError(
            "bad-separator",
            say("labels are separated by a character that is seen", "标签之间的分隔符必须是看得见的字符"),
            help="--label-separator ';'",
        )
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
    if task not in ("classify", "tag") and not unlabelled:
        raise UsageError(
            "unknown-task",
            say(
                f"labels are read for the tasks classify and tag, not for '{quoted(task)}'",
                f"目前只为 classify 与 tag 任务读取标签，不支持 '{quoted(task)}'",
            ),
            help="--task classify",
        )
    if not isinstance(source, str | Path) or not str(source):
        raise UsageError(
            "bad-source",
            say(f"{quoted(repr(source))} is not a path", f"{quoted(repr(source))} 不是路径"),
            help='erya.read("reviews.csv")',
        )


# ---- one file ----------------------------------------------------------------------------------------------------


def _looked_at(opened: Opened) -> list[Row | Reject]:
    """The first records: enough to choose columns from, and at least one that is sound if there is one."""
    first: list[Row | Reject] = []
    size, sound = 0, False
    for item in opened.rows:
        first.append(item)
        size += len(item.raw)
        sound = sound or isinstance(item, Row)
        if (sound and (len(first) >= _PEEK_ROWS or size > _PEEK_CHARACTERS)) or len(first) >= _PEEK_REJECTS:
            break
    return first


def _planned(opened: Opened, wish: Wish, notes: list[str], stop: bool) -> tuple[Plan, Iterator[Row | Reject]]:
    """Choose the columns by the first records, and give all records but the header.

    Args:
        opened: the file.
        wish: what the user asked for, or what an earlier file of the same data had.
        notes: gets what was guessed.
        stop: whether bad rows stop the reading: then they are the error to report, and not the columns.
    """
    if opened.format == "conll":
        raise wrong_format(opened)
    first = _looked_at(opened)
    bad = [item for item in first if isinstance(item, Reject)]
    nothing_yet = Plan({}, {}, False)
    if len(bad) == len(first) >= _PEEK_REJECTS:
        raise stopped(opened, bad)
    if (
        bad
        and first[0] is bad[0]
        and (wish.named_columns() or wish.header)
        and wish.header is not False
        and opened.format in ("csv", "tsv")
    ):
        raise stopped(opened, bad[:1])  # the header itself cannot be read
    try:
        plan = choosing.choose(opened.name, opened.format, first, wish, notes) if len(bad) < len(first) else nothing_yet
    except DataError:
        if not (stop and bad):
            raise
        plan = nothing_yet
    items = itertools.chain(first, opened.rows)
    if plan.header:
        next(items)
    return plan, items


# ---- all files ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Collector:
    """Reads the parts one after another; the columns of the first file hold for all that are alike."""

    reading: Reading
    wish: Wish
    stop: bool
    encoding: str | None
    format: str | None
    line_limit: int
    separator: str | None = None
    plan: Plan | None = None
    bare: list[tuple[Part, int, Reject]] = field(default_factory=list)  # rows that say that they have no label

    def part(self, paths: list[Path]) -> Part:
        """All records of some files."""
        part = Part([], None if self.wish.unlabelled else [], None if self.wish.weight is None else [])
        number, empty = 0, True
        for path in paths:
            opened = open_rows(path, format=self.format, encoding=self.encoding, line_limit=self.line_limit)
            empty = empty and opened.empty
            number = self._file(opened, part, number)
        if not part.inputs:
            bad = [reject for reject in self.reading.rejects if not reject.harmless and reject.file == opened.name]
            if bad and len(bad) == number:
                raise stopped(opened, bad, skipping=True)
            raise nothing(paths, number, empty, self.reading.rejects)
        return part

    def _file(self, opened: Opened, part: Part, number: int) -> int:
        """The records of one file into ``part``, numbered from ``number`` + 1; the last number comes back."""
        reading, bad = self.reading, []
        reading.notes.extend(opened.notes)
        plan, items = self._plan(opened)
        take = taker(plan, self.separator)
        for item in items:
            number += 1
            taken = item if isinstance(item, Reject) else take(item)
            reading.rows_in += 1
            if not isinstance(taken, Reject):
                if taken[1] == () and isinstance(item, Row):
                    reject = no_label(item, plan.columns["label"])
                    reject.row, reject.file = number, opened.name
                    self.bare.append((part, len(part), reject))
                _add(part, number, taken)
                reading.used += 1
                continue
            taken.row, taken.file = number, opened.name
            self._reject(taken)
            if self.stop and not taken.harmless:
                bad.append(taken)
                if len(bad) >= MOST_BAD:
                    break
        if bad:
            raise stopped(opened, bad)
        return number

    def _reject(self, reject: Reject) -> None:
        self.reading.rejected += 1
        if len(self.reading.rejects) < KEPT_REJECTS:
            self.reading.rejects.append(reject)

    def settle(self, parts: Mapping[Any, Part], source: str) -> None:
        """Make all targets of one kind: one label among lists is a list of one, among shares the whole share.

        A row that says it has no label teaches something only where others have several: else it is rejected.

        Raises:
            DataError: lists of labels and shares of labels in one data set.
        """
        targets = [target for part in parts.values() for target in part.targets or []]
        kinds: set[Kind] = {kind_of(target) for target in targets if target != ()}
        if {"several", "soft"} <= kinds or ("soft" in kinds and self.bare):
            raise DataError(
                "mixed-targets",
                say(
                    "some rows have lists of labels, others shares of labels: one kind at a time",
                    "有的行是标签列表，有的行是标签份额：只能用一种",
                ),
                where=source,
                help='{"a": 0.5, "b": 0.5}',
            )
        for part in parts.values():
            if part.targets is None:
                continue
            if "several" in kinds:
                part.targets = [labels_of(target) for target in part.targets]
            elif "soft" in kinds:
                part.targets = [{target: 1.0} if isinstance(target, str) else target for target in part.targets]
        if self.bare and "one" in kinds and "several" not in kinds:
            self._reject_bare(parts)

    def _reject_bare(self, parts: Mapping[Any, Part]) -> None:
        for part in parts.values():
            places = {place for owner, place, _ in self.bare if owner is part}
            kept = part.take(place for place in range(len(part)) if place not in places)
            part.inputs, part.targets, part.weights, part.rows = kept.inputs, kept.targets, kept.weights, kept.rows
        for _, _, reject in self.bare:
            self.reading.used -= 1
            self._reject(reject)

    def _plan(self, opened: Opened) -> tuple[Plan, Iterator[Row | Reject]]:
        """Columns for one file: those of the first one, where the format is the same."""
        if self.plan is not None and self.reading.format == opened.format:
            return _planned(opened, self.wish.settled(self.plan), [], self.stop)
        plan, items = _planned(opened, self.wish, self.reading.notes, self.stop)
        if self.plan is None and plan.columns:
            self.plan = plan
            self.reading.encoding, self.reading.format = opened.encoding, opened.format
        return plan, items


def _add(part: Part, number: int, taken: Taken) -> None:
    document, label, weight = taken
    part.inputs.append(document)
    part.rows.append(number)
    if part.targets is not None and label is not None:
        part.targets.append(label)
    if part.weights is not None and weight is not None:
        part.weights.append(weight)
