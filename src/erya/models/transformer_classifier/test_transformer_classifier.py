from __future__ import annotations

import doctest
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import Interrupted, UsageError
from erya.models.transformer_classifier.estimator import TransformerClassifier
from erya.models.transformer_classifier.network import MOST_TOKENS, Form, TransformerEncoder, sinusoids
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, CLASSES = 11, 6, 7
TEXTS = [[1, 2, 3], [4, 5, 6, 7, 2], [], [9], [3, 3, 8]]
FORM = Form(layers=2, heads=3, inner_width=5)
FORMS = {
    "as it is": FORM,
    "as published": FORM._replace(norm="post", activation="relu"),
    "learned positions, strongest": FORM._replace(positions="learned", pooling="max"),
    "[CLS]": FORM._replace(pooling="cls"),
    "[CLS], learned positions, norm behind": FORM._replace(pooling="cls", norm="post", positions="learned"),
    "no positions": FORM._replace(positions="none"),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(form=FORM, dim=DIM):
    return TransformerEncoder(VOCABULARY, dim, CLASSES, form, torch.Generator().manual_seed(5)).double()


def everything(texts=TEXTS):
    return corpus(texts).batch(np.arange(len(texts)))


def torch_twin(layer, form):
    """torch.nn.TransformerEncoderLayer with the same weights."""
    twin = torch.nn.TransformerEncoderLayer(
        DIM, form.heads, form.inner_width, 0.0, form.activation, batch_first=True, norm_first=form.norm == "pre"
    ).double()
    attention = layer.attention
    with torch.no_grad():
        twin.self_attn.in_proj_weight.copy_(torch.cat([attention.query, attention.key_value], dim=1).T)
        twin.self_attn.in_proj_bias.copy_(torch.cat([attention.query_bias, attention.key_value_bias]))
        twin.self_attn.out_proj.weight.copy_(attention.output.T)
        twin.self_attn.out_proj.bias.copy_(attention.output_bias)
        for theirs, matrix, bias in (
            (twin.linear1, layer.widen, layer.widen_bias),
            (twin.linear2, layer.narrow, layer.narrow_bias),
        ):
            theirs.weight.copy_(matrix.T)
            theirs.bias.copy_(bias)
        for theirs, mine in ((twin.norm1, layer.norm_attention), (twin.norm2, layer.norm_inner)):
            theirs.weight.copy_(mine.gain)
            theirs.bias.copy_(mine.shift)
    return twin


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_layer_is_that_of_torch(norm, activation):
    form = FORM._replace(norm=norm, activation=activation)
    net = network(form)
    with torch.no_grad():  # biases and norms that begin as nothing are given something to do
        for number, value in enumerate(net.parameters()):
            value.add_(0.3 * torch.randn(value.shape, generator=torch.Generator().manual_seed(number)))
    states, allowed = net.entered(everything())
    lengths = everything().lengths.tolist()
    for layer in net.layers:
        mine = layer(states, allowed)
        padding = ~allowed[:, 0, 0]
        theirs = torch_twin(layer, form)(states, src_key_padding_mask=padding)
        for row, length in enumerate(lengths):
            torch.testing.assert_close(mine[row, :length], theirs[row, :length], atol=1e-12, rtol=0)
        states = mine


@each_form
def test_gradients_are_those_of_finite_differences(form):
    net = network(form._replace(layers=1))
    batch = everything()
    for name, value in net.named_parameters():
        if name in ("embedding", "positions"):
            continue  # sparse, or mostly unused: below
        gradient = torch.autograd.grad(net.loss(batch), value)[0]
        direction = torch.randn(value.shape, dtype=torch.double, generator=torch.Generator().manual_seed(3))
        assert float((gradient * direction).sum()) == pytest.approx(slope(net, value, direction, batch), abs=1e-7), name


def slope(net, value, direction, batch, step=1e-5):
    with torch.no_grad():
        value += step * direction
        above = float(net.loss(batch))
        value -= 2 * step * direction
        below = float(net.loss(batch))
        value += step * direction
    return (above - below) / (2 * step)


def test_gradients_of_word_vectors_and_learned_positions():
    net = network(FORMS["learned positions, strongest"])
    batch = everything()
    for value in (net.embedding, net.positions):
        gradient = torch.autograd.grad(net.loss(batch), value)[0].to_dense()
        direction = torch.randn(value.shape, dtype=torch.double, generator=torch.Generator().manual_seed(4))
        direction[0] = 0 if value is net.embedding else direction[0]
        assert float((gradient * direction).sum()) == pytest.approx(slope(net, value, direction, batch), abs=1e-7)
    assert not torch.autograd.grad(net.loss(batch), net.embedding)[0].to_dense()[0].any(), "padding learns nothing"


@each_form
def test_padding_and_company_change_nothing(form):
    net = network(form).float()
    whole, together = corpus(), torch.zeros(len(TEXTS), CLASSES)
    batch = everything()
    together[batch.rows] = net(batch).detach()
    assert together.isfinite().all()
    for row in range(len(TEXTS)):
        alone = net(whole.batch(np.array([row])))[0].detach()
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=0)


