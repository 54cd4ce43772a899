"""Spans in characters as tags of tokens, and back: what JSONL, brat and Doccano hold against what a tagger learns.

A span that ends inside a token cuts this token in two: nothing of the annotation is lost. Spans that overlap cannot be told
by tags and are refused, as are those that lie outside of their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from erya.errors import quoted
from erya.language import say
from erya.text.sentences import Sentence


class TextSpan(NamedTuple):
    """A labelled piece of a text: ``text[start:end]``, in characters."""

    start: int
    end: int
    label: str


class SpansError(ValueError):
    """Spans that cannot be. ``code`` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked(spans: Iterable[Any], text: str) -> list[TextSpan]:
    """Spans in the order of the text.

    Args:
        spans: ``(start, end, label)``, or anything with such attributes or keys.
        text: what they lie in.

    Raises:
        SpansError: no such thing as a span, one outside of the text or of no characters, or two that overlap: both are named.
    """
    found = sorted(_span(span) for span in spans)
    for span in found:
        if span.end <= span.start:
            raise SpansError(
                "span-empty",
                say(
                    f"the span {shown(span)} ends where it begins, or before", f"片段 {shown(span)} 的终点不在起点之后"
                ),
            )
        if not 0 <= span.start < span.end <= len(text):
            raise SpansError(
                "span-outside",
                say(
                    f"the span {shown(span)} lies outside of the text, which has {len(text):,} characters",
                    f"片段 {shown(span)} 超出文本范围（共 {len(text):,} 个字符）",
                ),
            )
    for before, span in pairwise(found):
        if span.start < before.end:
            first, second = (f"{shown(one)} “{quoted(text[one.start : one.end], 30)}”" for one in (before, span))
            raise SpansError(
                "spans-overlap", say(f"the spans {first} and {second} overlap", f"片段 {first} 与 {second} 重叠")
            )
    return found


def shown(span: TextSpan) -> str:
    """A span for messages: ``PER 3:7``."""
    return f"{quoted(span.label, 30)} {span.start}:{span.end}"


def _span(span: Any) -> TextSpan:
    if isinstance(span, dict):
        values: Any = tuple(span.get(name) for name in ("start", "end", "label"))
    elif hasattr(span, "label"):
        values = (span.start, span.end, span.label)
    else:
        values = tuple(span) if isinstance(span, list | tuple) else ()
    if len(values) >= 3 and isinstance(values[2], str) and values[2].strip():
        start, end = values[:2]
        if all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end)):
            return TextSpan(start, end, values[2].strip())
    raise SpansError(
        "not-a-span",
        say(
            f"{quoted(repr(span), 60)} is no span: (start, end, label), two whole numbers and a name",
            f"{quoted(repr(span), 60)} 不是片段：应为 (起点, 终点, 标签)，即两个整数和一个名字",
        ),
    )


def spans_to_tags(sentence: Sentence, spans: Iterable[Any]) -> tuple[Sentence, list[str]]:
    """IOB2 tags for the spans of a text, and the sentence cut where a span begins or ends inside a token.

    Blanks at the ends of a span count for nothing; a span without any token in it gets one of its own.

    Raises:
        SpansError: see ``checked``.
    """
    wanted = checked(spans, sentence.text)
    offsets = _cut(sentence.offsets, wanted, sentence.text)
    tags, place = ["O"] * len(offsets), 0
    for span in wanted:
        while place < len(offsets) and offsets[place][0] < span.start:
            place += 1
        letter = "B"
        while place < len(offsets) and offsets[place][1] <= span.end:
            tags[place] = f"{letter}-{span.label}"
            letter, place = "I", place + 1
    if offsets == list(sentence.offsets):
        return sentence, tags
    return Sentence.cut(sentence.text, offsets), tags


def _cut(offsets: Sequence[tuple[int, int]], spans: list[TextSpan], text: str) -> list[tuple[int, int]]:
    """The tokens, cut at all ends of spans; what a tokenizer left out of a span is a token, too."""
    found: list[tuple[int, int]] = []
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    place = 0
    for start, end in offsets:
        while place < len(edges) and edges[place] <= start:
            place += 1
        while place < len(edges) and edges[place] < end:
            found.append((start, edges[place]))
            start, place = edges[place], place + 1
        found.append((start, end))
    covered = {start for start, _ in found}
    missing = [(span.start, span.end) for span in spans if covered.isdisjoint(range(span.start, span.end))]
    return sorted([*found, *missing]) if missing else found


def tags_to_spans(sentence: Sentence, tokens: Iterable[tuple[int, int, str]]) -> list[TextSpan]:
    """Spans of tokens ``(first, end, label)`` as spans of the sentence's text."""
    return [TextSpan(sentence.offsets[first][0], sentence.offsets[end - 1][1], label) for first, end, label in tokens]
