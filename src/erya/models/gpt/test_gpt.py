from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import erya
from erya import catalog
from erya.errors import Interrupted, UsageError
from erya.models.gpt.asking import CachingDecoder, window_start, windows
from erya.models.gpt.network import GPT, Form, seen
from erya.parts.stream_batches import StreamBatches
from erya.progress import Report
from erya.tasks import generate
from erya.text.unit_ids import BORDER

SMALL = {"dim": 6, "heads": 2, "layers": 2, "context": 9, "batch_size": 5, "epochs": 2, "tokenizer": "characters"}


def model(**settings):
    return catalog.model("generate/gpt", "tiny", settings)


def network(context=9, generator=0, **sizes):
    sizes = {"dim": 6, "layers": 2, "heads": 3, "inner_width": 10, **sizes}
    net = GPT(11, Form(context=context, **sizes), torch.Generator().manual_seed(generator))
    with torch.no_grad():
        for values in net.parameters():
            values.add_(
                torch.empty_like(values).normal_(0, 0.3, generator=torch.Generator().manual_seed(values.numel()))
            )
    return net


@pytest.fixture(scope="module")
def fitted():
    return model(**{**SMALL, "epochs": 3}).fit(generate.toy(seed=1, rows=200))


def test_the_network_is_the_formula():
    """One layer and one head, written out with loops over places."""
    net = network(layers=1, heads=1)
    (layer,) = net.steps()
    ids = torch.tensor([3, 1, 4, 1, 5])
    with torch.no_grad():
        x = net.embedding[ids] + net.positions[:5]
        z = layer.norm_attention(x)
        query = z @ layer.attention.query + layer.attention.query_bias
        key, value = (z @ layer.attention.key_value + layer.attention.key_value_bias).chunk(2, dim=1)
        found = torch.stack([torch.softmax(key[: t + 1] @ query[t] / 6**0.5, dim=0) @ value[: t + 1] for t in range(5)])
        x = x + found @ layer.attention.output + layer.attention.output_bias
        z = layer.norm_inner(x)
        bent = functional.gelu(z @ layer.widen + layer.widen_bias, approximate="tanh")
        x = x + bent @ layer.narrow + layer.narrow_bias
        mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, correction=0, keepdim=True)
        expected = net.norm.gain * (x - mean) / (variance + 1e-5).sqrt() + net.norm.shift
        torch.testing.assert_close(net(ids[None])[0], expected, rtol=1e-5, atol=1e-5)


def test_nothing_is_seen_of_the_future_or_of_another_document():
    net = network()
    ids = torch.tensor([[BORDER, 3, 4, BORDER, 5, 6, 7]])
    resets = ids == BORDER
    with torch.no_grad():
        together = net(ids, resets)
        torch.testing.assert_close(together[:, :3], net(ids[:, :3]))
        torch.testing.assert_close(together[:, 3:], net(ids[:, 3:]))
        torch.testing.assert_close(net(ids)[:, :4], net(ids[:, :4]))
    places, allowed = seen(7, resets)
    assert places.tolist() == [[0, 1, 2, 0, 1, 2, 3]]
    assert allowed[0, 0].sum(dim=1).tolist() == [1, 2, 3, 1, 2, 3, 4]


def test_the_loss_is_cross_entropy_over_real_targets():
    ids = np.array([0, 2, 3, 4, 0, 5, 6, 0], dtype=np.int32)
    batch = StreamBatches(ids, 2, 5, "random", seed=1).epoch(0).batch(0)
    net = network()
    loss, _ = net.loss(batch, ())
    logits = net(batch.inputs.T, None if batch.resets is None else batch.resets.T) @ net.embedding.T
    expected = functional.cross_entropy(
        logits.flatten(0, 1), batch.targets.T.flatten(), ignore_index=-1, reduction="sum"
    )
    torch.testing.assert_close(loss * batch.share, expected)
    assert batch.units == 7


