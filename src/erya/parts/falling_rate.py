"""How the learning rate goes over a training: constant or falling, behind a rise at the beginning.

A rate that falls to nothing ends closer to the minimum than a constant one, whose last steps still jump about by the noise of
their batches (Robbins & Monro 1951); the cosine spends longer at both ends (Loshchilov & Hutter 2017, "SGDR", equation 5). The
rise keeps Adam's first, ill-estimated steps small, which networks with attention need most (Vaswani et al. 2017, section 5.3).
All are functions of the share of the training that is done: a training that goes on after a break needs no memory of them.
"""

from __future__ import annotations

import math

SCHEDULES = ("constant", "linear", "cosine")


def share_done(done: float, steps: int, planned: int | None) -> float:
    """The share that is done of the training, or of its budget where that ends sooner, in [0, 1].

    Args:
        done: share of the training.
        steps: that were taken.
        planned: that the budget will be enough for, see ``Report.planned_steps``; None: not known.
    """
    return min(1.0, done if planned is None else max(done, steps / planned))


def share_of_rate(schedule: str, warmup: float, done: float, last: float = 0.0) -> float:
    """What the rate is multiplied by, in [0, 1].

    Args:
        schedule: one of ``SCHEDULES``; behind the rise it stays at 1, falls in a straight line, or along half a cosine.
        warmup: share of the training over which the rate rises to 1 in a straight line, in [0, 1).
        done: share of the training that is done, in [0, 1].
        last: what it falls to, in [0, 1].
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant":
        return 1.0
    fallen = (done - warmup) / (1 - warmup)
    left = 1 - fallen if schedule == "linear" else (1 + math.cos(math.pi * fallen)) / 2
    return last + (1 - last) * left
