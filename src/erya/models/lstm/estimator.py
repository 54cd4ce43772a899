"""A bidirectional LSTM as a classifier: from text to ids and back. The mathematics is in ``network.py``.

Not here: several layers, vectors from elsewhere, several labels for one text.
torch is imported by the methods that need it, so that settings can be listed where it is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.parts.settings import gradient_settings, whole
from erya.parts.torch_mode import need_torch, torch_mode
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.lstm import network
    from erya.parts.token_batches import Corpus
    from erya.trace import Trace


class LSTM(Model):
    """One LSTM reads from the left, one from the right; each unit at its strongest, and a softmax over those.

    Without ``validation`` and with ``patience`` set, a tenth of the training rows (of each class, drawn by ``seed``; none
    of fewer than 100) is held out for early stopping. ``patience=None`` trains all epochs on all rows.

    Args:
        dim: D, width of a word vector.
        hidden_width: H, units of each direction.
        dropout: share of the word vectors' numbers and of the features dropped while learning.
        tokenizer: name or object, see ``text.tokenizers.make``.
        min_count: rarer tokens count as unknown, and so teach what an unknown token means.
        epochs: at most.
        batch_size: texts a step.
        learning_rate: of Adam.
        weight_decay: shrinks the weights at each step, as in AdamW.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a better held-out accuracy after which training ends; None: no early stopping.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        seed: of first weights, order, dropout and held-out rows.

    Attributes:
        classes_: (C,) the labels, sorted.
        tokenizer_, vocabulary_: how text becomes ids.
        network_: the torch module.
        curve_: one row an epoch: loss, and accuracy and loss on the held-out texts.
    """

    id: ClassVar[str] = "classify/lstm"

    def __init__(
        self,
        *,
        dim: int = 256,
        hidden_width: int = 96,
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 10,
        batch_size: int = 128,
        learning_rate: float = 0.002,
        weight_decay: float = 0.0,
        clip_norm: float | None = 5.0,
        patience: int | None = 3,
        class_weight: str | dict[Any, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.hidden_width = hidden_width
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.patience = patience
        self.class_weight = class_weight
        self.seed = seed

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn tokenizer, vocabulary and weights; see ``Model.fit``.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting or weight out of range; a bare string.
            ResourceError: torch is not installed.
            DivergedError: the loss stopped being finite.
            Interrupted: the report asked to stop.
        """
        self._check_settings()
        need_torch(self.id)
        import torch

        from erya.parts.epochs import Plan, learn
        from erya.parts.held_out import corpora

        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight)
        tokenizer = tokenizers.make(self.tokenizer)
        classes = len(examples.classes)
        with torch_mode():
            vocabulary, corpus, listened = corpora(
                examples,
                validation,
                tokenizer,
                min_count=self.min_count,
                patience=self.patience,
                seed=self.seed,
                report=report,
            )
            network = self._network(len(vocabulary), classes, torch.Generator().manual_seed(self.seed))
            plan = Plan(
                classes=classes,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=float(self.learning_rate),
                weight_decay=float(self.weight_decay),
                clip_norm=self.clip_norm,
                patience=self.patience,
                seed=self.seed,
            )
            self.curve_ = learn(network, corpus, listened, plan, report)
        self.classes_, self.tokenizer_, self.vocabulary_, self.network_ = (
            examples.classes,
            tokenizer,
            vocabulary,
            network,
        )
        return self

    def _network(self, vocabulary: int, classes: int, generator: Any = None) -> network.BiLSTM:
        from erya.models.lstm.network import BiLSTM

        return BiLSTM(vocabulary, self.dim, self.hidden_width, classes, self.dropout, generator)

    def _check_settings(self) -> None:
        gradient_settings(self)
        whole("hidden_width", self.hidden_width)

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class; rows sum to 1."""
        self._check_fitted()
        from erya.parts.network_answers import probabilities

        return probabilities(self._logits([self._tokens(document) for document in classify.documents(X)]))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    def _tokens(self, document: classify.Document) -> list[str]:
        return tokenizers.tokens_of(self.tokenizer_, document)

    def _corpus(self, token_lists: Sequence[Sequence[str]]) -> Corpus:
        from erya.parts.token_batches import Corpus

        return Corpus([self.vocabulary_.ids(tokens) for tokens in token_lists], len(self.vocabulary_))

    def _logits(self, token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """(N, C)."""
        from erya.parts.network_answers import logits

        with torch_mode():
            return logits(self.network_, self._corpus(token_lists), len(self.classes_))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: gates, cells and hidden states of both readers at every token, and what decided."""
        self._check_fitted()
        from erya.models.lstm.views import trace

        document = classify.documents([x])[0]
        shown, tokens, spans = tokenizers.located(self.tokenizer_, document)
        with torch_mode():
            corpus = self._corpus([tokens])
            return trace(self.id, self.network_, corpus, shown, tokens, spans, self.classes_)

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what each token adds to its log odds, found by leaving the token out.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the predicted one.
        """
        self._check_fitted()
        from erya.parts.network_answers import log_softmax
        from erya.parts.occlusion import occlusion

        document = classify.documents([x])[0]
        return occlusion(
            self.id, self.tokenizer_, document, self.classes_, label, lambda lists: log_softmax(self._logits(lists))
        )

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Weights, vocabulary; classes, tokenizer and the curve."""
        self._check_fitted()
        from erya.parts.network_state import to_state

        return to_state(self.network_, self.vocabulary_, self.tokenizer_, self.classes_, self.curve_)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
            ResourceError: torch is not installed.
        """
        self._check_settings()
        need_torch(self.id)
        from erya.parts.network_state import from_state

        self.network_, self.vocabulary_, self.tokenizer_, self.classes_, self.curve_ = from_state(state, self._network)