def test_what_stands_in_the_padding_is_never_looked_at():
    net = network()
    states, allowed = net.entered(everything())
    changed = states.masked_fill(~allowed[:, 0, 0, :, None], 1e6)
    for layer in net.layers:
        states, changed = layer(states, allowed), layer(changed, allowed)
    for row, length in enumerate(everything().lengths.tolist()):
        assert torch.equal(states[row, :length], changed[row, :length])


def test_without_positions_a_text_is_a_bag_of_words():
    backwards = everything([text[::-1] for text in TEXTS])
    free = network(FORMS["no positions"])
    torch.testing.assert_close(free(everything()), free(backwards), atol=1e-12, rtol=0)
    assert not torch.allclose(network()(everything()), network()(backwards), atol=1e-3)


def test_sinusoids():
    table = sinusoids(6, 5)
    assert table.shape == (6, 5)
    assert float(table[3, 0]) == pytest.approx(math.sin(3))
    assert float(table[3, 3]) == pytest.approx(math.cos(3 / 10_000 ** (2 / 5)), abs=1e-6)


def test_texts_up_to_the_longest():
    for form in (FORM, FORMS["[CLS], learned positions, norm behind"]):
        long = everything([[2] * MOST_TOKENS])
        assert network(form)(long).isfinite().all()
    assert TransformerClassifier.most_tokens == MOST_TOKENS


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("heads", 0),
        ("layers", 1.5),
        ("norm", "none"),
        ("positions", "rotary"),
        ("pooling", "last"),
        ("word_dropout", 1.0),
    ],
)
def test_settings_out_of_range(name, wrong):
    with pytest.raises(UsageError, match=name):
        TransformerClassifier(**{name: wrong}).fit(*classify.toy(rows=30))


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_the_trace_is_the_forward_pass(pooling):
    model = catalog.model("classify/transformer_classifier", "tiny", {"pooling": pooling, "epochs": 2})
    model.fit(*classify.toy(seed=1, rows=60))
    more = int(pooling == "cls")
    for text, tokens in (("the soup is tasty", 4), ("soup", 1), ("", 0)):
        trace = model.trace(text)
        arrays = trace.arrays
        tokens += more
        assert arrays["attention_1"].shape == (2, tokens, tokens)
        np.testing.assert_allclose(arrays["attention_1"].sum(axis=2), 1, atol=1e-6)
        np.testing.assert_allclose(arrays["probabilities"], model.predict_proba([text])[0], atol=1e-6)
        output, bias = model.network_.output.detach().numpy(), model.network_.output_bias.detach().numpy()
        np.testing.assert_allclose(arrays["features"] @ output + bias, arrays["logits"], atol=1e-5)
        if not more:
            chosen = int(arrays["logits"].argmax())
            assert arrays["contributions"].sum() + bias[chosen] == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        assert trace.text(color=False)
        assert "</html>" in trace.html()


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


def test_resuming_ends_with_the_same_bits():
    X, y = classify.toy(seed=2, rows=60)
    settings = {"dim": 8, "layers": 1, "heads": 2, "inner_width": 8, "epochs": 2, "batch_size": 16, "word_dropout": 0.3}
    whole = TransformerClassifier(**settings).fit(X, y)
    report = StopAt(6)
    with pytest.raises(Interrupted):
        TransformerClassifier(**settings).fit(X, y, report=report)
    again = TransformerClassifier(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
    assert again.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
