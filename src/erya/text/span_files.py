"""Texts with spans: JSON lines as people write them, exports of Doccano, and brat's pairs of .txt and .ann.

A JSON row has a text and spans, or tokens and tags. A span is ``[start, end, label]`` or an object with such keys, in
characters of the text. Doccano: ``{"text": …, "label": [[0, 2, "PER"]]}``, or with relations ``"entities": [{"start_offset":
…, "end_offset": …, "label": …}]``. CLUENER: ``{"text": …, "label": {"PER": {"Ada": [[0, 2]]}}}``, ends included.
brat: lines ``T1<tab>PER 0 5<tab>text`` of an .ann file point into its .txt file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from erya.errors import DataError, quoted
from erya.language import say
from erya.text.dataset import Reject
from erya.text.files import blocks
from erya.text.readers import RAW, Row
from erya.text.sentences import Sentence
from erya.text.span_tags import SpansError, TextSpan, checked, shown, spans_to_tags
from erya.text.tokenizers import Tokenizer

Sample = tuple[Sentence, list[str] | None]

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("tags", "ner_tags", "pos_tags", "labels", "label")
TEXT_KEYS = ("text", "sentence", "content", "data")
SPAN_KEYS = ("spans", "entities", "label", "labels", "annotations")
_STARTS = ("start", "start_offset", "begin")
_ENDS = ("end", "end_offset", "stop")
_LABELS = ("label", "type", "entity", "entity_group", "tag")
_MOST_BYTES = 1 << 28  # of one brat document
_BOUND = re.compile(r"(T\S*)\t(\S+) (\d+) (\d+)((?:;\d+ \d+)*)(?:\t(.*))?")


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys of JSON rows are wanted; None: the first known one that a row has."""

    text: str | None = None
    tokens: str | None = None
    tags: str | None = None

    def of(self, row: dict[str, Any], told: str | None, known: Sequence[str]) -> str | None:
        return (told if told in row else None) if told is not None else next((key for key in known if key in row), None)


# ---- JSON lines -----------------------------------------------------------------------------------------------------


def sample(row: Row, keys: Keys, tokenizer: Tokenizer, *, tagged: bool = True) -> Sample | Reject:
    """A JSON row as a sentence and its tags (None where none are asked for), or why it is none.

    Args:
        row: with a dict.
        keys: which of its keys.
        tokenizer: cuts texts.
        tagged: whether tags are asked for.
    """
    values: dict[str, Any] = row.values
    tokens = keys.of(values, keys.tokens, TOKEN_KEYS)
    if tokens is not None and keys.text is None:
        return _of_tokens(row, values[tokens], keys, tagged)
    text = keys.of(values, keys.text, TEXT_KEYS)
    if text is None or not isinstance(values[text], str):
        missing = keys.text or keys.tokens or say("text or tokens", "文本或词")
        return _reject(row, "empty-text", say(f"no '{quoted(missing)}' in this row", f"这一行没有“{quoted(missing)}”"))
    sentence = Sentence.cut(values[text], tokenizer.spans(values[text]))
    if not tagged:
        return sentence, None
    key = next(
        (key for key in SPAN_KEYS if keys.tags is None and values.get(key)), None
    )  # the first one that says something
    key = key or keys.of(values, keys.tags, SPAN_KEYS)
    if key is None or not isinstance(values[key], list | dict):
        name = quoted(key or keys.tags or "spans")
        return _reject(row, "no-spans", say(f"'{name}' is no list of spans", f"“{name}”不是片段列表"))
    try:
        told = values[key]
        found = _by_type(told, sentence.text) if isinstance(told, dict) else [_span(span) for span in told]
        return spans_to_tags(sentence, found)
    except SpansError as error:
        return _reject(row, error.code, str(error))


