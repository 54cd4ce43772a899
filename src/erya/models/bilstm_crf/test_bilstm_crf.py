from __future__ import annotations

import doctest
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import DataError, Interrupted, UsageError
from erya.models.bilstm_crf.estimator import BiLSTMCRF
from erya.models.bilstm_crf.network import CRFTagger
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.tag_batches import TagCorpus
from erya.parts.tagger_answers import emissions
from erya.parts.tagging_network import Body
from erya.parts.token_units import Lexicon
from erya.progress import Report
from erya.tasks import tag
from erya.text.tag_schemes import Allowed

SENTENCES = [["Anna", "saw", "IBM"], ["saw"], ["Anna", "and", "anna", "saw", "x"], ["and", "and"]]
TAGS = np.array([0, 2, 1, 2, 1, 0, 2, 2, 0, 1, 1])
CLASSES = 3
FREE = Allowed(np.ones(3, bool), np.ones((3, 3), bool), np.ones(3, bool))


@pytest.fixture(scope="module")
def model():
    """A tiny one that has learned the toy set."""
    return catalog.model("tag/bilstm_crf", "tiny").fit(*tag.toy(seed=1))


def lexicon(paired=True):
    return Lexicon.of(SENTENCES, min_count=1, lower_case=True, paired=paired, spelled=True)


def network(spelling="cnn", layers=1, rules=FREE, paired=True):
    found = lexicon(paired)
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
        pairs=len(found.pairs),
        pair_dim=2 if paired else 0,
        dropout=0.0,
        optimizer="adam",
        rules=rules,
    )
    made = CRFTagger(body, torch.Generator().manual_seed(5))
    with torch.no_grad():
        for seed, weights in enumerate((made.transitions, made.first, made.last)):
            weights.normal_(generator=torch.Generator().manual_seed(seed))
    return made.double()


def corpus(tags=TAGS):
    return TagCorpus(SENTENCES, lexicon(), tags, np.array([1.0, 2.0, 0.5, 1.0]))


@pytest.mark.parametrize(("spelling", "layers"), [("cnn", 1), ("lstm", 2), ("none", 1)])
def test_gradients_of_everything_that_learns(spelling, layers):
    """The loss after a small push of one number of each weight, against what the way back says."""
    net, batch = network(spelling, layers), corpus().batch(np.arange(4))
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
        slope = (losses[0] - losses[1]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=2e-6, rel=1e-5), name
        assert gradient.abs().max() > 1e-6, name


def test_the_loss_is_that_of_all_paths():
    net, held = network(), corpus()
    batch = held.batch(np.arange(4))
    scores = net(batch).detach().numpy()
    total = 0.0
    first, pairs, last = (weights.detach().numpy() for weights in (net.first, net.transitions, net.last))
    for row, (low, high) in enumerate(zip(batch.starts[:-1], batch.starts[1:], strict=True)):

        def value(path, low=low):
            steps = sum(pairs[one, two] for one, two in pairwise(path))
            return sum(scores[low + t, y] for t, y in enumerate(path)) + first[path[0]] + steps + last[path[-1]]

        every = [value(path) for path in product(range(CLASSES), repeat=high - low)]
        total += batch.weights[row] * (np.logaddexp.reduce(every) - value(batch.tags[low:high].tolist()))
    assert float(net.loss(batch).detach()) == pytest.approx(total / 4, rel=1e-5)
    exact = net.losses(scores, batch.starts, batch.tags)
    assert float(batch.weights @ exact) == pytest.approx(total)


def test_scores_that_are_not_finite_give_a_loss_that_is_not():
    net = network()
    with torch.no_grad():
        net.output[0, 0] = np.inf
    loss = net.loss(corpus().batch(np.arange(4)))
    loss.backward()
    assert not np.isfinite(float(loss.detach()))


def test_padding_and_company_change_nothing():
    net = network("lstm", 2)
    together = emissions(net, corpus())
    for row, sentence in enumerate(SENTENCES):
        low, high = corpus().starts[row : row + 2]
        alone = emissions(net, TagCorpus([sentence], lexicon()))
        np.testing.assert_allclose(alone, together[low:high], atol=1e-6)


