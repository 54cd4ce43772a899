"""A trained tagger as the tokenizer of another model: what it finds are the words.

``tokenizer=erya.load("seg.erya")`` is enough; the tagger then lives inside whatever the other model saves. It is asked about many texts at
a time where these are at hand. Not here: training one (``erya train tag/crf segmented.txt``), and dictionaries.
"""

from __future__ import annotations

import functools
import io
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from erya import artefact, catalog, container, nested
from erya.contract import Model
from erya.errors import ModelFileError, UsageError, quoted
from erya.language import say
from erya.tasks import tag
from erya.text.tag_schemes import BEGIN, SINGLE, parsed
from erya.text.tokenizers import Characters, Span, Words, spoken

_BEGINNING = "BSU"  # the letters of tags that begin a word
_FIELDS = {"kind", "lower", "punctuation", "file"}


@dataclass(frozen=True)
class Segmenter:
    """A tokenizer that cuts text where a tagger says that a word begins; white space always parts words.

    Args:
        data: the tagger's ``.erya`` file.
        lower: whether tokens are lower-cased; the tagger reads the text as it is.
        punctuation: False: tokens without a letter, digit or Han character are left out.
    """

    data: bytes = field(repr=False)
    lower: bool = True
    punctuation: bool = True

    @classmethod
    def of(cls, model: Any, *, lower: bool = True) -> Segmenter:
        """From a fitted tagger.

        Raises:
            UsageError: it is not fitted, or what it marks are not words.
        """
        check(model)
        content = artefact.Content(
            model.id, model.plain_params(), model.state(), model.state_version, training={}, card=""
        )
        stream = io.BytesIO()
        artefact.write(stream, content)
        made = cls(stream.getvalue(), lower)
        if len(made.data) > nested.LARGEST:
            size = f"{len(made.data) >> 20} MiB"
            raise UsageError(
                "tagger-too-large",
                say(
                    f"the tagger takes {size}; at most {nested.LARGEST >> 20} MiB fit inside another model",
                    f"这个标注模型有 {size}，嵌入其他模型最多 {nested.LARGEST >> 20} MiB",
                ),
                help="erya train tag/crf DATA --preset small -o seg.erya",
            )
        return made

    @property
    def name(self) -> str:
        """``"tagger"``."""
        return nested.KIND

    @functools.cached_property
    def model(self) -> Any:
        """The tagger, opened when it is first asked."""
        return _opened(self.data)

    # ---- words --------------------------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[str]:
        """The words of ``text``, lower-cased if ``lower``."""
        return next(self.tokens_of_texts([text]))

    def tokens_of_texts(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The words of each of many texts, in their order."""
        asked = [self._asked(text) for text in texts]
        for text, units, answer in zip(texts, asked, self.model.predict(asked), strict=True):
            found = _cut(text, answer) if isinstance(units, str) else _joined(units, answer)
            if self.lower:
                found = [word.lower() for word in found]
            yield found if self.punctuation else [word for word in found if spoken(word)]

    def _asked(self, text: str) -> str | list[str]:
        """The units of a text without white space, which are quicker than their places; else the text."""
        cut = self.model.tokenizer_
        plain = isinstance(cut, Words | Characters) and not cut.lower and cut.punctuation
        return cut.tokens(text) if plain and text.split() == [text] else text

    def spans(self, text: str) -> list[Span]:
        """Where the same words stand in ``text``."""
        (answer,) = self.model.predict([text])
        found = _places(answer)
        return found if self.punctuation else [span for span in found if spoken(text[span[0] : span[1]])]

    # ---- kept -----------------------------------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "tagger", "lower": …, "punctuation": …, "file": …}``, the file as base64."""
        return {
            "kind": nested.KIND,
            "lower": self.lower,
            "punctuation": self.punctuation,
            "file": self._text,
        }

    @functools.cached_property
    def _text(self) -> str:
        return nested.encoded(self.data)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Segmenter:
        """The inverse of ``to_plain``; the file may come from anywhere, and is verified here.

        Raises:
            ValueError: it is damaged, too large, no segmenter, or has another tagger inside.
        """
        if set(plain) != _FIELDS or not all(isinstance(plain[name], bool) for name in ("lower", "punctuation")):
            raise ValueError("not a tagger as a tokenizer")
        if not isinstance(plain["file"], str) or len(plain["file"]) > nested.LARGEST // 3 * 4 + 4:
            raise ValueError("the tagger inside is too large, or missing")
        made = cls(nested.decoded(plain["file"]), plain["lower"], plain["punctuation"])
        try:
            check(made.model)
        except UsageError as problem:
            raise ValueError(problem.message) from problem
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data, "lower": self.lower, "punctuation": self.punctuation}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


# ---- words from tags ---------------------------------------------------------------------------------------------------


