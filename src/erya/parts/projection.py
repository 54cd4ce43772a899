"""Vectors in the plane: principal components, or t-SNE through openTSNE where that is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError, UsageError
from erya.language import say


@dataclass(frozen=True, slots=True)
class Plane:
    """Points of the plane.

    Attributes:
        points: (n, 2).
        share: (2,) of the variance, which each axis shows; None for t-SNE, whose axes mean nothing.
    """

    points: NDArray[np.float64]
    share: NDArray[np.float64] | None


def principal(vectors: NDArray[Any]) -> Plane:
    """The first two principal components (Pearson 1901), by a singular value decomposition of the centred vectors.

    The sign of an axis is free; here each axis' largest entry is positive, so that a picture does not flip.

    Args:
        vectors: (n, D).
    """
    wide = np.asarray(vectors, dtype=np.float64)
    centred = wide - wide.mean(axis=0)
    left, singular, axes = np.linalg.svd(centred, full_matrices=False)  # (n, k), (k,), (k, D)
    largest = np.abs(axes).argmax(axis=1)
    signs = np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)
    points = np.zeros((len(wide), 2))
    share = np.zeros(2)
    kept = min(2, len(singular))
    points[:, :kept] = (left * singular * signs)[:, :kept]
    total = float((singular**2).sum())
    if total > 0:
        share[:kept] = singular[:kept] ** 2 / total
    return Plane(points, share)


def neighbourly(vectors: NDArray[Any], *, perplexity: float = 30.0, seed: int = 0) -> Plane:
    """t-SNE (van der Maaten and Hinton 2008) on cosines: near stays near, far means little.

    Raises:
        ResourceError: openTSNE is not installed.
        UsageError: fewer than four vectors.
    """
    try:
        from openTSNE import TSNE
    except ImportError:
        raise ResourceError(
            "extra-missing",
            say("t-SNE needs openTSNE, which is not installed", "t-SNE 需要 openTSNE，但当前环境没有安装"),
            help='pip install "erya[projection]"',
        ) from None
    wide = np.asarray(vectors, dtype=np.float64)
    if len(wide) < 4:
        raise UsageError("too-few-words", say("t-SNE needs at least four words", "t-SNE 至少需要四个词"))
    fitting = min(perplexity, (len(wide) - 1) / 3)
    found = TSNE(perplexity=fitting, metric="cosine", random_state=seed, n_jobs=1).fit(wide)
    return Plane(np.array(found, dtype=np.float64), None)
