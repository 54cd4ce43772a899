"""The trace of an LSTM: gates, cells and hidden states at every token, and how far back the loss reaches."""

from __future__ import annotations

import torch

from erya.language import say
from erya.models.lstm.network import BiLSTM, cell
from erya.parts import recurrent_views
from erya.parts.network_text import OneText
from erya.parts.recurrent_views import Values
from erya.trace import Trace

NAMES = ("input", "forget", "output", "candidate", "cell", "hidden")


def trace(network: BiLSTM, text: OneText) -> Trace:
    """All steps for one text; see ``recurrent_views.trace``. Of each step: input, forget, output, candidate, cell, hidden."""
    return recurrent_views.trace(network, text, step, gates())


def step(sums: torch.Tensor, before: Values | None, recurrent: torch.Tensor) -> Values:
    """``cell`` by name: what it finds from the sums (1, 4H) and the step before, (1, H) each."""
    zeros = sums.new_zeros(1, len(recurrent))
    hidden, memory = (zeros, zeros) if before is None else (before["hidden"], before["cell"])
    return dict(zip(NAMES, cell(sums, hidden, memory, recurrent), strict=True))


def gates() -> dict[str, str]:
    """Which of the values of a step are gates, and what to call them."""
    return {"input": say("input", "输入门"), "forget": say("forget", "遗忘门"), "output": say("output", "输出门")}