def test_rules_bind_and_bend_only_where_they_must():
    """B must be followed by E, E follows B alone, O may stand anywhere; nothing may end with B. Of one B alone no path is left."""
    follows = np.array([[False, True, False], [True, False, True], [True, False, True]])
    rules = Allowed(np.array([True, False, True]), follows, np.array([False, True, True]))
    net = network(rules=rules)
    scores, starts = np.random.default_rng(0).normal(0, 30, (9, 3)), np.array([0, 4, 9])
    path = net.decoded(scores, starts)
    for low, high in ((0, 4), (4, 9)):
        steps = path[low:high]
        assert rules.first[steps[0]]
        assert rules.last[steps[-1]]
        assert follows[steps[:-1], steps[1:]].all()
    shares = net.marginals(scores, starts)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 1] == shares[3, 0] == 0
    closed = network(rules=Allowed(np.array([True, False, False]), follows, np.array([False, True, True])))
    assert closed.decoded(scores[:1], np.array([0, 1])).shape == (1,), "an answer all the same"
    np.testing.assert_allclose(closed.marginals(scores[:1], np.array([0, 1])).sum(), 1)


def test_tags_in_any_scheme_come_back_sound_and_in_that_of_the_data():
    X, y = tag.toy(seed=1, rows=120)
    for scheme in ("data", "bioes", "bmes"):
        model = catalog.model("tag/bilstm_crf", "tiny", {"scheme": scheme, "epochs": 2}).fit(X, y)
        answers = model.predict(X[:50])
        assert model.data_scheme_ == "iob2"
        assert tag.scheme_of(answers) == "iob2"
        assert model.scheme_ == ("iob2" if scheme == "data" else scheme)