def _of_tokens(row: Row, tokens: Any, keys: Keys, tagged: bool) -> Sample | Reject:
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        return _reject(row, "not-tokens", say("the tokens are no list of words", "词的列表无效"))
    if not tagged:
        return Sentence(tokens), None
    key = keys.of(row.values, keys.tags, TAG_KEYS)
    tags = row.values[key] if key is not None else None
    name = quoted(key or keys.tags or "tags")
    if isinstance(tags, list) and tags and all(isinstance(tag, int) for tag in tags):
        reason = say(f"'{name}' holds numbers; the tags' names are asked for", f"“{name}”里是编号；这里需要标签的名字")
        return _reject(row, "no-tags", reason)
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        return _reject(row, "no-tags", say(f"'{name}' is no list of tags", f"“{name}”不是标签列表"))
    if len(tags) != len(tokens):
        return _reject(
            row,
            "lengths-differ",
            say(
                f"{len(tokens)} {_plural('token', len(tokens))} but {len(tags)} {_plural('tag', len(tags))}",
                f"{len(tokens)} 个词却有 {len(tags)} 个标签",
            ),
        )
    return Sentence(tokens), tags


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def _by_type(found: dict[str, Any], text: str) -> list[TextSpan]:
    """Spans as CLUENER writes them: type → the words themselves → places, whose ends are included.

    The words tell whether a place is right, and so do they where somebody wrote ends that are not included.

    Raises:
        SpansError: another shape, or a place at which other words stand.
    """
    spans: list[TextSpan] = []
    for label, words in found.items():
        for word, places in words.items() if isinstance(words, dict) else [(None, None)]:
            if not isinstance(places, list) or not all(map(_is_place, places)):
                raise SpansError(
                    "not-a-span",
                    say(
                        f"'{quoted(label, 30)}': {quoted(repr(words), 60)} is not of the form {{words: [[start, end]]}}",
                        f"“{quoted(label, 30)}”：{quoted(repr(words), 60)} 不是 {{词: [[起点, 终点]]}} 的形式",
                    ),
                )
            for start, last in places:
                end = next((end for end in (last + 1, last) if start >= 0 and text[start:end] == word), None)
                if end is None:
                    there = quoted(text[max(0, start) : max(0, last + 1)], 30)
                    raise SpansError(
                        "span-differs",
                        say(
                            f"{quoted(label, 30)} [{start}, {last}] is '{there}', not '{quoted(word, 30)}'",
                            f"{quoted(label, 30)} [{start}, {last}] 处是“{there}”，不是“{quoted(word, 30)}”",
                        ),
                    )
                spans.append(TextSpan(start, end, label))
    return spans


def _is_place(place: Any) -> bool:
    return isinstance(place, list) and len(place) == 2 and all(type(number) is int for number in place)


def _span(span: Any) -> Any:
    """Whatever an export calls the ends and the label of a span, as ``(start, end, label)``."""
    if not isinstance(span, dict):
        return span
    found = [next((span[name] for name in names if name in span), None) for names in (_STARTS, _ENDS, _LABELS)]
    if isinstance(found[2], list) and len(found[2]) == 1:
        found[2] = found[2][0]
    return tuple(found) if None not in found else span


def _reject(row: Row, code: str, reason: str) -> Reject:
    return Reject(0, reason, row.raw[:RAW], code, row.line, row.start)


# ---- brat -------------------------------------------------------------------------------------------------------------


def brat_pairs(source: Path) -> list[tuple[Path, Path]] | None:
    """The (.txt, .ann) pairs behind a folder or either file of a pair; None: it is not brat."""
    if source.is_dir():
        found = [(path.with_suffix(".txt"), path) for path in sorted(source.glob("*.ann"))]
        return [(text, notes) for text, notes in found if text.is_file()] or None
    both = source.with_suffix(".txt"), source.with_suffix(".ann")
    return [both] if source.suffix in (".txt", ".ann") and all(path.is_file() for path in both) else None


@dataclass(slots=True)
class Ignored:
    """What of .ann files tags cannot say: relations, events, attributes, notes."""

    lines: int = 0


