"""One text as a network reads it and as a person does: what the traces of the network rooms begin and end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from erya.language import say
from erya.parts.answer_shares import independent, probabilities
from erya.parts.long_texts import shown_in_part
from erya.parts.token_batches import Corpus, TokenBatch
from erya.state import Arrays
from erya.tasks import classify
from erya.text.tokenizers import located
from erya.trace import Bars, View

if TYPE_CHECKING:
    from erya.parts.network_classifier import NetworkClassifier


@dataclass(frozen=True, slots=True)
class OneText:
    """A text of T tokens before a network.

    Attributes:
        model: the model's id.
        shown: the text as it is shown.
        tokens: T of them, as the model counts them.
        spans: where each stands in ``shown``.
        corpus: the ids, a corpus of one text.
        classes: (C,) labels.
        several: whether each label is a question of its own.
    """

    model: str
    shown: str
    tokens: Sequence[str]
    spans: Sequence[tuple[int, int]]
    corpus: Corpus
    classes: classify.Labels
    several: bool

    @classmethod
    def of(cls, model: NetworkClassifier, document: classify.Document) -> Self:
        """A text or pair before a fitted model; of more tokens than it reads at once the first ones, with a warning."""
        shown, tokens, spans = located(model.tokenizer_, document)
        most = model.most_tokens
        if len(tokens) > most:
            shown_in_part(len(tokens), most)
        corpus = Corpus([model.vocabulary_.ids(tokens[:most])], len(model.vocabulary_))
        return cls(model.id, shown, tokens[:most], spans[:most], corpus, model.classes_, model.several_)

    @property
    def batch(self) -> TokenBatch:
        """The text as a batch, B = 1."""
        return self.corpus.batch(np.zeros(1, dtype=np.int64))

    @property
    def names(self) -> list[str]:
        """The C labels, to be shown."""
        return [str(label) for label in self.classes.tolist()]

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C,) as ``predict_proba`` gives them, from logits (C,)."""
        found: NDArray[np.float64] = (independent if self.several else probabilities)(logits[None])[0]
        return found

    def answer(self, logits: NDArray[np.float64]) -> tuple[Arrays, list[View]]:
        """The last arrays and pictures of every trace: logits (C,) and probabilities (C,)."""
        shares = self.probabilities(logits)
        views: list[View] = [
            Bars(say("logits", "未归一化得分"), self.names, logits),
            Bars(say("probabilities", "概率"), self.names, shares, percent=True),
        ]
        return {"logits": logits, "probabilities": shares}, views
