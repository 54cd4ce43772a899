"""How wrong logits are, as one number to bring down: for one label a text, for shares of labels, for several labels."""

from __future__ import annotations

import torch
from torch.nn import functional

from erya.parts.token_batches import TokenBatch


def mean_loss(logits: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
    """The weighted mean over a batch of each text's loss in nats, a number.

        one label       −ln p(label), p = softmax(logits)
        shares          −Σ share · ln p(label): also what label smoothing makes of one label (Szegedy et al. 2016, section 7)
        several labels  the mean over all C labels of −ln p where the text has the label and −ln(1 − p) where not, p = σ(logit)

    Args:
        logits: (B, C).
        batch: with weights, and with targets or goals.
    """
    assert batch.weights is not None
    if batch.goals is None:
        assert batch.targets is not None
        each = functional.cross_entropy(logits, batch.targets, reduction="none")  # (B,)
    elif batch.several:
        goals = batch.goals.to(logits.dtype)
        each = functional.binary_cross_entropy_with_logits(logits, goals, reduction="none").mean(dim=1)  # (B,)
    else:
        each = -(batch.goals.to(logits.dtype) * functional.log_softmax(logits, dim=1)).sum(dim=1)  # (B,)
    return (each * batch.weights).mean()
