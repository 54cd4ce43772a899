from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.models.bilstm.network import SoftmaxTagger
from erya.parts.tag_batches import TagCorpus
from erya.parts.tagger_answers import emissions
from erya.parts.tagging_network import Body
from erya.parts.token_units import Lexicon
from erya.tasks import tag
from erya.text.tag_schemes import Allowed

SENTENCES = [["the", "dog", "can", "run"], ["we"], ["They", "see", "a", "Dog", "."]]
TAGS = np.array([0, 1, 2, 2, 3, 3, 2, 0, 1, 4])
CLASSES = 5


@pytest.fixture(scope="module")
def model():
    """A tiny one that has learned the toy set."""
    return catalog.model("tag/bilstm", "tiny").fit(*tag.toy(seed=1))


def lexicon():
    return Lexicon.of(SENTENCES, min_count=1, lower_case=False, paired=False, spelled=True)


def network(spelling="cnn", layers=1):
    found = lexicon()
    body = Body(
        words=len(found.words),
        dim=5,
        classes=CLASSES,
        hidden_width=4,
        layers=layers,
        spelling=spelling,
        letters=len(found.characters),
        character_dim=3,
        character_width=6,
        character_window=3,
        case_features=True,
        pairs=2,
        pair_dim=0,
        dropout=0.0,
        optimizer="adam",
        rules=Allowed(*(np.ones(shape, bool) for shape in (CLASSES, (CLASSES, CLASSES), CLASSES))),
    )
    return SoftmaxTagger(body, torch.Generator().manual_seed(5)).double()


def corpus():
    return TagCorpus(SENTENCES, lexicon(), TAGS, np.array([1.0, 2.0, 0.5]))


@pytest.mark.parametrize(("spelling", "layers"), [("cnn", 2), ("lstm", 1), ("none", 1)])
def test_gradients_of_everything_that_learns(spelling, layers):
    """The loss after a small push of one number of each weight, against what the way back says."""
    net, batch = network(spelling, layers), corpus().batch(np.arange(3))
    net.loss(batch).backward()
    for name, weights in net.named_parameters():
        gradient = weights.grad.to_dense()
        place = tuple(np.unravel_index(int(gradient.abs().argmax()), gradient.shape))
        with torch.no_grad():
            losses = []
            for push in (1e-5, -2e-5):
                weights[place] += push
                losses.append(float(net.loss(batch)))
            weights[place] += 1e-5
        assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-7, rel=1e-4), name
        assert gradient.abs().max() > 1e-6, name


def test_the_loss_is_the_sum_over_tokens():
    net, held = network(), corpus()
    batch = held.batch(np.arange(3))
    scores = net(batch).detach().numpy()
    shares = net.marginals(scores, batch.starts)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    costs = -np.log(shares[np.arange(len(batch.tags)), batch.tags])
    each = np.array([costs[low:high].sum() for low, high in zip(batch.starts[:-1], batch.starts[1:], strict=True)])
    np.testing.assert_allclose(net.losses(scores, batch.starts, batch.tags), each)
    assert float(net.loss(batch).detach()) == pytest.approx(float(batch.weights @ each) / 3)
    assert net.decoded(scores, batch.starts).tolist() == shares.argmax(axis=1).tolist()


def test_padding_and_company_change_nothing():
    net = network("lstm", 2)
    together = emissions(net, corpus())
    for row, sentence in enumerate(SENTENCES):
        low, high = corpus().starts[row : row + 2]
        np.testing.assert_allclose(emissions(net, TagCorpus([sentence], lexicon())), together[low:high], atol=1e-6)


def test_while_learning_a_sentence_loses_the_same_numbers_everywhere():
    net, batch = network(), corpus().batch(np.arange(3))
    object.__setattr__(net.body, "dropout", 0.5)
    found = net._dropped(torch.ones(10, 8), batch, torch.Generator().manual_seed(1))
    for low, high in zip(batch.starts[:-1], batch.starts[1:], strict=True):
        assert (found[low:high] == found[low]).all()
    assert set(found.flatten().tolist()) == {0.0, 2.0}
    assert net._dropped(found, batch, None) is found


def test_rare_words_become_unknown_while_learning():
    net = network("none")
    corpus = TagCorpus(SENTENCES, lexicon(), TAGS, word_dropout=1e6)  # all but surely
    batch = corpus.batch(np.arange(3))
    learning = net.features(batch, torch.Generator().manual_seed(1))[:, :5]
    assert torch.equal(learning[1:], net.embedding[1].expand(len(learning) - 1, -1))
    assert not torch.equal(net.features(batch)[1:, :5], learning[1:])


def test_one_token_and_ten_thousand(model):
    tokens = (["Anna", "met", "Lee", "in", "Paris", "today"] * 1700)[:10_000]
    short, long = model.predict([["Paris"], tokens])
    assert len(short) == 1
    assert len(long) == 10_000
    assert list(long)[6:12] == ["B-PER", "O", "B-PER", "O", "B-LOC", "O"]


def test_each_token_is_answered_by_itself(model):
    sentence = ["Anna", "Lee", "went", "from", "Paris", "to", "Lima", "."]
    arrays = model.trace(sentence).arrays
    assert "transitions" not in arrays
    assert "viterbi" not in arrays
    np.testing.assert_allclose(arrays["marginals"], model.predict_marginals([sentence])[0])
    assert arrays["path"].tolist() == arrays["emissions"].argmax(axis=1).tolist()
    best = arrays["emissions"].max(axis=1).sum()
    assert (arrays["runner_up_scores"] < best).all()
    assert "Paris" in model.trace(sentence).text()


def test_parts_of_speech_are_explained_where_it_is_least_sure():
    X, y = tag.toy_pos(seed=1)
    model = catalog.model("tag/bilstm", "tiny").fit(X, y)
    assert model.scheme_ == "none"
    sentence = ["the", "can", "can", "fish", "."]
    found = model.explain(sentence)
    least = int(model.predict_marginals([sentence])[0].max(axis=1).argmin())
    assert found.arrays["spans"].tolist() == [[least, least + 1]]
    verbs = model.explain(["they", "can", "a", "can", "."], "VERB")
    assert verbs.arrays["spans"].tolist() == [[1, 2]]
    assert "validation_f1" not in model.curve_[-1]
    assert "validation_accuracy" in model.curve_[-1]


def test_what_is_learned_survives_a_file(model, tmp_path):
    X, _ = tag.toy(seed=4, rows=30)
    again = catalog.load(model.save(tmp_path / "m.erya"))
    assert again.fingerprint() == model.fingerprint()
    assert again.predict(X) == model.predict(X)
    for change in (
        {"dim": 0},
        {"dim": True},
        {"scheme": "xyz"},
        {"lexicon": {"lower_case": 1, "paired": 0, "spelled": 1}},
    ):
        state = model.state()
        with pytest.raises(ValueError):
            type(model).restore(model.plain_params(), type(state)(state.arrays, state.data | change))


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
