"""Adadelta takes the steps of torch.optim.Adadelta, and leaves the rows alone that a batch did not touch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.parts.adadelta import Adadelta
from erya.training import pack, unpack


def gradients(steps, shape):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator) for _ in range(steps)]


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_dense_steps_are_torchs(rate):
    mine = torch.nn.Parameter(torch.linspace(-1, 1, 15).view(3, 5))
    theirs = torch.nn.Parameter(mine.detach().clone())
    ours = Adadelta([mine], rate)
    peer = torch.optim.Adadelta([theirs], lr=rate, rho=0.95, eps=1e-6)
    for gradient in gradients(20, (3, 5)):
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step()
        peer.step()
    torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(mine, torch.linspace(-1, 1, 15).view(3, 5), atol=1e-3)


def test_a_sparse_step_is_a_dense_one_of_its_rows_and_the_others_keep_their_memory():
    table = torch.nn.Parameter(torch.ones(7, 3))
    row = torch.nn.Parameter(torch.ones(1, 3))
    ours, alone = Adadelta([table], 1.0, weight_decay=0.1), Adadelta([row], 1.0, weight_decay=0.1)
    for number, gradient in enumerate(gradients(6, (1, 3))):
        rows = torch.tensor([[2, 5 if number % 2 else 4]])
        table.grad = torch.sparse_coo_tensor(rows, torch.cat([gradient, gradient]), (7, 3))
        row.grad = gradient
        ours.step()
        alone.step()
    torch.testing.assert_close(table.detach()[2:3], row.detach())
    assert torch.equal(table.detach()[[0, 1, 3, 6]], torch.ones(4, 3))
    assert not torch.equal(table.detach()[4], table.detach()[2])


def test_its_memory_is_packed_and_unpacked():
    def standing():
        network = torch.nn.Linear(3, 2)
        with torch.no_grad():
            network.weight.fill_(0.5)
            network.bias.zero_()
        return network, Adadelta(network.parameters(), 1.0)

    def step(network, optimizer, gradient):
        network.weight.grad, network.bias.grad = gradient, gradient[:, 0]
        optimizer.step()

    network, optimizer = standing()
    some = gradients(4, (2, 3))
    for gradient in some[:2]:
        step(network, optimizer, gradient)
    arrays = pack(network, optimizer)
    other, fresh = standing()
    unpack(arrays, other, fresh)
    for gradient in some[2:]:
        step(network, optimizer, gradient)
        step(other, fresh, gradient)
    np.testing.assert_array_equal(network.weight.detach().numpy(), other.weight.detach().numpy())
