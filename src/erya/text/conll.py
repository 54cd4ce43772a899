"""CoNLL files: a token a line with its columns, a blank line after each sentence. Any column, tabs or blanks, CoNLL-U too.

What stands in such files beside sentences is left out: ``-DOCSTART-`` lines, comments, and in CoNLL-U the ranges of
multi-word tokens and the empty nodes of enhanced trees. A sentence with one bad line is rejected whole, at its first line.

Here lines are read one by one; ``conll_blocks.py`` reads usual sentences whole and hands the others over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from erya.errors import quoted
from erya.language import say
from erya.text.dataset import Reject
from erya.text.readers import RAW, Row, Text, reject_of
from erya.text.sentences import Offsets

SENTENCE_LINES = 100_000
_COMMENT = re.compile(r"#\s*[\w:.-]+\s*=|#\s*newdoc|#\s*newpar")
_TEXT = re.compile(r"#\s*text\s*=\s?(.*)")
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
_BLANKS = re.compile(r"[ \t]+")
UNIVERSAL_COLUMNS = 10


@dataclass(slots=True)
class Layout:
    """Which columns are wanted, and what a file turned out to be.

    Attributes:
        tokens: 0-based column of the token; None: the first one, of CoNLL-U the second.
        tags: 0-based column of the tag; None: the last one, of CoNLL-U the fourth (universal part of speech).
        untagged: whether lines of one column will do.
        tabs: lines whose columns are separated by tabs.
        blanks: lines whose columns are separated by blanks.
        universal: lines of CoNLL-U.
        unclosed: whether the last sentence had no blank line after it.
        widths: how many sentences have how many columns.
    """

    tokens: int | None = None
    tags: int | None = None
    untagged: bool = False
    tabs: int = 0
    blanks: int = 0
    universal: int = 0
    unclosed: bool = False
    widths: Counter[int] = field(default_factory=Counter)

    def saw(self, columns: int, lines: int, *, tabs: bool) -> None:
        """Account for a sentence of one separator."""
        self.widths[columns] += 1
        self.tabs += tabs * lines
        self.blanks += (not tabs and columns > 1) * lines


Tagged = tuple[list[str], list[str], tuple[str, Offsets] | None]


def sentences(source: Iterator[Text], layout: Layout | None = None) -> Iterator[Row | Reject]:
    """Rows with ``values`` of tokens, tags and, where the file says it, the text with the tokens' places in it."""
    layout = Layout() if layout is None else layout
    sentence: list[Text] = []
    text: str | None = None
    for line in source:
        if line.reject is None and not line.text.strip():
            if sentence:
                yield _sentence(sentence, text, layout)
            sentence, text = [], None
        elif line.reject is None and line.text[0] == "#" and line.text[1:2] != "\t" and _COMMENT.match(line.text):
            told = _TEXT.match(line.text)
            text = told[1] if told else text
        elif line.reject is not None or line.text[0] != "-" or not line.text.startswith("-DOCSTART-"):
            sentence.append(line)
            if len(sentence) > SENTENCE_LINES:
                yield reject_of("bad-conll", say("a sentence without end", "句子没有结尾"), sentence[0].line, "")
                sentence, text = [], None
    if sentence:
        layout.unclosed = True
        yield _sentence(sentence, text, layout)


def _columns(text: str) -> tuple[list[str], bool]:
    """The columns of a line, and whether tabs separate them; a line without tabs is cut at blanks."""
    if "\t" in text:
        found = text.split("\t")
        if len(found) > 2 and not found[-1]:
            found.pop()  # a tab at the end of the line
        return found, True
    return [column for column in _BLANKS.split(text) if column], False


def _sentence(lines: list[Text], text: str | None, layout: Layout) -> Row | Reject:
    first = lines[0].line
    raw = "\n".join(line.text for line in lines)
    for line in lines:
        if line.reject is not None:
            bad = line.reject
            return Reject(0, bad.reason, raw[:RAW], bad.code, first.number, bad.byte, summary=bad.summary)
    rows = [_columns(line.text) for line in lines]
    while len(rows) > 1 and lines[0].text.startswith("#") and len(rows[0][0]) != len(rows[-1][0]):
        lines, rows = lines[1:], rows[1:]  # a comment of no known form
    tokens: list[str] = []
    tags: list[str] = []
    glued: list[bool] = []
    widths = {len(columns) for columns, _ in rows}
    if len(widths) > 1 and layout.tags is None and not layout.untagged:
        return _ragged(lines, [len(columns) for columns, _ in rows], raw)
    layout.widths[max(widths)] += 1
    for line, (columns, tabs) in zip(lines, rows, strict=True):
        universal = tabs and len(columns) == UNIVERSAL_COLUMNS and _NUMBER.fullmatch(columns[0]) is not None
        if universal and not columns[0].isdigit():
            continue
        layout.tabs, layout.blanks = layout.tabs + tabs, layout.blanks + (not tabs and len(columns) > 1)
        layout.universal += universal
        pair = _pair(columns, universal, layout)
        if isinstance(pair, str):
            return reject_of("bad-conll", pair, line.line, raw)
        tokens.append(pair[0])
        tags.append(pair[1])
        glued.append(universal and "SpaceAfter=No" in columns[-1])
    if not tokens:
        return reject_of("bad-conll", say("a sentence without tokens", "句子里没有词"), first, raw)
    return Row(first.number, first.start, (tokens, tags, _placed(tokens, text, glued)), raw)


