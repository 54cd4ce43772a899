"""What every network that writes does alike; a room adds its settings and its network.

A room's class inherits this one, keeps an explicit keyword ``__init__`` (the settings are read from its signature) and gives
``_network``. torch is imported by the methods that need it, so that settings can be listed where it is not installed.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DivergedError
from erya.language import say
from erya.parts import decoding
from erya.parts.falling_rate import SCHEDULES
from erya.parts.language_model import LanguageModel
from erya.parts.settings import number, require, whole
from erya.parts.stream_splits import end_of, some_documents
from erya.parts.torch_mode import need_torch, torch_mode
from erya.progress import Report
from erya.state import State
from erya.text.unit_ids import IN_MEMORY, Stream

SAMPLINGS = ("sequential", "random")
OPTIMIZERS = ("adam", "sgd", "momentum", "averaged_sgd")
FEWEST = 1000  # units: of a shorter stream nothing is held out
FEWEST_DOCUMENTS = 20  # of fewer the end of the stream is held out
LOST = 2.0  # times the loss of who knows nothing: a training that ends above has learned nothing that anybody wants
SHARE = 0.05  # that is held out for early stopping


class NetworkLanguageModel(LanguageModel):
    """Base of the networks that write.

    Without ``validation`` and with ``patience`` set, a twentieth of the documents is held out for early stopping; of a few long
    documents the end of the last one.

    Attributes:
        network_: the torch module.
        curve_: one row an epoch, see ``language_training.learn``.
    """

    context: int
    sampling: str
    over_borders: bool
    dropout: float
    batch_size: int
    epochs: int
    steps: int | None
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: float
    final_rate: float
    rate_decay: float
    decay_after: int
    weight_decay: float
    beta2: float
    clip_norm: float | None
    averaging_patience: int = 5
    patience: int | None
    seed: int

    network_: Any
    curve_: list[dict[str, Any]]

    # ---- what a room writes -----------------------------------------------------------------------------------

    @abstractmethod
    def _network(self, vocabulary: int, generator: Any = None) -> Any:
        """A new network.

        Args:
            vocabulary: V.
            generator: where the first weights come from; None: none are needed, they will be loaded.

        Returns:
            A ``language_training.LanguageNetwork`` that also has ``begin_with(counts)``, ``log_probabilities(texts)`` and ``decoder()``.
        """

    def _check_settings(self) -> None:
        """Raises UsageError where a setting is out of its range. A room adds its own behind ``super()._check_settings()``."""
        for name in ("context", "batch_size", "epochs"):
            whole(name, getattr(self, name))
        for name in ("steps", "patience"):
            whole(name, getattr(self, name), optional=True)
        whole("decay_after", self.decay_after, 0)
        whole("averaging_patience", self.averaging_patience, 0)
        number("learning_rate", self.learning_rate, 0, 1e6, closed=False)
        number("rate_decay", self.rate_decay, 0, 1 + 1e-9, closed=False)
        number("weight_decay", self.weight_decay, 0, 1e6)
        number("warmup", self.warmup, 0, 1)
        number("final_rate", self.final_rate, 0, 1)
        number("beta2", self.beta2, 0, 1)
        number("dropout", self.dropout, 0, 1)
        number("clip_norm", self.clip_norm, 0, 1e12, closed=False, optional=True)
        for name, choices in (
            ("sampling", SAMPLINGS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("over_borders", (False, True)),
        ):
            one_of(name, getattr(self, name), choices)
        good = isinstance(self.seed, int | np.integer) and not isinstance(self.seed, bool) and 0 <= self.seed < 2**63
        require(bool(good), "seed", self.seed, "≥ 0, < 2^63")

    def _truncation(self) -> str:
        """How long the batches of sequential rows are, see ``stream_batches.py``."""
        return "regular"

    # ---- learning ---------------------------------------------------------------------------------------------

    def _check_common(self) -> None:
        super()._check_common()
        need_torch(self.id, anywhere=True)

    def _learn(self, stream: Stream, validation: Stream | None, report: Report) -> None:
        import torch

        from erya.parts.language_training import Plan, learn
        from erya.parts.stream_batches import StreamBatches

        learned, listened = self._parted(stream, validation, report)
        plan = Plan(
            epochs=self.epochs,
            steps=self.steps,
            optimizer=self.optimizer,
            learning_rate=float(self.learning_rate),
            schedule=self.schedule,
            warmup=float(self.warmup),
            final_rate=float(self.final_rate),
            rate_decay=float(self.rate_decay),
            decay_after=self.decay_after,
            weight_decay=float(self.weight_decay),
            beta2=float(self.beta2),
            clip_norm=self.clip_norm,
            averaging_patience=self.averaging_patience,
            patience=self.patience,
            seed=self.seed,
        )
        batches = StreamBatches(
            learned, self.batch_size, self.context, self.sampling, self._truncation(), self.over_borders, self.seed
        )
        with torch_mode():
            network = self._network(len(self.vocabulary_), torch.Generator().manual_seed(self.seed))
            network.begin_with(self.vocabulary_.counts)
            self.curve_ = learn(network, batches, listened, plan, report)
        self._check_learned()
        self.network_ = network

    def _check_learned(self) -> None:
        """Raises DivergedError where the best epoch was far worse than to know nothing at all: finite, but lost."""
        knowing_nothing = math.log(len(self.vocabulary_))
        lowest = min((row.get("validation_loss", row["loss"]) for row in self.curve_), default=0.0)
        if lowest > LOST * knowing_nothing:
            rate = float(self.learning_rate)
            raise DivergedError(
                "diverged",
                say(
                    f"the loss stayed at {lowest:,.1f} nats a unit or more (learning_rate={rate:g}); who knows nothing has "
                    f"{knowing_nothing:.1f}",
                    f"损失始终不低于每单元 {lowest:,.1f} 奈特（learning_rate={rate:g}）；一无所知时也只有 {knowing_nothing:.1f}",
                ),
                help=f"--set learning_rate={rate / 10:g}",
            )

    def _parted(
        self, stream: Stream, validation: Stream | None, report: Report
    ) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """The ids to learn from, and those that are only listened to."""
        if validation is not None:
            return stream.ids, validation.ids
        if self.patience is None or len(stream) < FEWEST:
            return stream.ids, None
        few = stream.documents < FEWEST_DOCUMENTS or len(stream.ids) > IN_MEMORY
        learned, listened = end_of(stream.ids, SHARE) if few else some_documents(stream.ids, SHARE, self.seed)
        report.note(
            say(
                f"{len(listened) - 1:,} of {len(stream):,} units are held out for early stopping; patience=None uses them all",
                f"从 {len(stream):,} 个单元中留出 {len(listened) - 1:,} 个用于早停；设 patience=None 则全部用于训练",
            )
        )
        return learned, listened

    # ---- answering --------------------------------------------------------------------------------------------

    def _log_probabilities(self, texts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
        with torch_mode():
            found: list[NDArray[np.float64]] = self.network_.log_probabilities(texts)
            return found

    def _decoder(self) -> decoding.Decoder:
        return _InMode(self.network_.decoder())

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Weights, units and vocabulary; the curve."""
        self._check_fitted()
        from erya.parts.network_answers import weights_of

        arrays, data = self._text_state()
        return State({**arrays, **weights_of(self.network_)}, {**data, "curve": [dict(row) for row in self.curve_]})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
            ResourceError: torch is not installed.
        """
        self._check_common()
        from erya.parts.network_state import network_of

        curve = [dict(row) for row in state.data["curve"]]
        self._set_text_state(state.arrays, state.data)
        self.network_ = network_of(state, lambda: self._network(len(self.vocabulary_)))
        self.curve_ = curve


def one_of(name: str, given: Any, choices: Sequence[Any]) -> None:
    """Raises UsageError where a setting is none of the choices, which are all of one type."""
    good = type(given) is type(choices[0]) and given in choices
    require(good, name, given, " | ".join(map(str, choices)))


class _InMode:
    """A decoder that runs with Erya's threads, and the same bits every time."""

    def __init__(self, decoder: decoding.Decoder) -> None:
        self._decoder = decoder

    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[Any, NDArray[np.float64]]:
        """As ``decoding.Decoder``."""
        with torch_mode():
            return self._decoder.start(prefixes)

    def step(self, memory: Any, rows: Sequence[int], ids: Sequence[int]) -> tuple[Any, NDArray[np.float64]]:
        """As ``decoding.Decoder``."""
        with torch_mode():
            return self._decoder.step(memory, rows, ids)
