"""Reading ARPA files, which may be damaged or hostile: nothing is believed, nothing is held that did not come.

What is refused: counts that are not those of the lines, or that the file is too short for; NaN, log10 p above 0; an n-gram twice, or
without its context; units that the unigrams do not name; ``<s>`` behind something, ``</s>`` before something; lines without end. See
``arpa.py`` for the format. An n-gram without its suffix is sound: models pruned by entropy have them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from erya import strict_json
from erya.errors import ModelFileError, quoted
from erya.language import say
from erya.models.ngram import kernels
from erya.models.ngram.arpa import BEGIN, BLANK, END, STRANGE, ZERO, escapes, plain
from erya.models.ngram.counting import MOST
from erya.models.ngram.tree import Tree
from erya.progress import Report
from erya.text import files, units
from erya.text.unit_ids import BORDER, SPECIALS, UNKNOWN, UnitVocabulary

LONGEST = 1 << 20  # bytes of a line, and of what stands before the data
HIGHEST = 100  # order
BESIDE = 1 << 28  # bytes of the tokenizer's file
Floats = NDArray[np.float64]
Ids = NDArray[np.int32]


def read(path: Path, tokenizer: Any, report: Report) -> tuple[Tree, UnitVocabulary, units.Units]:
    """The model in a file, see ``NGram.from_arpa``."""
    reader = _Reader(path, report)
    for number, lines in _blocks(path):
        reader.take(number, lines)
    names, sections = reader.finished()
    cutter = _cutter(path, tokenizer, names)
    known = [plain(name) for name in names] if escapes(cutter) else names
    if len(set(known)) < len(known):
        raise _bad(path, say("two unigrams name one unit", "两个一元组指同一单元"))
    vocabulary = UnitVocabulary(known, [0] * len(known), set("".join(known)), 0, 0)
    tree = _tree(path, sections, len(vocabulary))
    return Tree.from_arrays(tree.arrays(), len(vocabulary)), vocabulary, cutter


def _bad(path: Path, reason: str, line: int | None = None) -> ModelFileError:
    name = quoted(path.name)
    return ModelFileError(
        "arpa-damaged",
        say(f"{name} is no sound ARPA file: {reason}", f"{name} 不是完好的 ARPA 文件：{reason}"),
        where=name if line is None else f"{name}:{line}",
        help=say("write or download it again", "请重新生成或下载"),
    )


def _blocks(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines, many at once, with the number of the first."""
    kept, number = b"", 1
    for block in chain(files.blocks(path), [b"\n"]):
        *lines, kept = (kept + block).split(b"\n")
        if len(kept) > LONGEST:
            raise _bad(path, say("a line without end", "一行过长"), number + len(lines))
        yield number, lines
        number += len(lines)


class _Section:
    """What came of one order."""

    def __init__(self, size: int) -> None:
        self.size = size  # as the head says
        self.found = 0
        self._parts: list[tuple[Ids, Floats, Floats]] = []

    def add(self, ids: Ids, logs: Floats, weights: Floats) -> None:
        self.found += len(ids)
        self._parts.append((ids, logs, weights))

    def joined(self, order: int) -> tuple[Ids, Floats, Floats]:
        """(N, order) ids, (N,) ln p, (N,) ln of the weights."""
        nothing = (np.empty((0, order), dtype=np.int32), np.empty(0), np.empty(0))
        ids, logs, weights = (np.concatenate(parts) for parts in zip(nothing, *self._parts, strict=True))
        return ids, logs, weights


