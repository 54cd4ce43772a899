"""Elman's network as a language model: its settings, its network, its trace.

The mathematics is in ``network.py`` and ``parts/recurrent_language.py``; how such a network is trained and asked is in
``parts/language_network.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from erya.parts.language_network import NetworkLanguageModel
from erya.parts.recurrent_settings import writing_settings
from erya.parts.settings import number
from erya.parts.torch_mode import torch_mode

if TYPE_CHECKING:
    from erya.parts.recurrent_language import RecurrentLanguage
    from erya.text.units import Units
    from erya.trace import Trace


class RNNLanguageModel(NetworkLanguageModel):
    """One state, rewritten at every unit, reads from the left, and a softmax over all units says what comes next.

    Args:
        dim: D, width of a unit's vector.
        hidden_width: H, units of each layer.
        layers: one above the other.
        last_width: units of the last layer; None: as the others. As wide as ``dim`` and tied, nothing stands between it and the vectors.
        tied: whether the softmax uses the units' vectors.
        recurrent_gain: singular values that the recurrent weights begin with.
        dropout: share of the vectors' numbers, of what a layer hands to the next, and of the last states, that is dropped while learning.
        layer_dropout: share of what a layer hands to the next, where it is another one; None: ``dropout``.
        embedding_dropout: share of the units whose whole vectors are dropped in a batch.
        variational: whether the same numbers are dropped at every step of a batch.
        weight_dropout: share of the recurrent weights that is dropped in a batch.
        activation_penalty: α, wants the last layer's states to be small.
        change_penalty: β, wants them to change slowly.
        initial_range: all weights begin uniform between minus this and this; None: each kind by a rule of its own.
        tokenizer: ``"auto"``, ``"characters"``, ``"words"``, ``"whitespace"``, ``"bpe"`` or an object, see ``text.units``.
        documents: of files: ``"auto"``, ``"line"``, ``"paragraph"`` or ``"file"``.
        min_count: rarer units count as unknown.
        max_vocabulary: the most units that are known; None: all.
        context: T, steps that a gradient goes back.
        sampling: ``"sequential"``: rows that go on, the state is carried from batch to batch; ``"random"``: pieces in random order, each
            with a new state.
        truncation: of sequential rows: ``"regular"``: batches of T units; ``"varied"``: about T; ``"random"``: cut anywhere, with
            the factor that keeps the expectation of the gradient.
        over_borders: whether the state is carried from one document to the next; documents are then scored in the order in which they come.
        batch_size: B, rows or pieces a step.
        epochs: at most.
        steps: gradient steps that end the training instead; None: ``epochs`` do.
        optimizer: ``"adam"``, ``"sgd"``, ``"momentum"`` or ``"averaged_sgd"``: the result is the mean of the weights of all steps
            from when the held-out loss stalls.
        learning_rate: its greatest.
        schedule: of the learning rate: ``"constant"``, or falling to the end: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        final_rate: share of its greatest at which a falling learning rate ends.
        rate_decay: what the rate is multiplied with for every epoch behind ``decay_after``.
        decay_after: epochs.
        weight_decay: shrinks the matrices at each step; biases and gains are left alone.
        beta2: of Adam: how much of the mean square gradient is kept at each step.
        clip_norm: longer gradients are shortened to this; None: never.
        averaging_patience: of ``averaged_sgd``: it begins when the held-out loss is above the best one of more than so many epochs before;
            without held-out text after so many epochs.
        patience: epochs without a lower held-out loss after which training ends; None: no early stopping.
        seed: of first weights, order, dropout and held-out documents.

    Attributes:
        network_: the torch module; the others are those of every ``NetworkLanguageModel``.
    """

    id: ClassVar[str] = "generate/rnn"

    def __init__(
        self,
        *,
        dim: int = 128,
        hidden_width: int = 256,
        layers: int = 1,
        last_width: int | None = None,
        tied: bool = True,
        recurrent_gain: float = 1.0,
        dropout: float = 0.2,
        layer_dropout: float | None = None,
        embedding_dropout: float = 0.0,
        variational: bool = False,
        weight_dropout: float = 0.0,
        activation_penalty: float = 0.0,
        change_penalty: float = 0.0,
        initial_range: float | None = None,
        tokenizer: str | Units = "auto",
        documents: str = "auto",
        min_count: int = 1,
        max_vocabulary: int | None = None,
        context: int = 35,
        sampling: str = "sequential",
        truncation: str = "regular",
        over_borders: bool = False,
        batch_size: int = 32,
        epochs: int = 10,
        steps: int | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        schedule: str = "cosine",
        warmup: float = 0.0,
        final_rate: float = 0.0,
        rate_decay: float = 1.0,
        decay_after: int = 0,
        weight_decay: float = 0.0,
        beta2: float = 0.999,
        clip_norm: float | None = 1.0,
        averaging_patience: int = 5,
        patience: int | None = 3,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.hidden_width = hidden_width
        self.layers = layers
        self.last_width = last_width
        self.tied = tied
        self.recurrent_gain = recurrent_gain
        self.dropout = dropout
        self.layer_dropout = layer_dropout
        self.embedding_dropout = embedding_dropout
        self.variational = variational
        self.weight_dropout = weight_dropout
        self.activation_penalty = activation_penalty
        self.change_penalty = change_penalty
        self.initial_range = initial_range
        self.tokenizer = tokenizer
        self.documents = documents
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.context = context
        self.sampling = sampling
        self.truncation = truncation
        self.over_borders = over_borders
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps = steps
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.final_rate = final_rate
        self.rate_decay = rate_decay
        self.decay_after = decay_after
        self.weight_decay = weight_decay
        self.beta2 = beta2
        self.clip_norm = clip_norm
        self.averaging_patience = averaging_patience
        self.patience = patience
        self.seed = seed

    def _network(self, vocabulary: int, generator: Any = None) -> RecurrentLanguage:
        from erya.models.rnn.network import ElmanCell, first_weights
        from erya.parts.recurrent_language import RecurrentLanguage, form_of

        def start(into: Any, recurrent: Any, bias: Any, generator: Any) -> None:
            first_weights(into, recurrent, generator, float(self.recurrent_gain))

        return RecurrentLanguage(ElmanCell(), vocabulary, form_of(self), start, generator)

    def _truncation(self) -> str:
        return self.truncation

    def _check_settings(self) -> None:
        super()._check_settings()
        writing_settings(self)
        number("recurrent_gain", self.recurrent_gain, 0, 1e6)

    def trace(self, x: Any) -> Trace:
        """The way through one text: gates and states at every unit, what was expected there, how far back a loss reaches."""
        self._check_fitted()
        from erya.models.rnn.views import step
        from erya.parts.language_views import trace

        with torch_mode():
            return trace(self, x, step, {})