def _ragged(lines: list[Text], widths: list[int], raw: str) -> Reject:
    """Which of its columns is a line's last one, and what is between, nobody can know."""
    usual = min(Counter(widths).items(), key=lambda item: (-item[1], item[0]))[0]
    place = widths.index(1) if 1 in widths else next(at for at, width in enumerate(widths) if width != usual)
    if widths[place] == 1:
        reason = say("a token without a tag", "词后没有标记")
    else:
        reason = say(
            f"{widths[place]} columns where other lines of the sentence have {usual}",
            f"这一行有 {widths[place]} 列，句中其他行是 {usual} 列",
        )
    return reject_of("bad-conll", reason, lines[place].line, raw)


def _pair(columns: Sequence[str], universal: bool, layout: Layout) -> tuple[str, str] | str:
    """Token and tag of a line, or what is wrong with it."""
    token = layout.tokens if layout.tokens is not None else 1 if universal else 0
    tag = layout.tags if layout.tags is not None else 3 if universal else len(columns) - 1
    if layout.untagged and len(columns) == 1:
        tag = 0
    elif len(columns) < 2:
        return say("a token without a tag", "词后没有标记")
    for column in (token, tag):
        if column >= len(columns):
            return say(
                f"there are {len(columns)} columns, not {column + 1}", f"只有 {len(columns)} 列，没有第 {column + 1} 列"
            )
    if not columns[token] or not columns[tag].strip():
        return say("a token without a tag", "词后没有标记") if columns[token] else say("an empty token", "空词")
    return columns[token], columns[tag].strip()


def _placed(tokens: list[str], text: str | None, glued: list[bool]) -> tuple[str, Offsets] | None:
    """The text and where the tokens stand in it: as a comment says it, else as ``SpaceAfter=No`` tells; None: unknown."""
    if text is None and any(glued):
        text = "".join(token + ("" if close else " ") for token, close in zip(tokens, glued, strict=True)).rstrip(" ")
    if text is None:
        return None
    places: list[tuple[int, int]] = []
    reached = 0
    for token in tokens:
        start = text.find(token, reached)
        if start < 0 or text[reached:start].strip():
            return None
        reached = start + len(token)
        places.append((start, reached))
    return (text, tuple(places)) if not text[reached:].strip() else None


def column_number(name: str) -> int | None:
    """A column told by its number from 1, as 0-based; None: the name is no such number."""
    return int(name) - 1 if name.isdigit() and 1 <= int(name) <= 1000 else None


def notes_on(layout: Layout, name: str) -> list[str]:
    """What a reader should say of a file after reading it."""
    found = []
    name = quoted(name)
    if layout.tabs and layout.blanks:
        found.append(
            say(
                f"{name}: {layout.blanks:,} lines have their columns separated by blanks, {layout.tabs:,} by tabs; both were read",
                f"{name}：{layout.blanks:,} 行以空格分列，{layout.tabs:,} 行以制表符分列；两种都已读取",
            )
        )
    if len(layout.widths) > 1 and layout.tags is None:
        told = ", ".join(f"{count:,} × {width}" for width, count in layout.widths.most_common(4))
        found.append(
            say(
                f"{name}: sentences differ in their number of columns ({told}); the last one was taken for the tag",
                f"{name}：各句列数不同（{told}），均取最后一列为标签",
            )
        )
    if layout.unclosed:
        found.append(
            say(
                f"{name}: no blank line after the last sentence; it was read all the same",
                f"{name}：最后一个句子后面没有空行，照样读取",
            )
        )
    if layout.universal and (layout.tokens, layout.tags) == (None, None):
        found.append(say(f"{name}: CoNLL-U, tags are column 4 (UPOS)", f"{name}：CoNLL-U 格式，标签取第 4 列（UPOS）"))
    return found