@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_windows_answer_for_every_place_once(context):
    answered = {}
    for one in windows([0, 1, 4, 23], context):
        assert one.start == window_start(one.answers, context) == window_start(one.end - 1, context)
        assert 0 < one.end - one.start <= context
        assert one.answers - one.start >= min(one.answers, context // 2)
        for place in range(one.answers, one.end):
            assert (one.text, place) not in answered
            answered[one.text, place] = one
    assert set(answered) == {(text, place) for text, length in enumerate([0, 1, 4, 23]) for place in range(length)}


@pytest.mark.parametrize("context", [1, 2, 5, 9])
@pytest.mark.parametrize("keeping", [True, False])
def test_asked_step_by_step_it_says_what_documents_cost(context, keeping):
    """Texts longer than the context, of unlike lengths, that end at unlike times."""
    net = network(context)
    generator = np.random.default_rng(1)
    texts = [generator.integers(1, 11, size=size).astype(np.int32) for size in (0, 3, 21, 8)]
    logs = net.log_probabilities(texts)
    decoder = CachingDecoder(net, keeping=keeping)
    begun = [2 if len(text) > 2 else 0 for text in texts]
    memory, rows = decoder.start([text[:some].tolist() for text, some in zip(texts, begun, strict=True)])
    alive, found = list(range(len(texts))), [[] for _ in texts]
    while alive:
        kept, units = [], []
        for place, number in enumerate(alive):
            done = begun[number] + len(found[number])
            unit = [*texts[number].tolist(), BORDER][done]
            found[number].append(rows[place][unit])
            if done < len(texts[number]):
                kept.append(place)
                units.append(unit)
        alive = [alive[place] for place in kept]
        if alive:
            memory, rows = decoder.step(memory, kept, units)
    for one, other, some in zip(found, logs, begun, strict=True):
        np.testing.assert_allclose(one, other[some:], atol=1e-5)


def test_a_memory_may_be_gone_on_with_twice_in_one_step():
    net = network()
    decoder = CachingDecoder(net)
    memory, _ = decoder.start([[3, 4], [5]])
    memory, rows = decoder.step(memory, [1, 0, 1], [6, 7, 8])
    memory, rows = decoder.step(memory, [2, 1, 0], [1, 2, 3])
    for row, prefix in zip(rows, ([5, 8, 1], [3, 4, 7, 2], [5, 6, 3]), strict=True):
        np.testing.assert_allclose(row, CachingDecoder(net).start([prefix])[1][0], atol=1e-5)


def test_order_company_and_length_change_nothing(fitted):
    texts = ["", "the", *generate.toy(seed=2, rows=4), " ".join(generate.toy(seed=3, rows=9)), "🦄 sees"]
    together = fitted.surprisals(texts)
    for text, one in zip(texts, together, strict=True):
        np.testing.assert_allclose(one.bits, fitted.surprisals([text])[0].bits, rtol=1e-5, atol=1e-5)


class StopAt(Report):
    """Asks to stop after so many steps and keeps the checkpoint; gives it back when training begins again."""

    def __init__(self, step=None, checkpoint=None):
        self.step, self.checkpoint, self.steps = step, checkpoint, 0

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


def test_resuming_saving_and_loading_keep_the_bits(tmp_path):
    texts, settings = generate.toy(seed=4, rows=100), {**SMALL, "dropout": 0.2, "warmup": 0.2}
    whole, counted = model(**settings), StopAt()
    whole.fit(texts, report=counted)
    assert "validation_loss" in whole.curve_[0]
    for step in (1, counted.steps // 2, counted.steps - 1):
        report = StopAt(step)
        with pytest.raises(Interrupted):
            model(**settings).fit(texts, report=report)
        again = model(**settings).fit(texts, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint()
    loaded = erya.load(whole.save(tmp_path / "m.erya"))
    assert loaded.fingerprint() == whole.fingerprint()
    assert loaded.write(["the"], seed=2, length=30) == whole.write(["the"], seed=2, length=30)


def test_the_trace_says_what_the_model_says(fitted):
    text = "the cat"
    found, told = fitted.trace(text), fitted.surprisals([text])[0]
    np.testing.assert_allclose(found.arrays["bits"], told.bits, rtol=1e-4, atol=1e-4)
    weights = found.arrays["attention_2"]
    assert weights.shape == (2, 8, 8)
    np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-5)
    assert (np.triu(weights, 1) == 0).all()
    assert len(found.views) == 2 + 4
    long = fitted.trace("the cat sees a bird.")
    assert long.arrays["bits"].shape == (9,)
    assert fitted.trace("").arrays["bits"].shape == (1,)


@pytest.mark.parametrize(
    ("name", "value"), [("heads", 5), ("layers", 0), ("inner_width", 0), ("context", 0), ("dropout", 1)]
)
def test_bad_settings(name, value):
    with pytest.raises(UsageError, match=name):
        model(**{name: value}).fit(generate.toy(rows=20))


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
