"""What a tagger answers: for each sentence its tags, and the spans that they tell, in characters of the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.text.sentences import Offsets, Sentence
from erya.text.tag_schemes import Flat, converted, detect, spans


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled piece of a text.

    Attributes:
        start: its first character.
        end: the character behind its last one.
        label: its type; ``""`` where spans have none (words).
        text: ``sentence.text[start:end]``.
    """

    start: int
    end: int
    label: str
    text: str

    def to_plain(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "label": self.label, "text": self.text}


class Tagging(list[str]):
    """The tags of one sentence, a list of T strings, that know the sentence.

    Attributes:
        sentence: its tokens, with ``.text`` and ``.offsets``.
        scheme: of the tags.
    """

    sentence: Sentence
    scheme: str

    def __init__(self, tags: Iterable[str], sentence: Sentence, scheme: str) -> None:
        super().__init__(tags)
        self.sentence = sentence
        self.scheme = scheme

    def __reduce__(self) -> tuple[object, ...]:
        return Tagging, (list(self), self.sentence, self.scheme)

    @property
    def tokens(self) -> list[str]:
        """The T tokens."""
        return list(self.sentence)

    @property
    def text(self) -> str:
        """What the tokens were cut from, or, where tokens were given, they themselves joined."""
        return self.sentence.text

    @property
    def offsets(self) -> Offsets:
        """Where each token stands in ``text``."""
        return self.sentence.offsets

    @property
    def token_spans(self) -> list[tuple[int, int, str]]:
        """``(first, end, label)`` in tokens; none where the tags tell no spans."""
        return token_spans([self], self.scheme)[0]

    @property
    def spans(self) -> list[Span]:
        """The spans in characters: ``text[span.start:span.end] == span.text``."""
        places, text = self.offsets, self.text
        return [
            Span(places[first][0], places[end - 1][1], label, text[places[first][0] : places[end - 1][1]])
            for first, end, label in self.token_spans
        ]

    def to_plain(self) -> dict[str, Any]:
        """``{"tokens", "tags", "spans"}`` as JSON data."""
        return {"tokens": self.tokens, "tags": list(self), "spans": [span.to_plain() for span in self.spans]}


def token_spans(sequences: Sequence[Sequence[str]], scheme: str | None = None) -> list[list[tuple[int, int, str]]]:
    """For each sentence the spans that its tags tell, ``(first, end, label)`` in tokens, read as conlleval reads them.

    Args:
        sequences: tags of each sentence.
        scheme: ``"none"``: no spans; any other name: as the tags' letters say; None: found out.
    """
    flat = Flat.of(sequences)
    if (scheme or detect(flat)) == "none":
        return [[] for _ in range(len(flat))]
    return spans(flat).of_sentence(flat.starts)


def answers(
    sentences: Sequence[Sentence],
    paths: Sequence[Any] | NDArray[np.int64],
    classes: Any,
    scheme: str,
    data_scheme: str,
) -> list[Tagging]:
    """A tagger's answers from its numbers.

    Args:
        sentences: N sentences.
        paths: for each of them (T,) indices into ``classes``; or those of all sentences one after the other, (L,).
        classes: (C,) tags in ``scheme``.
        scheme: what the model learned in.
        data_scheme: what the answer shall be in.

    Returns:
        N taggings.
    """
    starts = np.zeros(len(sentences) + 1, dtype=np.int64)
    np.cumsum([len(sentence) for sentence in sentences], out=starts[1:])
    if isinstance(paths, np.ndarray) and paths.ndim == 1 and paths.dtype != object:
        codes = paths.astype(np.int64, copy=False)
    else:
        codes = np.concatenate([np.zeros(0, dtype=np.int64), *(np.asarray(path, dtype=np.int64) for path in paths)])
    flat = Flat(codes, starts, [str(name) for name in np.asarray(classes).tolist()])
    if scheme != data_scheme:
        told: Any = data_scheme
        flat = converted(flat, told)
    return [Tagging(tags, sentence, data_scheme) for tags, sentence in zip(flat.lists(), sentences, strict=True)]
