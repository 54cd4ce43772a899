"""TextCNN as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``.

Kim 2014: word vectors that begin random (CNN-rand), or as given, to stay (CNN-static), to be learned on (CNN-non-static), or both, side by
side (CNN-multichannel); how such a network is trained and asked is in ``parts/network_classifier.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import number, require, whole
from erya.parts.torch_mode import torch_mode
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.textcnn import network
    from erya.trace import Trace

WIDEST = 64  # tokens of a window
ACTIVATIONS = ("relu", "tanh", "sigmoid", "softplus", "cube", "tanh_cube", "identity")
POOLINGS = ("max", "mean")


class TextCNN(NetworkClassifier):
    """Filters over word vectors, each at its strongest, and a softmax over those.

    Args:
        dim: D, width of a word vector; None: 128, or that of ``vectors``.
        window: the widths of the filters, in tokens.
        filters: F, of each width.
        activation: ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"softplus"``, ``"cube"`` (x³), ``"tanh_cube"`` (tanh(x³ + x)),
            ``"identity"``.
        pooling: ``"max"``; or ``"mean"``: of a filter's responses at all places.
        strongest: how many of its responses a filter keeps, in the order of the text.
        max_norm: a class's output weights are shortened to this after each step; None: never.
        dropout: share of the pooled responses dropped while learning.
        tokenizer: name or object, see ``text.tokenizers.make``.
        min_count: rarer tokens count as unknown, and so teach what an unknown token means.
        epochs: at most.
        batch_size: texts a step.
        learning_rate: of the optimizer.
        optimizer: ``"adam"``, or ``"adadelta"`` with a rate of 1.
        weight_decay: shrinks the weights at each step, as in AdamW.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a better held-out accuracy after which training ends; None: no early stopping.
        vectors: word vectors to begin with: a file in any format that Erya reads, a ``.erya`` of ours, or a model of word vectors;
            None: random ones. Words that they know have a row however rare they are.
        vectors_mode: ``"non-static"``: they go on learning; ``"static"``: they stay as they are; ``"multichannel"``: one copy of each kind.
        min_coverage: share of the running text that the vectors must know.
        extra_words: so many of the vectors' first words have a row though no training text has them.
        label_smoothing: ε, the share of the aim that is spread evenly over all labels.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        seed: of first weights, order, dropout and held-out rows.

    Attributes:
        network_: the torch module, see ``network.py``; the others are those of every ``NetworkClassifier``.
    """

    id: ClassVar[str] = "classify/textcnn"
    vectors_modes: ClassVar[tuple[str, ...]] = ("non-static", "static", "multichannel")

    def __init__(
        self,
        *,
        dim: int | None = None,
        window: int | Sequence[int] = (3, 4, 5),
        filters: int = 100,
        activation: str = "relu",
        pooling: str = "max",
        strongest: int = 1,
        max_norm: float | None = None,
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        optimizer: str = "adam",
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        patience: int | None = 3,
        vectors: Any = None,
        vectors_mode: str = "non-static",
        min_coverage: float = 0.2,
        extra_words: int = 20_000,
        label_smoothing: float = 0.0,
        class_weight: str | dict[Any, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.window = window
        self.filters = filters
        self.activation = activation
        self.pooling = pooling
        self.strongest = strongest
        self.max_norm = max_norm
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.patience = patience
        self.vectors = vectors
        self.vectors_mode = vectors_mode
        self.min_coverage = min_coverage
        self.extra_words = extra_words
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.seed = seed

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> network.TextCNN:
        from erya.models.textcnn.network import TextCNN

        return TextCNN(
            vocabulary,
            dim,
            self._windows(),
            self.filters,
            classes,
            self.dropout,
            generator,
            activation=self.activation,
            pooling=self.pooling,
            strongest=self.strongest,
            channels=2 if self.vectors_mode == "multichannel" else 1,
            max_norm=None if self.max_norm is None else float(self.max_norm),
            optimizer=self.optimizer,
        )

    def _tables(self) -> dict[str, bool]:
        if self.vectors_mode == "multichannel":
            return {"embedding": True, "fixed": False}
        return super()._tables()

    def _windows(self) -> tuple[int, ...]:
        return (int(self.window),) if isinstance(self.window, int | np.integer) else tuple(self.window)

    def _check_settings(self) -> None:
        super()._check_settings()
        whole("filters", self.filters)
        whole("strongest", self.strongest)
        number("max_norm", self.max_norm, 0, 1e6, closed=False, optional=True)
        require(self.activation in ACTIVATIONS, "activation", self.activation, " | ".join(ACTIVATIONS))
        require(self.pooling in POOLINGS, "pooling", self.pooling, " | ".join(POOLINGS))
        require(self.optimizer in ("adam", "adadelta"), "optimizer", self.optimizer, "adam | adadelta")
        require(self.pooling == "max" or self.strongest == 1, "strongest", self.strongest, "1 (pooling=mean)")
        sensible = isinstance(self.window, int | np.integer | tuple | list) and all(
            isinstance(width, int | np.integer) and not isinstance(width, bool) and 1 <= width <= WIDEST
            for width in self._windows()
        )
        unique = sensible and 0 < len(self._windows()) == len(set(self._windows()))
        require(unique, "window", self.window, f"1 … {WIDEST}, (3, 4, 5)")

    def trace(self, x: Any) -> Trace:
        """The way of one text: what each filter's strongest window was, and what that added to the answer."""
        text = self._read(x)
        from erya.models.textcnn.views import trace

        with torch_mode():
            return trace(self.network_, text)
