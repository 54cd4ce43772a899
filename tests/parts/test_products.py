"""Products are products, whichever kernel makes them."""

from __future__ import annotations

import pytest
import torch

from erya.parts import products, softmax_loss


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", [True, False])
def test_a_product(monkeypatch, dtype, turned, kernel):
    if not kernel:
        monkeypatch.setattr(products, "_KERNEL", None)
    generator = torch.Generator().manual_seed(1)
    left = torch.randn(7, 5, generator=generator, dtype=dtype)
    right = (
        torch.randn(3, 5, generator=generator, dtype=dtype).T
        if turned
        else torch.randn(5, 3, generator=generator, dtype=dtype)
    )
    bias = torch.randn(3, generator=generator, dtype=dtype)
    for added in (None, bias):
        expected = (left.double()[:, :, None] * right.double()[None]).sum(1) + (0 if added is None else added.double())
        found = products.product(left, right, added)
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, atol=1e-5 if dtype == torch.float32 else 1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "left", "right"), [(20, 3, 40), (20, 40, 3), (32, 16, 48), (1, 1, 1), (0, 4, 5)])
def test_a_product_over_rows(rows, left, right, dtype):
    generator = torch.Generator().manual_seed(3)
    one, other = (torch.randn(rows, width, generator=generator, dtype=dtype) for width in (left, right))
    found = products.over_rows(one, other)
    assert found.is_contiguous()
    torch.testing.assert_close(found.double(), one.double().T @ other.double(), atol=1e-5, rtol=1e-5)


def test_a_loss_without_a_gradient_makes_none(monkeypatch):
    made = []
    monkeypatch.setattr(softmax_loss, "product", lambda *given: made.append(1) or products.product(*given))
    generator = torch.Generator().manual_seed(2)
    states, table = (torch.randn(rows, 3, generator=generator, requires_grad=True) for rows in (4, 6))
    wanted = torch.tensor([0, 5, 2, 2])
    learned = softmax_loss.softmax_loss(states, table, torch.zeros(6), wanted)
    assert len(made) == 2, "logits, and the way back to the states"
    with torch.no_grad():
        listened = softmax_loss.softmax_loss(states, table, torch.zeros(6), wanted)
    assert len(made) == 3
    torch.testing.assert_close(listened, learned.detach())
    torch.testing.assert_close(
        learned.detach(), torch.nn.functional.cross_entropy(states @ table.T, wanted, reduction="sum").detach()
    )
