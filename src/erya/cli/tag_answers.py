"""What ``predict`` writes for a tagger: a line of text with its spans marked, or tags and spans as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from erya.cli.options import Texts
from erya.errors import UsageError, quoted
from erya.language import say

LONGEST = 10**9  # nothing of an answer is cut


def refuse_probabilities(asked: bool, path: str) -> None:
    """Raises UsageError for options that ask how probable a label is: a tagger answers whole sentences."""
    if asked:
        raise UsageError(
            "other-task",
            say(
                "a tagger answers tags and spans, without --top or thresholds",
                "标注器回答标签与片段，不支持 --top 或阈值",
            ),
            help=say(
                f"erya show {path} lattice TEXT shows the probabilities", f"erya show {path} lattice 文本 可看概率"
            ),
        )


def rows(where: Any, columns: Texts, format: str | None) -> Iterator[Any]:
    """The sentences of a file, or the texts, one by one."""
    from erya.text.read_tags import stream_tagged

    return stream_tagged(where, text=columns.text, tokens=columns.tokens, encoding=columns.encoding, format=format)


def answers(model: Any, sound: list[tuple[int, Any]]) -> Iterator[dict[str, Any]]:
    """``{"row", "text", "tokens", "tags", "spans"}`` for each (number, sentence or text)."""
    found = model.predict([x for _, x in sound]) if sound else []
    for (number, _), tagging in zip(sound, found, strict=True):
        yield {"row": number, "text": tagging.text, **tagging.to_plain()}


def line(answer: dict[str, Any]) -> str:
    """One line for people: spans as ``[Paris](city)``, words with blanks between, other tags as ``token/TAG``."""
    from erya.text.tag_schemes import parsed

    if any(parsed(name)[0] < 0 for name in answer["tags"]):
        return " ".join(
            f"{_safe(token)}/{_safe(name)}" for token, name in zip(answer["tokens"], answer["tags"], strict=True)
        )
    if answer["spans"] and not any(span["label"] for span in answer["spans"]):
        return " ".join(_safe(span["text"]) for span in answer["spans"])
    pieces, reached = [], 0
    for span in answer["spans"]:
        pieces += [_safe(answer["text"][reached : span["start"]]), f"[{_safe(span['text'])}]({_safe(span['label'])})"]
        reached = span["end"]
    return "".join([*pieces, _safe(answer["text"][reached:])])


def _safe(text: str) -> str:
    """Text that cannot end the line or turn the terminal; blanks at its ends stay."""
    inner = text.strip(" ")
    if not inner:
        return text
    start = len(text) - len(text.lstrip(" "))
    return " " * start + quoted(inner, LONGEST) + " " * (len(text) - start - len(inner))
