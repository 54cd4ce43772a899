"""TextCNN as a classifier: its settings, its network, its trace. The mathematics is in ``network.py``.

Kim 2014: word vectors that begin random (CNN-rand), or as given, to stay (CNN-static), to be learned on (CNN-non-static), or both, side by
side (CNN-multichannel); how such a network is trained and asked is in ``parts/network_classifier.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.errors import UsageError
from erya.language import say
from erya.models.textcnn.folded import Folded, shapes
from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import number, require, whole
from erya.parts.torch_mode import need_torch, torch_mode
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.textcnn import network
    from erya.parts.network_state import Learned
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

WIDEST = 64  # tokens of a window
ACTIVATIONS = ("relu", "tanh", "sigmoid", "softplus", "cube", "tanh_cube", "identity")
POOLINGS = ("max", "mean", "local")
MOST_REGIONS = 64


class TextCNN(NetworkClassifier):
    """Filters over word vectors, each at its strongest, and a softmax over those.

    Args:
        dim: D, width of a word vector; None: 128, or that of ``vectors``.
        window: the widths of the filters, in tokens.
        filters: F, of each width.
        activation: ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"softplus"``, ``"cube"`` (x³), ``"tanh_cube"`` (tanh(x³ + x)),
            ``"identity"``.
        pooling: ``"max"``; ``"mean"``: of a filter's responses at all places; ``"local"``: a maximum for each of ``regions``.
        strongest: how many of its responses a filter keeps, in the order of the text; only with ``pooling="max"``.
        regions: equal parts of the text, from 2 on; only with ``pooling="local"``.
        max_norm: a class's output weights are shortened to this after each step; None: never.
        dropout: share of the pooled responses dropped while learning.
        tokenizer: name or object, see ``text.tokenizers.make``.
        min_count: rarer tokens count as unknown, and so teach what an unknown token means.
        epochs: at most.
        batch_size: texts a step.
        learning_rate: of the optimizer.
        schedule: of the learning rate: ``"constant"``, or falling to 0 by the last of ``epochs``: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
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
        regions: int = 1,
        max_norm: float | None = None,
        dropout: float = 0.5,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 12,
        batch_size: int = 64,
        learning_rate: float = 0.001,
        schedule: str = "constant",
        warmup: float = 0.0,
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
        self.regions = regions
        self.max_norm = max_norm
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
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
            regions=self.regions,
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
        whole("regions", self.regions)
        require(
            self.pooling == "max" or self.strongest == 1, "strongest", self.strongest, f"1 (pooling={self.pooling})"
        )
        fitting = f"2 … {MOST_REGIONS} (pooling=local)" if self.pooling == "local" else f"1 (pooling={self.pooling})"
        regions_fit = 2 <= self.regions <= MOST_REGIONS if self.pooling == "local" else self.regions == 1
        require(regions_fit, "regions", self.regions, fitting)
        sensible = isinstance(self.window, int | np.integer | tuple | list) and all(
            isinstance(width, int | np.integer) and not isinstance(width, bool) and 1 <= width <= WIDEST
            for width in self._windows()
        )
        unique = sensible and 0 < len(self._windows()) == len(set(self._windows()))
        require(unique, "window", self.window, f"1 … {WIDEST}, (3, 4, 5)")

    # ---- answering without torch: see folded.py ---------------------------------------------------------------

    _folded: Folded | None = None

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels.

        From folded word vectors, without torch; within 1e-5 of ``network_``, which is asked where texts are longer than it
        reads at once, and for ``pooling="mean"``, ``pooling="local"`` and ``strongest`` above 1.

        Raises:
            ResourceError: such a text, and torch is not installed.
        """
        self._check_fitted()
        documents = classify.documents(X)
        if self._folded is None:
            self._fold()
        found = None if self._folded is None else self._folded.logits(documents, self.most_tokens)
        if found is not None:
            return self._probabilities(found)
        need_torch(self.id)
        return super().predict_proba(documents)

    def _logits(self, token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        found = None if self._folded is None else self._folded.logits_of_tokens(token_lists, self.most_tokens)
        if found is not None:
            return found
        need_torch(self.id)
        return super()._logits(token_lists)

    def _fold(self) -> None:
        """Make the answers without torch ready, where there are any for these settings."""
        self._folded = None
        if self.pooling == "max" and self.strongest == 1:
            weights = vars(self).get("_weights") or {
                name: value.detach().numpy() for name, value in self.network_.named_parameters()
            }
            self._folded = Folded(weights, self._windows(), self.activation, self.tokenizer_, self.vocabulary_)

    def _take(self, learned: Learned) -> None:
        super()._take(learned)
        vars(self).pop("_weights", None)
        if isinstance(learned.network, dict):
            self._weights = vars(self).pop("network_")  # the network is made when somebody asks for it
        self._fold()

    def __getattr__(self, name: str) -> Any:
        if name != "network_" or "_weights" not in vars(self):
            return super().__getattr__(name)
        need_torch(self.id)
        from erya.parts.network_state import network_of

        weights = {f"network.{part}": array for part, array in self._weights.items()}
        sizes = len(self.vocabulary_), self.dim_, len(self.classes_)
        self.network_ = network_of(State(weights, {}), lambda: self._network(*sizes))
        del self._weights
        return self.network_

    def state(self) -> State:
        """Weights, vocabulary, thresholds; classes, tokenizer and the curve."""
        self._check_fitted()
        if "_weights" not in vars(self):
            return super().state()
        from erya.parts.network_state import Learned, to_state

        parts = {name: getattr(self, f"{name}_") for name in Learned.__slots__ if name != "network"}
        return to_state(Learned(network=self._weights, **parts))

    def set_state(self, state: State) -> None:
        """The inverse of ``state``. Needs no torch for ``pooling="max"`` and ``strongest=1``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
            ResourceError: the settings need torch, which is not installed.
        """
        self._check_settings()
        if self.pooling != "max" or self.strongest != 1 or machine.device() != "cpu":
            super().set_state(state)
            return
        from erya.parts.network_state import checked_weights, learned_of

        channels = 2 if self.vectors_mode == "multichannel" else 1

        def weights(vocabulary: int, dim: int, classes: int) -> dict[str, NDArray[np.float32]]:
            sizes = shapes(
                vocabulary, dim, self._windows(), self.filters, classes, channels=channels, strongest=self.strongest
            )
            return checked_weights(state, sizes)

        self._take(learned_of(state, weights))

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits. Raises UsageError for k-max, local and mean pooling."""
        from erya.models.textcnn import onnx_graph

        if self.pooling != "max" or self.strongest != 1:
            raise UsageError(
                "other-format",
                say(
                    "as ONNX, textcnn has only the strongest response: pooling=max, strongest=1",
                    "textcnn 写成 ONNX 时只支持最强响应：pooling=max、strongest=1",
                ),
            )
        weights = vars(self).get("_weights") or {
            name: value.detach().numpy() for name, value in self.network_.named_parameters()
        }
        return onnx_graph.logits(graph, weights, self.activation)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: what each filter's strongest window was, and what that added to the answer."""
        self._check_fitted()
        need_torch(self.id)
        text = self._read(x)
        from erya.models.textcnn.views import trace

        with torch_mode():
            return trace(self.network_, text)