class Listening(Report):
    def __init__(self, stop_at=None, saved=None):
        self.steps, self.stop_at, self.saved, self.sentences = 0, stop_at, saved, []

    def note(self, sentence):
        self.sentences.append(sentence)

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.stop_at else None

    def save_checkpoint(self, state):
        self.saved = state

    def load_checkpoint(self):
        return self.saved


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum"])
def test_killed_and_resumed_the_same_bits(optimizer):
    X, y = tag.toy(seed=1, rows=110)
    settings = {
        "epochs": 2,
        "optimizer": optimizer,
        "schedule": "cosine",
        "warmup": 0.3,
        "characters": "lstm",
        "pair_dim": 3,
    }
    whole = catalog.model("tag/bilstm_crf", "tiny", settings).fit(X, y, report=(told := Listening()))
    killed = Listening(stop_at=told.steps // 2 + 2)
    with pytest.raises(Interrupted):
        catalog.model("tag/bilstm_crf", "tiny", settings).fit(X, y, report=killed)
    again = catalog.model("tag/bilstm_crf", "tiny", settings).fit(X, y, report=Listening(saved=killed.saved))
    assert again.fingerprint() == whole.fingerprint()
    assert any("held out" in sentence for sentence in told.sentences)


def test_going_on_keeps_tags_and_words():
    X, y = tag.toy(seed=1, rows=60)
    model = catalog.model("tag/bilstm_crf", "tiny", {"epochs": 1}).fit(X, y)
    words, classes, before = len(model.lexicon_.words), model.classes_.tolist(), model.fingerprint()
    model.partial_fit([["it", "rained", "hard"], X[0]], [["O", "O", "O"], y[0]])
    assert (len(model.lexicon_.words), model.classes_.tolist()) == (words, classes)
    assert (kept := model.fingerprint()) != before
    with pytest.raises(UsageError, match="MISC"):
        model.partial_fit([["a", "b"], X[0]], [["B-MISC", "O"], y[0]])
    assert model.fingerprint() == kept
    for scheme, tags in (("data", {"B-ORG", "I-ORG"}), ("bioes", {"B-ORG", "I-ORG", "E-ORG", "S-ORG"})):
        named = catalog.model("tag/bilstm_crf", "tiny", {"epochs": 1, "scheme": scheme})
        named.partial_fit(X, y, classes=["B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O"])
        assert {name for name in named.classes_.tolist() if "ORG" in name} == tags


def test_vectors_are_begun_with_found_in_lower_case_and_stay(tmp_path):
    X, y = tag.toy(seed=1, rows=60)
    words = ["anna", "paris", "met", "in", "today", "王", "在", "elsewhere"]
    matrix = np.random.default_rng(0).normal(size=(len(words), 6)).astype(np.float32)
    path = KeyedVectors.of(words, matrix).save(tmp_path / "v.erya")
    told = Listening()
    settings = {
        "dim": None,
        "vectors": path,
        "vectors_mode": "static",
        "lower_case": False,
        "epochs": 1,
        "min_coverage": 0.1,
    }
    model = catalog.model("tag/bilstm_crf", "tiny", settings).fit(X, y, report=told)
    table, index = model.state().arrays["network.embedding"], model.lexicon_.words.index
    for word, row in (("Anna", 0), ("Paris", 1), ("elsewhere", 7)):
        np.testing.assert_array_equal(table[index[word]], matrix[row])
    assert any(f"{model.coverage_['tokens']:.1%}" in sentence for sentence in told.sentences)
    path.unlink()
    assert catalog.load(model.save(tmp_path / "m.erya")).predict(X) == model.predict(X)
    other = KeyedVectors.of(["voiture", "maison"], matrix[:2])
    with pytest.raises(DataError, match=r"0\.0%"):
        catalog.model("tag/bilstm_crf", "tiny", {"dim": None, "vectors": other}).fit(X, y)
    with pytest.raises(UsageError, match="dim=5"):
        catalog.model("tag/bilstm_crf", "tiny", {"dim": 5, "vectors": other, "min_coverage": 0}).fit(X, y)


@pytest.mark.parametrize(
    "wrong",
    [
        {"characters": "rnn"},
        {"optimizer": "adadelta"},
        {"character_window": 2},
        {"characters": "lstm", "character_width": 7},
        {"layers": 0},
        {"case_features": 1},
        {"word_dropout": -1.0},
        {"pair_dim": -1},
        {"dropout": 1.0},
        {"vectors_mode": "static"},
    ],
    ids=str,
)
def test_settings_out_of_range(wrong):
    X, y = tag.toy(rows=10)
    with pytest.raises(UsageError, match=list(wrong)[-1]):
        BiLSTMCRF(**wrong).fit(X, y)


def test_the_trace_is_the_way_of_the_answer(model):
    for sentence in (["Anna", "Lee", "went", "from", "Paris", "to", "Lima", "."], ["Anna"], []):
        arrays = model.trace(sentence).arrays
        names = model.classes_[arrays["path"]].tolist()
        assert tag.convert([names], "iob2")[0] == list(model.predict([sentence])[0])
        np.testing.assert_allclose(arrays["marginals"], model.predict_marginals([sentence])[0])
        if sentence:
            best = (arrays["viterbi"][-1] + arrays["last"]).max()
            way = arrays["emissions"][np.arange(len(sentence)), arrays["path"]].sum()
            way += arrays["first"][arrays["path"][0]] + arrays["last"][arrays["path"][-1]]
            way += arrays["transitions"][arrays["path"][:-1], arrays["path"][1:]].sum()
            assert way == pytest.approx(best)
            assert (arrays["runner_up_scores"] <= best).all()
            assert (arrays["runner_up_scores"] > best - 1e5).all(), "no runner-up breaks the rules"
            assert "Anna" in model.trace(sentence).text()


def test_a_span_is_explained_by_its_tokens_and_its_neighbours(model):
    sentence = ["Anna", "went", "from", "Paris", "to", "Lima", "."]
    found = model.explain(sentence)
    assert found.arrays["spans"].tolist() == [[0, 1], [3, 4], [5, 6]]
    assert found.arrays["contributions"].shape == (3, 7)
    strongest = found.arrays["contributions"].argmax(axis=1)  # the span's token, or the word before that announces it
    assert strongest[0] in (0, 1)
    assert strongest[1] in (2, 3)
    assert strongest[2] in (4, 5)
    assert model.explain(sentence, "LOC").arrays["spans"].tolist() == [[3, 4], [5, 6]]
    assert model.explain(["it", "rained"]).arrays["spans"].shape == (0, 2)
    with pytest.raises(UsageError, match="ORG"):
        model.explain(sentence, "ORG")


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
