"""The trace of a GRU: gates and hidden states at every token, and how far back the loss reaches."""

from __future__ import annotations

import torch

from erya.language import say
from erya.models.gru.network import GatedNetwork, cell
from erya.parts import recurrent_views
from erya.parts.network_text import OneText
from erya.parts.recurrent_views import Values
from erya.trace import Trace

NAMES = ("reset", "update", "candidate", "hidden")


def trace(network: GatedNetwork, text: OneText) -> Trace:
    """All steps for one text; see ``recurrent_views.trace``. Of each step: reset, update, candidate, hidden."""
    return recurrent_views.trace(network, text, step, gates())


def step(sums: torch.Tensor, before: Values | None, recurrent: torch.Tensor) -> Values:
    """``cell`` by name: what it finds from the sums (1, 3H) and the step before, (1, H) each."""
    hidden = sums.new_zeros(1, len(recurrent)) if before is None else before["hidden"]
    return dict(zip(NAMES, cell(sums, hidden, recurrent), strict=True))


def gates() -> dict[str, str]:
    """Which of the values of a step are gates, and what to call them."""
    return {"reset": say("reset", "重置门"), "update": say("update (keeps)", "更新门（保留）")}
