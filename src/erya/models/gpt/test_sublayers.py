"""What is learned with is what is asked: the halves of a layer with their way back, beside the equations in ``network.py``."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from erya.models.gpt import network as network_module
from erya.models.gpt import sublayers
from erya.models.gpt.gelu import bend
from erya.models.gpt.network import GPT, Form
from erya.parts.simd import LANES

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


@pytest.mark.parametrize(("tokens", "width"), [(1, 16), (7, 32), (21, 48), (64, 32), (70, 16)])
def test_the_kernels_look_as_torch_does(tokens, width, monkeypatch):
    """Whole registers and the rest of one, a document's border anywhere, every row's last unit as every first."""
    rows, heads = 3, 2
    generator = torch.Generator().manual_seed(tokens)
    sums = torch.randn(rows * tokens, 3 * heads * width, generator=generator) * 2
    resets = torch.rand(rows, tokens, generator=generator) < 0.1
    begins = torch.where(resets, torch.arange(tokens), 0).cummax(dim=1).values.flatten()
    sight = sublayers.Sight(tokens, heads, begins)
    d_context = torch.randn(rows * tokens, heads * width, generator=generator)
    context, weights = sublayers._look(sums, sight)
    found = sublayers._look_back(sums, sight, weights, d_context)
    monkeypatch.setattr(sublayers, "_of_registers", lambda sums, width: False)
    expected, shares = sublayers._look(sums.double(), sight)
    torch.testing.assert_close(context, expected.float(), atol=2e-5, rtol=2e-5)
    wanted = sublayers._look_back(sums.double(), sight, shares, d_context.double())
    torch.testing.assert_close(found, wanted.float(), atol=2e-4, rtol=1e-4)


def test_a_kernel_hides_no_nan():
    sums = torch.zeros(8, 3 * LANES)
    sums[5, 3] = torch.nan
    context, _ = sublayers._look(sums, sublayers.Sight(8, 1, torch.zeros(8, dtype=torch.long)))
    assert context[5].isnan().all()


def test_the_bend_and_its_slope():
    values = torch.linspace(-9, 9, 1001, dtype=torch.double, requires_grad=True)
    expected = functional.gelu(values, approximate="tanh")
    bent = values.detach().clone()
    slopes = bend(bent)
    torch.testing.assert_close(bent, expected.detach())
    torch.testing.assert_close(slopes, torch.autograd.grad(expected.sum(), values)[0])