def _joined(units: Sequence[str], tags: Sequence[str]) -> list[str]:
    words: list[str] = []
    for unit, name in zip(units, tags, strict=True):
        if name[0] in _BEGINNING or not words:
            words.append(unit)
        else:
            words[-1] += unit
    return words


def _cut(text: str, answer: tag.Tagging) -> list[str]:
    return [text[start:end] for start, end in _places(answer)]


def _places(answer: tag.Tagging) -> list[Span]:
    """Where the words stand: one ends where another begins, and before white space."""
    places = answer.offsets
    starts = [
        number
        for number, name in enumerate(answer)
        if name[0] in _BEGINNING or not number or places[number - 1][1] != places[number][0]
    ]
    return [(places[first][0], places[end - 1][1]) for first, end in pairwise([*starts, len(places)])]


# ---- which models can -----------------------------------------------------------------------------------------------------


def check(model: Any) -> None:
    """Whether a model finds words: every tag is one of a word, and its own tokenizer is no model.

    Raises:
        UsageError: it does not; NotFittedError: nothing yet.
    """
    if not isinstance(model, Model) or model.task() != "tag":
        name = getattr(model, "id", type(model).__name__)
        raise UsageError(
            "not-a-segmenter",
            say(
                f"{quoted(name)} is no tagger, so it cannot cut text into words",
                f"{quoted(name)} 不是标注模型，不能用来分词",
            ),
            help="erya train tag/crf segmented.txt -o seg.erya",
        )
    fitted: Any = model
    names = [str(name) for name in fitted.classes_.tolist()]
    roles = {parsed(name)[0] for name in names}
    if fitted.data_scheme_ in ("none", "iob1") or not roles & {BEGIN, SINGLE} or min(roles) < BEGIN:
        shown = ", ".join(quoted(name, 20) for name in names[:6])
        raise UsageError(
            "not-a-segmenter",
            say(
                f"this {model.id} marks something else than words: its tags are {shown}; those of words are B, M, E, S alone",
                f"这个 {model.id} 标的不是词：标签有 {shown}；分词的标签只有 B、M、E、S",
            ),
            help=say(
                "erya train tag/crf segmented.txt -o seg.erya   # words with blanks between them",
                "erya train tag/crf segmented.txt -o seg.erya   # 词之间以空格分开",
            ),
        )
    if isinstance(fitted.tokenizer_, Segmenter):
        raise UsageError(
            "nested-too-deep",
            say("this tagger has a tagger as its own tokenizer", "这个标注模型自己的分词器就是标注模型"),
            help=say("a segmenter reads characters: --set tokenizer=words", "分词模型逐字读取：--set tokenizer=words"),
        )


def _opened(data: bytes) -> Any:
    """The tagger of a file. Raises ValueError; ResourceError where it needs an extra that is not installed."""
    memory = memoryview(mmap.mmap(-1, max(1, len(data))))  # at a page boundary, as a file would be
    memory[: len(data)] = data
    try:
        content = artefact.content_of(memory[: len(data)].toreadonly())
    except container.Refused as refused:
        raise ValueError(f"{say('the tagger inside', '内嵌的标注模型')}: {refused}") from None
    plain = content.state.data.get("tokenizer")
    if not content.model.startswith("tag/") or (isinstance(plain, dict) and plain.get("kind") == nested.KIND):
        raise ValueError(say("what is inside is no segmenter", "内嵌的不是分词模型"))
    try:
        return catalog.restored(content)
    except ModelFileError as problem:
        raise ValueError(problem.message) from problem


# ---- said -------------------------------------------------------------------------------------------------------------


def tokenizer_facts(plain: Any) -> dict[str, Any] | None:
    """What a file says of its tokenizer, as JSON data; of a tagger its id, tags, size and hash. None: it has none."""
    if not isinstance(plain, dict) or "kind" not in plain:
        return None
    found = {"kind": plain["kind"]}
    found |= {name: plain[name] for name in ("algorithm", "lower", "punctuation") if name in plain}
    if plain["kind"] != nested.KIND:
        return found
    tagger = Segmenter.from_plain(plain)
    found |= {"model": tagger.model.id, "tags": [str(name) for name in tagger.model.classes_.tolist()]}
    return found | {"bytes": len(tagger.data), "sha256": nested.shortened(plain)["sha256"]}


def described(plain: Any) -> str:
    """The same in one line, for people; empty: there is none."""
    facts = tokenizer_facts(plain)
    if facts is None:
        return ""
    name = str(facts["kind"]) + (f" ({facts['algorithm']})" if "algorithm" in facts else "")
    if facts["kind"] == nested.KIND:
        tags = " ".join(quoted(name, 20) for name in facts["tags"][:8])
        inside = say("inside this file", "在本文件内")
        name = f"{facts['model']} ({tags})  {facts['bytes'] / 2**20:.1f} MiB {inside}  sha256 {facts['sha256'][:12]}"
    if facts.get("punctuation") is False:
        name += say("  without punctuation", "  不含标点")
    return name
