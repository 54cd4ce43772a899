"""The neural probabilistic language model: its settings, its network, its trace.

The mathematics is in ``network.py``; how such a network is trained and asked is in ``parts/language_network.py``. Not here: the
paper's mixture with a trigram (``erya mix``), its asynchronous training on forty machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from erya.errors import UsageError
from erya.language import say
from erya.parts.language_network import NetworkLanguageModel, one_of
from erya.parts.settings import require, whole
from erya.parts.torch_mode import torch_mode
from erya.trace import Bars, Matrix, Table, Trace, View

if TYPE_CHECKING:
    from erya.models.nnlm.network import Windows
    from erya.text.units import Units

SHOWN = 8  # most probable units, in the trace


class NNLM(NetworkLanguageModel):
    """The n − 1 units before, as vectors side by side, say through one hidden layer what comes next.

    Args:
        order: n: so many units, the one to predict among them.
        dim: D, width of a unit's vector.
        hidden_width: H, units of the hidden layer.
        direct: whether the vectors are also connected to the softmax directly.
        tied: whether the softmax uses the units' vectors; else it has vectors of its own, as in the paper, H wide, or H + (n − 1) · D.
        dropout: share of the vectors and of the hidden layer that is dropped while learning.
        tokenizer: ``"auto"``, ``"characters"``, ``"words"``, ``"whitespace"``, ``"bpe"`` or an object, see ``text.units``.
        documents: of files: ``"auto"``, ``"line"``, ``"paragraph"`` or ``"file"``.
        min_count: rarer units count as unknown.
        max_vocabulary: the most units that are known; None: all.
        context: units of each row in a step.
        sampling: ``"sequential"`` or ``"random"``: how rows are drawn; the windows are the same.
        over_borders: whether a window looks into the document before.
        batch_size: B, rows a step.
        epochs: at most.
        steps: gradient steps that end the training instead; None: ``epochs`` do.
        optimizer: ``"adam"``, ``"sgd"``, ``"momentum"`` or ``"averaged_sgd"``, see ``sgd.py``.
        learning_rate: its greatest.
        schedule: of the learning rate: ``"constant"``, or falling to the end: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        final_rate: share of its greatest at which a falling learning rate ends.
        rate_decay: what the rate is multiplied with for every epoch behind ``decay_after``.
        decay_after: epochs.
        weight_decay: shrinks the matrices at each step; biases and gains are left alone.
        beta2: of Adam: how much of the mean square gradient is kept at each step.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a lower held-out loss after which training ends; None: no early stopping.
        seed: of first weights, order, dropout and held-out documents.

    Attributes:
        network_: the torch module; the others are those of every ``NetworkLanguageModel``.
    """

    id: ClassVar[str] = "generate/nnlm"

    def __init__(
        self,
        *,
        order: int = 6,
        dim: int = 64,
        hidden_width: int = 256,
        direct: bool = True,
        tied: bool = True,
        dropout: float = 0.0,
        tokenizer: str | Units = "auto",
        documents: str = "auto",
        min_count: int = 1,
        max_vocabulary: int | None = None,
        context: int = 35,
        sampling: str = "sequential",
        over_borders: bool = False,
        batch_size: int = 16,
        epochs: int = 3,
        steps: int | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.004,
        schedule: str = "cosine",
        warmup: float = 0.0,
        final_rate: float = 0.0,
        rate_decay: float = 1.0,
        decay_after: int = 0,
        weight_decay: float = 0.0,
        beta2: float = 0.999,
        clip_norm: float | None = 5.0,
        patience: int | None = 3,
        seed: int = 0,
    ) -> None:
        self.order = order
        self.dim = dim
        self.hidden_width = hidden_width
        self.direct = direct
        self.tied = tied
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.documents = documents
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.context = context
        self.sampling = sampling
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
        self.patience = patience
        self.seed = seed

    def _check_settings(self) -> None:
        super()._check_settings()
        whole("order", self.order, 2)
        require(self.order <= 1000, "order", self.order, "≤ 1000")
        whole("dim", self.dim)
        whole("hidden_width", self.hidden_width)
        one_of("direct", self.direct, (False, True))
        one_of("tied", self.tied, (False, True))

    def _network(self, vocabulary: int, generator: Any = None) -> Windows:
        from erya.models.nnlm.network import Windows

        return Windows(
            vocabulary,
            self.dim,
            self.hidden_width,
            self.order - 1,
            self.direct,
            float(self.dropout),
            self.over_borders,
            generator,
            tied=self.tied,
        )

    def trace(self, x: Any) -> Trace:
        """One text: the last window, its vectors, the hidden layer, what came from there and what directly, and the answer.

        Raises:
            UsageError: ``x`` is no text.
        """
        self._check_fitted()
        if not isinstance(x, str):
            raise UsageError("not-text", say("one text is traced at a time", "每次只看一条文本"))
        import torch

        network = self.network_
        with torch_mode(), torch.no_grad():
            window, logs = network.decoder().start([self._prefix(x)])
            vectors, hidden = (found[0] for found in network.layers(window))
            from_hidden, from_window = network.ways()
            through, straight = from_hidden @ hidden, from_window @ vectors
            vectors = vectors.view(-1, self.dim)  # (n − 1, D)
        probabilities = np.exp(logs[0])
        best = np.argsort(-probabilities, kind="stable")[:SHOWN].tolist()
        units = self.vocabulary_.units
        names = [units[number] for number in window[0].tolist()]
        arrays = {
            "window": window[0].numpy(),
            "vectors": vectors.numpy(),
            "hidden": hidden.numpy(),
            "through": through.numpy(),
            "direct": straight.numpy(),
            "probabilities": probabilities,
        }
        parts = (arrays["through"], arrays["direct"], network.output_bias.detach().numpy())
        rows = [
            [units[number], f"{probabilities[number]:.4f}", *(f"{float(part[number]):+.2f}" for part in parts)]
            for number in best
        ]
        head = [
            say("unit", "单元"),
            say("probability", "概率"),
            "U tanh(…)",
            say("W x, direct", "W x，直连"),
            "b",
        ]
        views: list[View] = [
            Bars(say("What comes next", "接下来是什么"), [units[number] for number in best], probabilities[best]),
            Table(say("Where it comes from", "从哪里来"), head, rows),
            Matrix(
                say("The window's vectors, side by side", "窗口里的向量，依次相接"),
                names,
                [str(place) for place in range(self.dim)],
                vectors.numpy(),
            ),
        ]
        return Trace(self.id, x, arrays, views)
