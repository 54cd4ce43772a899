"""The trace of Elman's network: hidden states at every token, and how far back the loss reaches."""

from __future__ import annotations

import torch

from erya.models.rnn.network import ElmanNetwork, cell
from erya.parts import recurrent_views
from erya.parts.network_text import OneText
from erya.parts.recurrent_views import Values
from erya.trace import Trace


def trace(network: ElmanNetwork, text: OneText) -> Trace:
    """All steps for one text; see ``recurrent_views.trace``. Of each step: hidden. There are no gates."""
    return recurrent_views.trace(network, text, step, {})


def step(sums: torch.Tensor, before: Values | None, recurrent: torch.Tensor) -> Values:
    """``cell`` by name: what it finds from the sums (1, H) and the step before."""
    hidden = sums.new_zeros(1, len(recurrent)) if before is None else before["hidden"]
    return {"hidden": cell(sums, hidden, recurrent)}