class _Reader:
    """Goes through the lines: −1 before the data, 0 in the head, then the order that is read, at last ``end``."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path, self.report = path, report
        self.place, self.before, self.ended = -1, 0, False
        self.sections: list[_Section] = []
        self.names: list[str] = []
        self.numbers: dict[bytes, int] = {}

    def refuse(self, reason: str, line: int | None = None) -> NoReturn:
        raise _bad(self.path, reason, line)

    def take(self, number: int, lines: list[bytes]) -> None:
        """Some lines, the first of which has this number."""
        start = 0
        marks = [place for place, line in enumerate(lines) if line.startswith(b"\\")]
        for end in [*marks, len(lines)]:
            if end > start and not self.ended:
                self._body(number + start, lines[start:end])
            if end < len(lines) and not self.ended:
                self._mark(number + end, lines[end].strip())
            start = end + 1

    def _mark(self, number: int, mark: bytes) -> None:
        if self.place >= 1:
            self._close(number)
        last = self.place == len(self.sections)
        if mark == b"\\data\\" and self.place == -1:
            self.place = 0
        elif mark == b"\\end\\" and self.place >= 1 and last:
            self.ended = True
        elif mark == b"\\%d-grams:" % (self.place + 1) and self.place >= 0 and not last:
            if self.place == 0:
                self._check_head(number)
            self.place += 1
            self.report.progress(epoch=1, epochs=1, done=0.9 * (self.place - 1) / len(self.sections))
        elif self.place >= 0:
            self.refuse(say(f"{quoted(mark.decode('utf-8', 'replace'), 40)} is out of place", "节的次序不对"), number)

    def _close(self, number: int | None) -> None:
        section = self.sections[self.place - 1]
        if section.found != section.size:
            told = f"{section.size:,}", f"{section.found:,}"
            self.refuse(
                say(
                    f"{told[0]} n-grams of order {self.place} are told, {told[1]} are there",
                    f"文件头称有 {told[0]} 个 {self.place} 元组，实有 {told[1]} 个",
                ),
                number,
            )
        if self.place == 1:
            self._check_unigrams()

    def _check_head(self, number: int) -> None:
        if not self.sections or not self.sections[0].size:
            self.refuse(say("it tells of no unigrams", "没有一元组"), number)
        total = sum(section.size for section in self.sections)
        least = sum(section.size * (2 * order + 2) for order, section in enumerate(self.sections, 1))
        size = None if files.packing(self.path) else self.path.stat().st_size
        if total > MOST or (size is not None and least > size):
            self.refuse(
                say(f"it tells of {total:,} n-grams, more than it can hold", f"文件头称有 {total:,} 个 n 元组，装不下"),
                number,
            )

    def _body(self, number: int, lines: list[bytes]) -> None:
        if self.place == -1:
            self.before += sum(map(len, lines)) + len(lines)
            if self.before > LONGEST:
                self.refuse(say("there is no \\data\\", "没有 \\data\\"))
        elif self.place == 0:
            for place, line in enumerate(lines):
                if line.strip():
                    self._told(number + place, line)
        else:
            rows = [line.split() for line in lines]
            rows = [row for row in rows if row]
            if rows:
                self._rows(rows, number, lines)

    def _told(self, number: int, line: bytes) -> None:
        found = re.fullmatch(rb"\s*ngram\s+(\d{1,4})\s*=\s*(\d{1,40})\s*", line)
        if found is None or int(found[1]) != len(self.sections) + 1 or len(self.sections) >= HIGHEST:
            self.refuse(say("the head is not 'ngram 1=…', 'ngram 2=…'", "文件头应为 'ngram 1=…'、'ngram 2=…'"), number)
        self.sections.append(_Section(int(found[2])))

    def _rows(self, rows: list[list[bytes]], number: int, lines: list[bytes]) -> None:
        """Lines of the order that is read; where something is wrong with them, it is looked for once more, line by line."""
        order, section = self.place, self.sections[self.place - 1]
        if section.found + len(rows) > section.size:
            self.refuse(
                say(f"more than {section.size:,} n-grams of order {order}", f"{order} 元组多于 {section.size:,} 个"),
                number,
            )
        try:
            parsed = self._parsed(rows)
        except ValueError:
            for place, line in enumerate(lines):
                if line.strip():
                    try:
                        self._parsed([line.split()])
                    except ValueError as error:
                        raise _bad(self.path, str(error), number + place) from error
            raise
        section.add(*parsed)

    def _parsed(self, rows: list[list[bytes]]) -> tuple[Ids, Floats, Floats]:
        order = self.place
        rows = [row if len(row) == order + 2 else [*row, b"0"] for row in rows]
        if any(len(row) != order + 2 for row in rows):
            raise ValueError(
                say(f"{order} units and one or two numbers are expected", f"应为 {order} 个单元和一两个数")
            )
        logs, *words, weights = zip(*rows, strict=True)
        log_probability, log_back_off = _numbers(logs), _numbers(weights)
        if (log_probability > 0).any():
            raise ValueError(say("log10 p is above 0", "log10 p 大于 0"))
        if order == len(self.sections) and log_back_off.any():
            raise ValueError(say("the highest order has no back-off weights", "最高阶没有回退权重"))
        return self._ids(words), log_probability, log_back_off

    def _ids(self, words: list[tuple[bytes, ...]]) -> Ids:
        if self.place == 1:
            begin = len(self.names)
            self.names += [_decoded(word) for word in words[0]]
            return np.arange(begin, len(self.names), dtype=np.int32)[:, None]
        ids = np.empty((len(words[0]), len(words)), dtype=np.int32)
        for column, said in enumerate(words):
            try:
                ids[:, column] = [self.numbers[word] for word in said]
            except KeyError as error:
                name = quoted(error.args[0].decode("utf-8", "replace"), 40)
                raise ValueError(say(f"{name} is no unigram", f"{name} 不是一元组")) from error
        end = len(self.names) + len(SPECIALS)
        if (ids[:, 1:] == BORDER).any() or (ids[:, :-1] == end).any():
            raise ValueError(say("<s> begins an n-gram and </s> ends one", "<s> 只能在开头，</s> 只能在结尾"))
        ids[ids == end] = BORDER
        return ids

    def _check_unigrams(self) -> None:
        """Numbers for the unigrams: 0 the border as a context, one behind all others as what is predicted, 1 the unknown unit."""
        if len(set(self.names)) < len(self.names):
            self.refuse(say("a unigram stands there twice", "有重复的一元组"))
        if END not in self.names:
            self.refuse(say("there is no </s>: no text could end", "没有 </s>：文本无法结束"))
        self.strange = STRANGE if STRANGE in self.names else STRANGE.upper()
        special = {BEGIN: BORDER, END: len(self.names) + len(SPECIALS), self.strange: UNKNOWN}
        number = len(SPECIALS)
        for name in self.names:
            if name in special:
                self.numbers[name.encode()] = special[name]
            else:
                self.numbers[name.encode()] = number
                number += 1

    def finished(self) -> tuple[list[str], list[tuple[Ids, Floats, Floats]]]:
        """The names of the units, special ones left out, and of each order ids, ln p, ln of the weights."""
        if not self.ended:
            self.refuse(say("it ends before \\end\\", "没有 \\end\\，文件不完整"))
        sections = [section.joined(order) for order, section in enumerate(self.sections, 1)]
        while len(sections) > 1 and not len(sections[-1][0]):
            sections.pop()
        special = (BEGIN, END, self.strange)
        others = [name for name in self.names if name not in special]
        _, logs, weights = sections[0]
        known = len(others) + len(SPECIALS)
        log_probability, log_back_off = np.full(known, -np.inf), np.zeros(known)
        for place, name in enumerate(self.names):
            number = self.numbers[name.encode()]
            if name != BEGIN:
                log_probability[BORDER if name == END else number] = logs[place]
            if name != END:
                log_back_off[number] = weights[place]
        sections[0] = np.arange(known, dtype=np.int32)[:, None], log_probability, log_back_off
        return others, sections


def _numbers(told: tuple[bytes, ...]) -> Floats:
    """Natural logarithms of logarithms to the base of 10; −99 and less is the logarithm of 0. Raises ValueError for what is none."""
    try:
        found = np.array(list(map(float, told)))
    except ValueError:
        found = np.array([np.nan])
    if np.isnan(found).any() or (found == np.inf).any() or b"_" in b"".join(told):
        raise ValueError(say("that is no number", "不是数"))
    return np.asarray(np.where(found <= ZERO, -np.inf, found * math.log(10)), dtype=np.float64)


def _decoded(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(say("that is not UTF-8", "不是 UTF-8 编码")) from None


# ---- what cuts texts ----------------------------------------------------------------------------------------------


def _cutter(path: Path, tokenizer: Any, names: list[str]) -> units.Units:
    """As told, as the file beside says, or by the looks of the names."""
    if tokenizer != "auto":
        return units.make(tokenizer, names)
    beside = path.with_name(f"{path.name}.tokenizer.json")
    if beside.is_file():
        try:
            if beside.stat().st_size > BESIDE:
                raise ValueError("too long")
            return units.from_plain(strict_json.decode(beside.read_bytes(), most=10_000_000))
        except (ValueError, KeyError, TypeError) as error:
            raise _bad(beside, str(error)) from error
    read = [plain(name) for name in names]
    if read and all(len(name) == 1 for name in read):
        return units.make("characters", [])
    escaped = any(name.startswith(BLANK) and BLANK not in name[1:] for name in names)
    return units.make("words" if escaped else "whitespace", [])


# ---- the tree -----------------------------------------------------------------------------------------------------


def _tree(path: Path, sections: list[tuple[Ids, Floats, Floats]], known: int) -> Tree:
    """Nodes in the order of their words. Keys: context · V + unit, sorted, of each order but the first."""
    sizes = np.array([len(ids) for ids, _, _ in sections], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    keys: list[NDArray[np.int64]] = [np.arange(known)]
    words, suffixes = [np.arange(known, dtype=np.int32)], [np.full(known, kernels.ROOT, dtype=np.int32)]
    begins, logs, weights = [], [sections[0][1]], [sections[0][2]]
    for order, (ids, log_probability, log_back_off) in enumerate(sections[1:], 2):
        context = _nodes(ids[:, :-1], keys, known)
        missing = np.flatnonzero(context < 0)
        if len(missing):
            raise _bad(
                path,
                say(
                    f"{len(missing):,} {order}-grams lack their context", f"{len(missing):,} 个 {order} 元组缺少上下文"
                ),
            )
        key = context * known + ids[:, -1]
        ordered = np.argsort(key, kind="stable")
        key, ids = key[ordered], ids[ordered]
        if (np.diff(key) == 0).any():
            raise _bad(path, say(f"a {order}-gram stands there twice", f"有重复的 {order} 元组"))
        begins.append(np.searchsorted(context[ordered], np.arange(len(keys[-1]))) + starts[order - 1])
        suffix = np.full(len(ids), -1, dtype=np.int64)
        for dropped in range(1, order):
            open_ = np.flatnonzero(suffix < 0)
            found = _nodes(ids[open_, dropped:], keys, known)
            suffix[open_] = np.where(found < 0, -1, found + starts[order - dropped - 1])
        keys.append(key)
        words.append(ids[:, -1])
        suffixes.append(suffix.astype(np.int32))
        logs.append(log_probability[ordered])
        weights.append(log_back_off[ordered])
    begin = np.concatenate([*begins, starts[-1:]]) if begins else np.zeros(1)
    inner = np.concatenate(weights[:-1]) if len(weights) > 1 else np.zeros(0)
    return Tree(
        sizes, np.concatenate(words), np.concatenate(suffixes), begin.astype(np.int64), np.concatenate(logs), inner
    )


def _nodes(ids: Ids, keys: list[NDArray[np.int64]], known: int) -> NDArray[np.int64]:
    """(N,) numbers within their order of n-grams (N, k), −1 where there is none."""
    node = ids[:, 0].astype(np.int64)
    for place in range(1, ids.shape[1]):
        wanted = node * known + ids[:, place]
        at = np.minimum(np.searchsorted(keys[place], wanted), max(0, len(keys[place]) - 1))
        there = (node >= 0) & (keys[place][at] == wanted) if len(keys[place]) else np.zeros(len(node), dtype=bool)
        node = np.where(there, at, -1)
    return node
