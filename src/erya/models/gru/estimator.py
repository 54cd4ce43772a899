"""A GRU as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``.

How such a network is trained and asked is in ``parts/network_classifier.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.network_classifier import NetworkClassifier
from erya.parts.recurrent_settings import recurrent_settings
from erya.parts.torch_mode import torch_mode
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.gru import network
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace


class GRU(NetworkClassifier):
    """One GRU reads from the left, one from the right; each unit at its strongest, and a softmax over those.

    Args:
        dim: D, width of a word vector; None: 256, or that of ``vectors``.
        hidden_width: H, units of each reader.
        layers: one above the other; each reads the hidden states of the one below.
        directions: 2: one reader from each end; 1: from the left alone.
        pooling: what is kept of a text: ``"max"``: each unit at its strongest; ``"mean"``: its mean over the text;
            ``"last"``: each reader's last state.
        dropout: share of the word vectors' numbers, of what a layer hands to the next, and of the features, that is dropped
            while learning.
        tokenizer: name or object, see ``text.tokenizers.make``.
        min_count: rarer tokens count as unknown, and so teach what an unknown token means.
        epochs: at most.
        batch_size: texts a step.
        learning_rate: of Adam.
        schedule: of the learning rate: ``"constant"``, or falling to 0 by the last of ``epochs``: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        weight_decay: shrinks the weights at each step, as in AdamW.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a better held-out accuracy after which training ends; None: no early stopping.
        vectors: word vectors to begin with: a file in any format that Erya reads, a ``.erya`` of ours, or a model of word vectors;
            None: random ones. Words that they know have a row however rare they are.
        vectors_mode: ``"non-static"``: they go on learning; ``"static"``: they stay as they are.
        min_coverage: share of the running text that the vectors must know.
        extra_words: so many of the vectors' first words have a row though no training text has them.
        label_smoothing: ε, the share of the aim that is spread evenly over all labels.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        seed: of first weights, order, dropout and held-out rows.

    Attributes:
        network_: the torch module, see ``network.py``; the others are those of every ``NetworkClassifier``.
    """

    id: ClassVar[str] = "classify/gru"
    default_dim: ClassVar[int] = 256

    def __init__(
        self,
        *,
        dim: int | None = None,
        hidden_width: int = 96,
        layers: int = 1,
        directions: int = 2,
        pooling: str = "max",
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 10,
        batch_size: int = 128,
        learning_rate: float = 0.002,
        schedule: str = "constant",
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = 5.0,
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
        self.hidden_width = hidden_width
        self.layers = layers
        self.directions = directions
        self.pooling = pooling
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
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

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> network.GatedNetwork:
        from erya.models.gru.network import GatedNetwork

        return GatedNetwork(
            vocabulary,
            dim,
            self.hidden_width,
            classes,
            self.dropout,
            generator,
            layers=self.layers,
            readers=self.directions,
            pooling=self.pooling,
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        recurrent_settings(self)

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits."""
        from erya.parts import recurrent_onnx
        from erya.parts.onnx_graph import weights_of

        weights = weights_of(self.network_)
        return recurrent_onnx.logits(graph, weights, "GRU", layers=self.layers, pooling=self.pooling)

    def trace(self, x: Any) -> Trace:
        """The way of one text: gates and hidden states at every token, how far back the loss reaches, and what decided."""
        text = self._read(x)
        from erya.models.gru.views import trace

        with torch_mode():
            return trace(self.network_, text)
