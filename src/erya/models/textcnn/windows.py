"""At which places a filter is tried."""

from __future__ import annotations

import torch
from torch.nn import functional

PLACES_AT_ONCE = 16_384  # bounds the memory of a long text


def window_rows(places: torch.Tensor, window: int) -> torch.Tensor:
    """Which rows of the table of shares each window adds up, (B, P, w) with P = T + w + 1.

    The text is laid between w zeros on either side, so that the first and the last window hold nothing but padding. The window
    at place i begins at token i − w.
    """
    padded = functional.pad(places, (window, window))  # (B, T + 2w)
    return padded.unfold(1, window, 1) * window + torch.arange(window)  # (B, P, w)
