"""A Transformer's encoder as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``.

How such a network is trained and asked is in ``parts/network_classifier.py``. Not here: a pretrained encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import number, require, whole
from erya.parts.torch_mode import torch_mode
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.transformer_classifier import network
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

CHOICES = {
    "norm": ("pre", "post"),
    "positions": ("sinusoidal", "learned", "none"),
    "activation": ("gelu", "relu"),
    "pooling": ("mean", "max", "cls"),
}


class TransformerClassifier(NetworkClassifier):
    """Every token looks at every other in some layers of attention; what they found, averaged, goes to a softmax.

    A text of more than 512 tokens is read in windows.

    Args:
        dim: D, width of a word vector and of everything above it; None: 128, or that of ``vectors``.
        layers: of the encoder.
        heads: A, of each layer; each has D / A numbers of its own.
        inner_width: I, between the two matrices behind the attention.
        norm: ``"pre"``: each sublayer is given normalised vectors; ``"post"``: as published, which wants a lower learning rate.
        positions: ``"sinusoidal"``, ``"learned"`` or ``"none"``: a bag of words that look at each other.
        activation: ``"gelu"`` or ``"relu"``.
        pooling: ``"mean"`` or ``"max"`` over the tokens, or ``"cls"``: a token of its own before the text.
        dropout: share of the numbers dropped behind each sublayer, of the word vectors and of the features while learning.
        word_dropout: share of the tokens whose word vector is dropped whole while learning.
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

    id: ClassVar[str] = "classify/transformer_classifier"
    most_tokens: ClassVar[int] = 512

    def __init__(
        self,
        *,
        dim: int | None = None,
        layers: int = 2,
        heads: int = 4,
        inner_width: int = 256,
        norm: str = "pre",
        positions: str = "sinusoidal",
        activation: str = "gelu",
        pooling: str = "mean",
        dropout: float = 0.2,
        word_dropout: float = 0.2,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        schedule: str = "constant",
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = 1.0,
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
        self.layers = layers
        self.heads = heads
        self.inner_width = inner_width
        self.norm = norm
        self.positions = positions
        self.activation = activation
        self.pooling = pooling
        self.dropout = dropout
        self.word_dropout = word_dropout
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

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> network.TransformerEncoder:
        from erya.models.transformer_classifier.network import Form, TransformerEncoder

        form = Form(
            layers=self.layers,
            heads=self.heads,
            inner_width=self.inner_width,
            norm=self.norm,
            positions=self.positions,
            activation=self.activation,
            pooling=self.pooling,
            dropout=float(self.dropout),
            word_dropout=float(self.word_dropout),
        )
        return TransformerEncoder(vocabulary, dim, classes, form, generator)

    def _check_settings(self) -> None:
        super()._check_settings()
        for name in ("layers", "heads", "inner_width"):
            whole(name, getattr(self, name))
        number("word_dropout", self.word_dropout, 0, 1)
        for name, choices in CHOICES.items():
            require(getattr(self, name) in choices, name, getattr(self, name), " | ".join(choices))

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits."""
        from erya.models.transformer_classifier import onnx_graph
        from erya.parts.onnx_graph import weights_of

        return onnx_graph.logits(
            graph,
            weights_of(self.network_),
            layers=self.layers,
            heads=self.heads,
            positions=self.positions,
            activation=self.activation,
            pooling=self.pooling,
        )

    def trace(self, x: Any) -> Trace:
        """The way of one text: who looks at whom, in each head of each layer, and what each token brought to the answer."""
        text = self._read(x)
        from erya.models.transformer_classifier.views import trace

        with torch_mode():
            return trace(self.network_, text)
