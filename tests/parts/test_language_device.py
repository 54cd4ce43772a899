"""What a GPU would do, done on the processor: products in half precision, compiled parts, weights that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import ResourceError, UsageError
from erya.models.gpt.network import GPT, Form
from erya.parts import language_device, language_training
from erya.parts.language_device import Place, moved, place_for, placed, precision
from erya.parts.stream_batches import StreamBatches
from erya.tasks import generate

TEXT = np.tile(np.array([0, 2, 3, 4, 5, 2, 4, 3, 5], dtype=np.int32), 30)


def network():
    return GPT(6, Form(16, 2, 2, 32, 9), torch.Generator().manual_seed(1))


def loss(place, dropout=None):
    batch = moved(StreamBatches(TEXT, 4, 9, "random").epoch(0).batch(0), place)
    model = network()
    with placed(model, place), precision(place):
        found = model.loss(batch, (), dropout)[0]
    found.backward()
    return float(found.detach()), model.embedding.grad


def test_half_precision_is_near_and_keeps_weights_and_gradients_whole():
    (whole, slope), (half, half_slope) = loss(Place()), loss(Place(half=True))
    assert half != whole
    assert half == pytest.approx(whole, rel=0.01)
    assert half_slope.dtype == torch.float32
    assert torch.cosine_similarity(slope.flatten(), half_slope.flatten(), dim=0) > 0.999


def test_a_compiled_network_says_the_same_and_is_then_itself_again():
    place, model = Place(compiler="eager"), network()
    with placed(model, place):
        assert all(part._compiled_call_impl is not None for part in model.compiled_parts())
        batch = StreamBatches(TEXT, 4, 9, "random").epoch(0).batch(0)
        with torch.no_grad():
            found = float(model.loss(batch, ())[0])
    assert found == pytest.approx(loss(Place())[0], rel=1e-5)
    assert all(part._compiled_call_impl is None for part in model.compiled_parts())


def test_a_training_in_half_precision_learns(monkeypatch):
    monkeypatch.setattr(language_training, "place_for", lambda network: Place(half=True))
    toy = generate.toy(seed=1)
    model = catalog.model("generate/gpt", "tiny").fit(toy)
    assert -model.score(generate.toy(seed=2)) < 0.8 * generate.baseline(toy, generate.toy(seed=2))
    assert all(weights.dtype == torch.float32 for weights in model.network_.parameters())


def test_where_it_learns(monkeypatch):
    monkeypatch.delenv("ERYA_DEVICE", raising=False)
    assert place_for(network()) == Place()
    monkeypatch.setattr(language_device, "check_device", lambda name: None)
    monkeypatch.setenv("ERYA_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(language_device, "find_spec", lambda name: object())
    assert place_for(network()) == Place(torch.device("cuda"), half=True, compiler="inductor")
    assert place_for(torch.nn.Linear(1, 1)) == Place(torch.device("cuda"))


@pytest.mark.parametrize(("device", "error"), [("cuda:99", ResourceError), ("tpu", UsageError)])
def test_a_device_that_is_not_there(monkeypatch, device, error):
    monkeypatch.setenv("ERYA_DEVICE", device)
    with pytest.raises(error):
        catalog.model("generate/gpt", "tiny").fit(generate.toy(seed=1))
