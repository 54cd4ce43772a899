"""What is learned with is what is asked: the halves of a layer with their way back, beside the equations in ``network.py``."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from erya.models.gpt import network as network_module
from erya.models.gpt.gelu import bend
from erya.models.gpt.network import GPT, Form

V, D, A, INNER, B, T = 11, 12, 3, 20, 3, 7


@pytest.fixture
def network():
    found = GPT(V, Form(D, 2, A, INNER, T, dropout=0.25), torch.Generator().manual_seed(1)).double()
    generator = torch.Generator().manual_seed(2)
    for values in found.parameters():  # far from where a training begins: biases count, gates are open and shut
        values.data.normal_(0, 0.5, generator=generator)
    return found


def batch(seed=3):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(V, (B, T), generator=generator)
    return inputs, torch.rand(B, T, generator=generator) < 0.3


def outcome(network, monkeypatch, longest, resets, generator=None):
    """States and the gradient of a weighted sum of them, by all weights."""
    monkeypatch.setattr(network_module, "LONGEST", longest)
    inputs, where = batch()
    states = network(inputs, where if resets else None, generator)
    weights = torch.randn(states.shape, dtype=torch.double, generator=torch.Generator().manual_seed(4))
    return states, torch.autograd.grad((states * weights).sum(), list(network.parameters()))


@pytest.mark.parametrize("resets", [False, True])
def test_values_and_derivatives(network, monkeypatch, resets):
    states, gradients = outcome(network, monkeypatch, T, resets)
    written, expected = outcome(network, monkeypatch, 0, resets)
    torch.testing.assert_close(states, written)
    for (name, _), found, wanted in zip(network.named_parameters(), gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted, msg=lambda text, name=name: f"{name}: {text}")


def test_dropout_is_the_same(network, monkeypatch):
    states, gradients = outcome(network, monkeypatch, T, True, torch.Generator().manual_seed(5))
    written, expected = outcome(network, monkeypatch, 0, True, torch.Generator().manual_seed(5))
    plain, _ = outcome(network, monkeypatch, T, True)
    torch.testing.assert_close(states, written)
    for found, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted)
    assert not torch.allclose(states, plain)


def test_single_numbers_too(network, monkeypatch):
    """float32, which has a kernel of its own for products."""
    network = network.float()
    states, gradients = (part for part in outcome(network, monkeypatch, T, True))
    written, expected = outcome(network, monkeypatch, 0, True)
    torch.testing.assert_close(states, written, atol=1e-4, rtol=1e-4)
    for found, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


def test_the_bend_and_its_slope():
    values = torch.linspace(-9, 9, 1001, dtype=torch.double, requires_grad=True)
    expected = functional.gelu(values, approximate="tanh")
    bent = values.detach().clone()
    slopes = bend(bent)
    torch.testing.assert_close(bent, expected.detach())
    torch.testing.assert_close(slopes, torch.autograd.grad(expected.sum(), values)[0])