def brat(
    text_path: Path, notes_path: Path, tokenizer: Tokenizer, ignored: Ignored
) -> Iterator[tuple[Row, Sample | Reject]]:
    """Each line of a document as a sentence with its tags; lines that one span joins are one sentence.

    Raises:
        DataError: a file is not UTF-8, or too large.
    """
    text, notes = _whole(text_path), _whole(notes_path)
    spans: list[Noted] = []
    for number, line in enumerate(notes.split("\n"), 1):
        line = line.rstrip("\r")
        if not line.startswith("T"):
            ignored.lines += bool(line.strip())
            continue
        match = _BOUND.fullmatch(line)
        where = Row(number, 0, None, line)
        if match is None:
            yield (
                where,
                _reject(where, "bad-brat", say("no line such as T1⇥PER 0 5⇥text", "不是 T1⇥PER 0 5⇥文本 这样的行")),
            )
            continue
        places = [int(place) for place in re.findall(r"\d+", f"{match[3]} {match[4]}{match[5]}")]
        problem = _brat_problem(TextSpan(places[0], places[1], match[2]), match[5], match[6], text)
        span = TextSpan(min(places), max(places), match[2])
        if problem is not None and not span.start < span.end <= len(text):
            yield where, _reject(where, *problem)
        else:
            spans.append(Noted(span, number, problem))
    spans.sort(key=lambda one: (one.span, one.line))
    yield from _lines(text, spans, tokenizer)


class Noted(NamedTuple):
    """A span of an .ann file, its line there, and why tags cannot say it: a code and a reason."""

    span: TextSpan
    line: int
    problem: tuple[str, str] | None


def _brat_problem(span: TextSpan, more: str, told: str | None, text: str) -> tuple[str, str] | None:
    """Why tags cannot say a span; the sentence that it lies in is then left out whole, since its tags would be wrong."""
    if more:
        return "span-in-pieces", say(
            f"the span {shown(span)} is in several pieces, which tags cannot say",
            f"片段 {shown(span)} 由几段组成，标签无法表示",
        )
    try:
        checked([span], text)
    except SpansError as error:
        return error.code, str(error)
    there = text[span.start : span.end]
    if told is not None and re.split(r"\s+", told.strip()) != re.split(r"\s+", there.strip()):
        return "span-differs", say(
            f"at {shown(span)} stands '{quoted(there, 30)}', not '{quoted(told, 30)}': offsets count characters",
            f"{shown(span)} 处是“{quoted(there, 30)}”，不是“{quoted(told, 30)}”：偏移量应按字符计",
        )
    return None


def _lines(text: str, spans: list[Noted], tokenizer: Tokenizer) -> Iterator[tuple[Row, Sample | Reject]]:
    """Sentences between line ends that no span crosses."""
    place = 0
    start, number = 0, 1
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        here: list[Noted] = []
        while place < len(spans) and spans[place].span.start < end:
            here.append(spans[place])
            while spans[place].span.end > end:  # the span goes on in the next line
                end = text.find("\n", end + 1)
                end = len(text) if end < 0 else end
            place += 1
        piece = text[start:end].rstrip("\r")
        if piece.strip():
            row = Row(number, start, None, piece)
            moved = [TextSpan(one.span.start - start, one.span.end - start, one.span.label) for one in here]
            lost = next((one for one in here if one.problem is not None), None)
            if lost is not None and lost.problem is not None:
                noted = Row(lost.line, 0, None, piece)
                yield noted, _reject(noted, *lost.problem)
            else:
                yield row, _tagged(row, Sentence.cut(piece, tokenizer.spans(piece)), moved, [one.line for one in here])
        number += text.count("\n", start, end + 1)
        start = end + 1


def _tagged(row: Row, sentence: Sentence, spans: list[TextSpan], lines: list[int]) -> Sample | Reject:
    try:
        return spans_to_tags(sentence, spans)
    except SpansError as error:
        noted = Row(lines[0], 0, None, row.raw)
        told = say(f"lines {', '.join(map(str, lines))}", f"第 {'、'.join(map(str, lines))} 行")
        return _reject(noted, error.code, f"{error} ({told})")


def _whole(path: Path) -> str:
    raw = bytearray()
    for block in blocks(path):
        raw += block
        if len(raw) > _MOST_BYTES:
            raise DataError(
                "file-too-large",
                say(
                    f"{quoted(path.name)} is larger than a document of brat may be",
                    f"{quoted(path.name)} 超过 brat 文档的大小上限",
                ),
                where=quoted(path, 200),
            )
    try:
        return bytes(raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            "bad-encoding",
            say(f"{quoted(path.name)} is not UTF-8", f"{quoted(path.name)} 不是 UTF-8 编码"),
            where=say(f"{quoted(path, 200)}, byte {error.start}", f"{quoted(path, 200)}，第 {error.start} 字节"),
            help=f"iconv -f gb18030 -t utf-8 {quoted(path.name)}",
        ) from error
