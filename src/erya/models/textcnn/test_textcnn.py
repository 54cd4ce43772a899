from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya import catalog
from erya.errors import DivergedError, Interrupted, UsageError
from erya.models.textcnn import network as network_module
from erya.models.textcnn.estimator import TextCNN
from erya.models.textcnn.network import StrongestResponse
from erya.models.textcnn.pooling import KStrongest, RegionStrongest
from erya.models.textcnn.windows import window_rows
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify

VOCABULARY, DIM, FILTERS, CLASSES = 11, 3, 5, 7
TEXTS = [[1, 2, 3, 2], [4, 5, 6, 7, 2, 9], [], [9]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def network(windows=(1, 2, 4), dropout=0.0):
    return network_module.TextCNN(
        VOCABULARY, DIM, windows, FILTERS, CLASSES, dropout, torch.Generator().manual_seed(5)
    ).double()


def by_conv1d(net, ids):
    """The same features with torch's own convolution over a text between many zeros."""
    vectors = torch.cat([torch.zeros(6, DIM), net.embedding[ids], torch.zeros(6, DIM)]).T[None]  # (1, D, T + 12)
    found = []
    for window, filters, bias in zip(net.windows, net.filters, net.biases, strict=True):
        assert filters.shape == (DIM, window, FILTERS)
        found.append(functional.relu(functional.conv1d(vectors, filters.permute(2, 0, 1), bias)).amax(dim=2))
    return torch.cat(found, dim=1)[0]


def test_features_and_their_gradients_are_those_of_conv1d():
    net = network()
    with torch.no_grad():
        for bias in net.biases:
            bias.normal_(0, 0.3)
    batch = corpus().batch(np.arange(4))
    ours = net.features(batch)
    peer = torch.stack([by_conv1d(net, torch.tensor(TEXTS[row], dtype=torch.long)) for row in batch.rows.tolist()])
    assert ours.shape == (4, 3 * FILTERS)
    torch.testing.assert_close(ours, peer, atol=1e-12, rtol=0)
    weights = torch.randn(ours.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    learned = [net.embedding, *net.filters, *net.biases]
    mine = torch.autograd.grad((ours * weights).sum(), learned)
    theirs = torch.autograd.grad((peer * weights).sum(), learned)
    for one, other in zip(mine, theirs, strict=True):
        dense = one.to_dense() if one.is_sparse else one
        torch.testing.assert_close(dense, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_gradcheck_of_the_strongest_response(window):
    batch = corpus().batch(np.arange(4))
    generator = torch.Generator().manual_seed(window)
    shares = torch.randn(len(batch.tokens), window * FILTERS, dtype=torch.double, generator=generator)
    shares[0] = 0
    learned = shares[1:].clone().requires_grad_()

    def strongest(rest):
        return StrongestResponse.apply(torch.cat([shares[:1], rest]), batch.places, window)

    assert torch.autograd.gradcheck(strongest, (learned,))


def test_windows_reach_over_both_ends():
    rows = window_rows(torch.tensor([[4, 7]]), 2)
    assert rows.tolist() == [[[0, 1], [0, 9], [8, 15], [14, 1], [0, 1]]]


def test_gradcheck_of_the_loss():
    net = network(windows=(2, 3))
    batch = corpus().batch(np.arange(4))
    learned = [*net.filters, *net.biases, net.output, net.output_bias]
    with torch.no_grad():
        for bias in net.biases:
            bias += 0.2  # away from the kink of relu at 0

    def loss(*_):
        return net.loss(batch)

    assert torch.autograd.gradcheck(loss, tuple(learned))


def test_padding_and_company_change_nothing():
    net = network().float()
    whole = corpus()
    together = torch.zeros(4, CLASSES)
    batch = whole.batch(np.arange(4))
    together[batch.rows] = net(batch).detach()
    for row in range(4):
        torch.testing.assert_close(net(whole.batch(np.array([row])))[0].detach(), together[row], atol=1e-5, rtol=0)


def test_padding_never_learns():
    model = TextCNN(epochs=2, dim=4, filters=3, min_count=1).fit(*classify.toy(rows=30))
    assert not model.network_.embedding[0].any()


def test_window_takes_a_number_or_several_and_refuses_the_rest():
    X, y = classify.toy(rows=30)
    settings = {"dim": 4, "filters": 2, "epochs": 1}
    assert TextCNN(window=2, **settings).fit(X, y).network_.windows == (2,)
    for wrong in ((), (0,), (3, 3), "345", 2.5, (True,), 65):
        with pytest.raises(UsageError, match="window"):
            TextCNN(window=wrong, **settings).fit(X, y)


def test_the_trace_adds_up_to_the_answer():
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/textcnn", "tiny").fit(X, y)
    for text in ("the soup is tasty", ""):
        arrays = model.trace(text).arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        pooled = np.concatenate([arrays[f"pooled_{window}"] for window in model.network_.windows])
        np.testing.assert_allclose(pooled, arrays["features"])
    place = model.trace("the soup is tasty").arrays["place_2"]
    assert set(place.tolist()) <= set(range(4 + 2 + 1))


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
    X, y = classify.toy(seed=2, rows=130)
    settings = {"dim": 8, "filters": 6, "epochs": 5, "batch_size": 16, "learning_rate": 0.01, "clip_norm": 0.5}
    whole = TextCNN(**settings)
    counted = StopAt()
    whole.fit(X, y, report=counted)
    for step in np.random.default_rng(3).choice(np.arange(1, counted.steps), 5, replace=False).tolist():
        report = StopAt(step)
        with pytest.raises(Interrupted):
            TextCNN(**settings).fit(X, y, report=report)
        again = TextCNN(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
        assert again.fingerprint() == whole.fingerprint(), step
        assert again.curve_ == whole.curve_


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(monkeypatch, bad):
    X, y = classify.toy(seed=3, rows=90)
    settings = {"dim": 8, "filters": 6, "epochs": 4, "batch_size": 16, "patience": None, "min_count": 1}
    honest, seen = network_module.TextCNN.loss, []

    def poisoned(self, batch, generator=None):
        seen.append((self, [value.detach().clone() for value in self.parameters()]))
        loss = honest(self, batch, generator)
        return loss * bad if len(seen) == 4 else loss

    monkeypatch.setattr(network_module.TextCNN, "loss", poisoned)
    with pytest.raises(DivergedError, match=r"step 4 .*step 3, the last good one") as caught:
        TextCNN(**settings).fit(X, y)
    assert caught.value.exit == 6
    net, before = seen[-1]
    assert len(seen) == 4
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), before, strict=True))
    assert not torch.equal(seen[2][1][0], before[0]), "step 3 was taken"


def test_a_weight_of_two_is_the_row_twice():
    net = network().float()
    targets = np.array([0, 3, 6])
    weighted = Corpus(TEXTS[:3], VOCABULARY, targets, np.array([2.0, 1.0, 1.0])).batch(np.arange(3))
    repeated = Corpus([TEXTS[0], *TEXTS[:3]], VOCABULARY, np.array([0, *targets]), np.ones(4)).batch(np.arange(4))
    torch.testing.assert_close(net.loss(weighted), net.loss(repeated))


@pytest.mark.parametrize("places", [1, 2, 3])
def test_long_texts_are_read_in_pieces_with_the_same_answer_and_gradient(monkeypatch, places):
    net = network()
    batch = corpus().batch(np.arange(4))
    whole = net.loss(batch)
    gradients = torch.autograd.grad(whole, [*net.filters])
    monkeypatch.setattr(network_module, "PLACES_AT_ONCE", places)
    pieces = net.loss(batch)
    torch.testing.assert_close(pieces, whole, atol=1e-12, rtol=0)
    for one, other in zip(torch.autograd.grad(pieces, [*net.filters]), gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


# ---- Kim's four variants, and what Zhang & Wallace vary --------------------------------------------------------------


def variant(windows=(1, 2, 4), **settings):
    net = network_module.TextCNN(
        VOCABULARY, DIM, windows, FILTERS, CLASSES, 0.0, torch.Generator().manual_seed(5), **settings
    ).double()
    with torch.no_grad():
        for bias in net.biases:
            bias.normal_(0, 0.3, generator=torch.Generator().manual_seed(6))
    return net


def responses_of(net, number, ids):
    """(P, F) of the windows that touch a text, by torch's convolution; P = T + w − 1."""
    window = net.windows[number]
    empty = torch.zeros(window - 1, net.filters[number].shape[0], dtype=torch.double)
    vectors = torch.cat([empty, net.vectors(torch.tensor(ids, dtype=torch.long)), empty]).T[None]
    if vectors.shape[2] < window:
        return torch.zeros(0, FILTERS, dtype=torch.double)
    return functional.conv1d(vectors, net.filters[number].permute(2, 0, 1))[0].T


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus", "cube", "tanh_cube", "identity"])
def test_every_activation_may_follow_the_maximum(activation):
    """They rise, so the strongest response is the same before and after."""
    points = torch.linspace(-3, 3, 200, dtype=torch.double)
    values = network_module.ACTIVATIONS[activation](points)
    assert (values.diff() >= 0).all()
    net = variant(activation=activation)
    batch = corpus().batch(np.arange(4))
    first = responses_of(net, 1, TEXTS[int(batch.rows[0])])
    every = torch.cat([first, torch.zeros(1, FILTERS, dtype=torch.double)]) + net.biases[1]
    found = net.features(batch)[0, FILTERS : 2 * FILTERS]
    torch.testing.assert_close(found, network_module.ACTIVATIONS[activation](every).amax(dim=0), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kept", [2, 3, 9])
@pytest.mark.parametrize("places", [2, 16_384])
def test_the_strongest_of_each_filter_in_the_order_of_the_text(monkeypatch, kept, places):
    monkeypatch.setattr("erya.models.textcnn.pooling.PLACES_AT_ONCE", places)
    net = variant(strongest=kept)
    batch = corpus().batch(np.arange(4))
    found = net.features(batch)
    assert found.shape == (4, 3 * kept * FILTERS)
    for text, row in enumerate(batch.rows.tolist()):
        for number in range(3):
            every = responses_of(net, number, TEXTS[row]).detach().numpy()
            every = np.concatenate([every, np.zeros((kept, FILTERS))])
            rank = np.argsort(-every, axis=0, kind="stable")[:kept]
            expected = np.take_along_axis(every, np.sort(rank, axis=0), axis=0) + net.biases[number].detach().numpy()
            mine = found[text].view(3, kept, FILTERS)[number].detach().numpy()
            np.testing.assert_allclose(mine, np.maximum(expected, 0), atol=1e-12)


def test_gradcheck_of_several_strongest():
    batch = corpus().batch(np.arange(4))
    shares = torch.randn(len(batch.tokens), 2 * FILTERS, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    shares[0] = 0
    learned = shares[1:].clone().requires_grad_()

    def kept(rest):
        return KStrongest.apply(torch.cat([shares[:1], rest]), batch.places, 2, 3)

    assert torch.autograd.gradcheck(kept, (learned,))


def test_the_mean_is_over_windows_that_touch_the_text():
    net = variant(pooling="mean")
    batch = corpus().batch(np.arange(4))
    found = net.features(batch)
    for text, row in enumerate(batch.rows.tolist()):
        for number in range(3):
            every = functional.relu(responses_of(net, number, TEXTS[row]) + net.biases[number])
            expected = every.mean(dim=0) if TEXTS[row] else torch.zeros(FILTERS, dtype=torch.double)
            mine = found[text].view(3, FILTERS)[number]
            torch.testing.assert_close(mine, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("regions", [2, 3, 7])
@pytest.mark.parametrize("places", [2, 16_384])
def test_local_pooling_keeps_the_strongest_of_each_region_of_the_text(monkeypatch, regions, places):
    monkeypatch.setattr("erya.models.textcnn.pooling.PLACES_AT_ONCE", places)
    net = variant(pooling="local", regions=regions, activation="tanh")
    batch = corpus().batch(np.arange(4))
    found = net.features(batch)
    assert found.shape == (4, 3 * regions * FILTERS)
    for text, row in enumerate(batch.rows.tolist()):
        for number in range(3):
            every = responses_of(net, number, TEXTS[row]) if TEXTS[row] else torch.zeros(0, FILTERS)
            parts = [
                every[len(every) * part // regions : len(every) * (part + 1) // regions] for part in range(regions)
            ]
            expected = [part.amax(dim=0) if len(part) else torch.zeros(FILTERS).double() for part in parts]
            mine = found[text].view(3, regions, FILTERS)[number]
            torch.testing.assert_close(mine, torch.tanh(torch.stack(expected) + net.biases[number]), atol=1e-12, rtol=0)


def test_gradcheck_of_local_pooling():
    batch = corpus().batch(np.arange(4))
    shares = torch.randn(len(batch.tokens), 2 * FILTERS, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    shares[0] = 0
    learned = shares[1:].clone().requires_grad_()

    def kept(rest):
        return RegionStrongest.apply(torch.cat([shares[:1], rest]), batch.places, batch.lengths, 2, 3)

    assert torch.autograd.gradcheck(kept, (learned,))


def test_local_pooling_tells_where_an_n_gram_stood():
    """The global maximum cannot: the same words in another order, the filters one word wide."""
    texts = ["alpha x x x x x x omega", "omega x x x x x x alpha"] * 30
    labels = ["first", "second"] * 30
    settings = {"dim": 12, "window": 1, "filters": 16, "epochs": 30, "batch_size": 10, "dropout": 0.0, "min_count": 1}
    settings |= {"learning_rate": 0.02, "patience": None}
    local = TextCNN(pooling="local", regions=2, **settings).fit(texts, labels)
    assert local.score(texts, labels) == 1
    assert TextCNN(**settings).fit(texts, labels).score(texts, labels) == 0.5
    again = TextCNN.restore(local.plain_params(), local.state())
    np.testing.assert_array_equal(again.predict_proba(texts), local.predict_proba(texts))
    with pytest.raises(UsageError, match="pooling=max"):
        local.onnx_logits(None)


@pytest.mark.parametrize(
    "settings", [{"strongest": 3}, {"pooling": "mean"}, {"channels": 2}, {"pooling": "local", "regions": 3}]
)
def test_padding_and_company_change_nothing_in_any_variant(settings):
    net = variant(**settings).float()
    every = corpus()
    batch = every.batch(np.arange(4))
    together = torch.zeros(4, CLASSES)
    together[batch.rows] = net(batch).detach()
    for row in range(4):
        alone = net(every.batch(np.array([row])))[0].detach()
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=0)


def test_two_channels_are_a_convolution_with_two_input_channels():
    net = variant(windows=(2,), channels=2)
    with torch.no_grad():
        net.fixed[1:].normal_(0, 0.1, generator=torch.Generator().manual_seed(9))
    image = torch.stack([net.embedding[[0, *TEXTS[1], 0]], net.fixed[[0, *TEXTS[1], 0]]])[None]  # (1, 2, T + 2, D)
    kernels = net.filters[0].view(2, DIM, 2, FILTERS).permute(3, 0, 2, 1)  # (F, 2, w, D)
    expected = functional.relu(functional.conv2d(image, kernels, net.biases[0])[0, :, :, 0].amax(dim=1))
    found = net.features(Corpus([TEXTS[1]], VOCABULARY).batch(np.arange(1)))[0]
    torch.testing.assert_close(found, functional.relu(torch.maximum(expected, net.biases[0])), atol=1e-12, rtol=0)


def toy_table(dim=6):
    X, _ = classify.toy(seed=1)
    words = sorted({word for text in X for word in text.split() if word.isascii()})
    matrix = np.random.default_rng(0).normal(0, 0.3, (len(words), dim)).astype(np.float32)
    return words, KeyedVectors.of(words, matrix), matrix


def test_of_two_channels_one_learns_and_one_stays():
    X, y = classify.toy(seed=1, rows=90)
    words, table, matrix = toy_table()
    model = TextCNN(vectors=table, vectors_mode="multichannel", filters=4, epochs=2, min_count=1).fit(X, y)
    row, at = model.vocabulary_.index["guitar"], words.index("guitar")
    np.testing.assert_array_equal(model.network_.fixed[row].detach().numpy(), matrix[at])
    assert not np.array_equal(model.network_.embedding[row].detach().numpy(), matrix[at])
    assert model.network_.filters[0].shape == (12, 3, 4)
    again = TextCNN.restore(model.plain_params(), model.state())
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    shares = model.explain("the guitar is loud", method="integrated_gradients").arrays
    assert abs(shares["error"][0]) < 0.05 * abs(shares["difference"][0]) + 0.02
    with pytest.raises(UsageError, match="vectors"):
        TextCNN(vectors_mode="multichannel").fit(X, y)


def test_output_weights_stay_within_their_norm():
    X, y = classify.toy(seed=1, rows=90)
    settings = {"dim": 8, "filters": 6, "epochs": 4, "learning_rate": 0.05, "patience": None, "min_count": 1}
    free = TextCNN(**settings).fit(X, y).network_.output.detach().norm(dim=0)
    held = TextCNN(max_norm=0.7, **settings).fit(X, y).network_.output.detach().norm(dim=0)
    assert (free > 0.8).all()
    assert (held <= 0.7 + 1e-5).all()
    net = variant(max_norm=100.0)
    before = net.output.detach().clone()
    net.after_step()
    assert torch.equal(net.output.detach(), before), "what is short enough stays"


def test_the_papers_settings_learn_and_resume():
    X, y = classify.toy(seed=2, rows=90)
    settings = {"dim": 8, "filters": 6, "epochs": 3, "batch_size": 16}
    kim = catalog.model("classify/textcnn", "paper", settings)
    assert (kim.optimizer, kim.max_norm) == ("adadelta", 3.0)
    counted = StopAt()
    whole = catalog.model("classify/textcnn", "paper", settings).fit(X, y, report=counted)
    report = StopAt(counted.steps // 2)
    with pytest.raises(Interrupted):
        catalog.model("classify/textcnn", "paper", settings).fit(X, y, report=report)
    again = kim.fit(X, y, report=StopAt(None, report.checkpoint))
    assert again.fingerprint() == whole.fingerprint()
    assert (
        whole.fingerprint()
        != catalog.model("classify/textcnn", "paper", settings | {"optimizer": "adam"}).fit(X, y).fingerprint()
    )


@pytest.mark.parametrize(
    "settings", [{"strongest": 3}, {"pooling": "mean"}, {"activation": "tanh"}, {"pooling": "local", "regions": 3}]
)
def test_the_trace_of_every_pooling_adds_up(settings):
    X, y = classify.toy(seed=1, rows=120)
    model = catalog.model("classify/textcnn", "tiny", {"epochs": 3, **settings}).fit(X, y)
    for text in ("the soup is tasty and the soup is hot", "soup", ""):
        found = model.trace(text)
        arrays = found.arrays
        chosen = int(arrays["probabilities"].argmax())
        bias = float(model.network_.output_bias[chosen].detach())
        assert arrays["contributions"].sum() + bias == pytest.approx(arrays["logits"][chosen], abs=1e-5)
        for window, filter_bias in zip(model.network_.windows, model.network_.biases, strict=True):
            if "place_1" not in arrays or model.network_.kept == 1:
                continue
            responses = np.concatenate([arrays[f"responses_{window}"], np.zeros((3, 12), dtype=np.float32)])
            chosen_ones = np.take_along_axis(responses, arrays[f"place_{window}"], axis=0)
            expected = np.maximum(chosen_ones + filter_bias.detach().numpy(), 0)
            np.testing.assert_allclose(arrays[f"pooled_{window}"], expected, atol=1e-5)
        if text == "soup" and settings == {"pooling": "mean"}:
            heat = float(np.asarray(found.views[0].values).sum())
            assert heat == pytest.approx(float(arrays["contributions"].sum()), abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"activation": "elu"},
        {"pooling": "min"},
        {"strongest": 0},
        {"max_norm": 0},
        {"optimizer": "sgd"},
        {"pooling": "mean", "strongest": 2},
        {"strongest": 2, "pooling": "local", "regions": 2},
        {"pooling": "local", "regions": 1},
        {"pooling": "local", "regions": 65},
        {"pooling": "max", "regions": 2},
        {"vectors_mode": "both"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=sorted(wrong)[-1]):
        TextCNN(**wrong).fit(*classify.toy(rows=30))
