"""A bidirectional LSTM with attention as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``.

How such a network is trained and asked is in ``parts/network_classifier.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import whole
from erya.parts.torch_mode import torch_mode
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.attention_lstm import network
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace


class AttentionLSTM(NetworkClassifier):
    """An LSTM reads from either end; a learned question says what each token weighs in the average that decides.

    Args:
        dim: D, width of a word vector; None: 256, or that of ``vectors``.
        hidden_width: H, units of each direction, whose states are added.
        dropout: share of the word vectors' numbers, of the states and of the features dropped while learning.
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

    id: ClassVar[str] = "classify/attention_lstm"
    default_dim: ClassVar[int] = 256

    def __init__(
        self,
        *,
        dim: int | None = None,
        hidden_width: int = 96,
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 8,
        batch_size: int = 64,
        learning_rate: float = 0.002,
        schedule: str = "linear",
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = 5.0,
        patience: int | None = 4,
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

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> network.AttentionLSTM:
        from erya.models.attention_lstm.network import AttentionLSTM

        return AttentionLSTM(vocabulary, dim, self.hidden_width, classes, self.dropout, generator)

    def _check_settings(self) -> None:
        super()._check_settings()
        whole("hidden_width", self.hidden_width)

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits."""
        from erya.models.attention_lstm import onnx_graph
        from erya.parts.onnx_graph import weights_of

        return onnx_graph.logits(graph, weights_of(self.network_))

    def trace(self, x: Any) -> Trace:
        """The way of one text: what both readers knew at every token, and what each token weighed."""
        text = self._read(x)
        from erya.models.attention_lstm.views import trace

        with torch_mode():
            return trace(self.network_, text)
