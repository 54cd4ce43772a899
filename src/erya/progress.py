"""How a model speaks to whoever trains it: progress, the curve, checkpoints and the wish to stop.

``fit(..., report=quiet)`` calls these methods between steps. The command line passes a report that draws a bar,
writes ``log.jsonl`` and keeps checkpoints in the run folder; ``quiet`` does nothing. A model never prints.
"""

from __future__ import annotations

from typing import Any, Literal

from erya.state import State


class Report:
    """The silent report, and the base of all others."""

    def note(self, sentence: str) -> None:
        """One sentence the user should know (a first compilation, a learning rate that was halved)."""

    def progress(
        self,
        *,
        epoch: int,
        epochs: int,
        done: float,
        loss: float | None = None,
        tokens_per_second: float | None = None,
        score: float | None = None,
    ) -> None:
        """Where training stands. Cheap: may be called every step.

        Args:
            epoch: 1-based; for solvers the iteration.
            done: share of the whole training that is finished, 0 to 1.
            score: the latest validation score, if there is one.
        """

    def record(self, row: dict[str, Any]) -> None:
        """One row of the training curve, e.g. ``{"epoch": 2, "step": 410, "loss": 0.31, "validation_loss": 0.4}``."""

    def checkpoint_due(self) -> bool:
        """Whether enough time has passed since the last checkpoint. Asked between steps."""
        return False

    def save_checkpoint(self, state: State) -> None:
        """Keep everything needed to continue bit-identically: weights, optimizer, random state, cursor, curve."""

    def load_checkpoint(self) -> State | None:
        """The checkpoint to continue from, or None for a fresh start. Asked once, before the first step."""
        return None

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        """Asked once after every step, before ``checkpoint_due``, so that a step is counted once even when training is
        resumed. ``interrupt``: save a checkpoint and raise ``Interrupted``.
        ``budget``: end training here as if this were the last step, and record the step.
        """
        return None

    def planned_steps(self) -> int | None:
        """How many calls of ``stopping`` a budget will be enough for, as far as that is foreseen; None: unknown, or no budget.
        What it says once it goes on saying, and a resumed training is told the same at the same step: a learning rate may go by it.
        """
        return None


quiet = Report()
