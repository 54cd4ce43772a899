"""Products of matrices for layers that write out their own way back.

torch multiplies float32 matrices on a processor with its BLAS; oneDNN, which it also brings along and which its compiler uses, is some
percent faster on tall and narrow ones, and adds the bias on the way. Where it is missing, or for other numbers, the BLAS does it.
"""

from __future__ import annotations

import torch

from erya.parts.turned import turned

LEAST = 4  # rows from which oneDNN is worth its call
LARGE = 1 << 18  # numbers in a matrix from which it is worth it when rows are few
WORTH_LAYING_OUT = 1 << 18  # numbers in a matrix that is laid out for oneDNN once
_THERE = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_KERNEL = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if _THERE else None
_LAYOUT = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None) if _KERNEL is not None else None


def product(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """The product of two matrices, plus a bias: (M, N), without a gradient of its own.

    Args:
        left: (M, K).
        right: (K, N).
        bias: (N,); None: none.
    """
    if _KERNEL is not None and _fast(left) and len(left) >= LEAST and left.shape[1]:
        found: torch.Tensor = _KERNEL(left, right.T, bias, "none", [], "")
        return found
    return left @ right if bias is None else torch.addmm(bias, left, right)


def products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(R, M, N), the product of each pair of (R, M, K) and (R, K, N); R is 1 or 2, and M may be small."""
    if len(left) == 1 and right.numel() >= LARGE:
        return product(left[0], right[0])[None]
    return torch.bmm(left, right)


def over_rows(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """leftᵀ right, (K, N) of (M, K) and (M, N), contiguous, without a gradient of its own: that of weights, by what came in and out."""
    if _KERNEL is None or not _fast(left):  # a BLAS reads a matrix turned over as it lies
        return left.T @ right
    if left.shape[1] > right.shape[1]:  # a wide result is found faster than a tall one
        return turned(product(turned(right), left))
    return product(turned(left), right)


class Multiplier:
    """Products of matrices of a few rows with one and the same matrix, which is laid out for them once; without gradients.

    Args:
        right: (K, N).
        rows: M of the matrices to come.
    """

    def __init__(self, right: torch.Tensor, rows: int) -> None:
        self._right = right
        self._laid_out: torch.Tensor | None = None
        if _LAYOUT is not None and _fast(right) and rows >= LEAST and right.numel() >= WORTH_LAYING_OUT:
            self._laid_out = _LAYOUT(right.T, rows)

    def __call__(self, left: torch.Tensor) -> torch.Tensor:
        """(M, N) of (M, K)."""
        if self._laid_out is None or _KERNEL is None:
            return left @ self._right
        found: torch.Tensor = _KERNEL(left, self._laid_out, None, "none", [], "")
        return found


def _fast(values: torch.Tensor) -> bool:
    return values.dtype == torch.float32 and values.device.type == "cpu"


def in_one_pass(*tensors: torch.Tensor) -> bool:
    """Whether a kernel may work on the tensors: contiguous float32 on a processor."""
    return all(_fast(values) and values.is_contiguous() for values in tensors)
