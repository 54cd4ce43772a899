"""A CNN over characters as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import require, whole
from erya.parts.torch_mode import torch_mode
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.char_cnn import network
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

SHORTEST = 123  # leaves one place behind six convolutions and three poolings
LONGEST = 100_000


class CharCNN(NetworkClassifier):
    """Six convolutions and three full layers over the characters of a text; no words, no vectors from elsewhere.

    Args:
        length: characters that the network reads at once (1014 in the paper); a longer text is read in windows of so many, whose logits
            are averaged by their characters: nothing is cut off.
        filters: F, features of each convolution (256 in the paper's small network, 1024 in its large one).
        hidden_width: width of the two full layers (1024 and 2048 in the paper).
        dropout: share of the features dropped while learning.
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
        label_smoothing: ε, the share of the aim that is spread evenly over all labels.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        seed: of first weights, order, dropout and held-out rows.

    Attributes:
        network_: the torch module, see ``network.py``; the others are those of every ``NetworkClassifier``.
    """

    id: ClassVar[str] = "classify/char_cnn"

    def __init__(
        self,
        *,
        length: int = 256,
        filters: int = 64,
        hidden_width: int = 256,
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "characters",
        min_count: int = 1,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        schedule: str = "constant",
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        patience: int | None = 3,
        label_smoothing: float = 0.0,
        class_weight: str | dict[Any, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.length = length
        self.filters = filters
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.seed = seed

    @property
    def most_tokens(self) -> int:  # type: ignore[override]
        """Characters of a window."""
        return self.length

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> network.CharCNN:
        from erya.models.char_cnn.network import CharCNN

        return CharCNN(vocabulary, self.length, self.filters, self.hidden_width, classes, self.dropout, generator)

    def _check_settings(self) -> None:
        super()._check_settings()
        whole("filters", self.filters)
        whole("hidden_width", self.hidden_width)
        whole("length", self.length, SHORTEST)
        require(self.length <= LONGEST, "length", self.length, f"≤ {LONGEST}")

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits."""
        from erya.models.char_cnn import onnx_graph
        from erya.models.char_cnn.network import FIRST, POOL, POOLED
        from erya.parts.onnx_graph import weights_of

        return onnx_graph.logits(graph, weights_of(self.network_), self.length, FIRST, POOL, POOLED)

    def trace(self, x: Any) -> Trace:
        """The way of one text: the layers, and what each character adds to the answer."""
        text = self._read(x)
        from erya.models.char_cnn.views import trace

        with torch_mode():
            return trace(self.network_, text)
