"""Naive Bayes: the textbook's example by hand, brute force, scikit-learn, weights, explanations that add up."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from math import exp, log
from pathlib import Path

import numpy as np
import pytest

import erya
from erya.errors import DataError, Interrupted, UsageError
from erya.models.naive_bayes.estimator import NaiveBayes, class_totals, log_shares, posterior
from erya.parts.ngrams import Tokens, pieces_of
from erya.progress import Report
from erya.state import State
from erya.tasks import classify
from erya.text import Words

# Manning, Raghavan and Schütze, Introduction to Information Retrieval, example 13.1
CHINA = ["Chinese Beijing Chinese", "Chinese Chinese Shanghai", "Chinese Macao", "Tokyo Japan Chinese"]
IS_CHINA = ["yes", "yes", "yes", "no"]
PLAIN = {"word_ngrams": 1, "max_n": 0, "smoothing": 1.0}

TEXTS = ["tea and time", "time for tea", "team talk", "a talk about time", "tea tea tea", "teams", "no time to talk"]
LABELS = ["b", "b", "a", "a", "b", "a", "c"]


def test_the_textbook_example():
    model = NaiveBayes(**PLAIN).fit(CHINA, IS_CHINA)
    likelihood = dict(zip(model.ngrams_.words, np.exp(model.log_likelihood_[1]), strict=True))
    assert likelihood["chinese"] == pytest.approx(3 / 7)
    assert likelihood["tokyo"] == likelihood["japan"] == pytest.approx(1 / 14)
    yes = 3 / 4 * (3 / 7) ** 3 * 1 / 14 * 1 / 14  # ≈ 0.0003
    no = 1 / 4 * (2 / 9) ** 3 * 2 / 9 * 2 / 9  # ≈ 0.0001
    answer = model.predict_proba(["Chinese Chinese Chinese Tokyo Japan"])[0]
    assert answer.tolist() == pytest.approx([no / (yes + no), yes / (yes + no)], abs=1e-6)


def brute_force(texts, labels, weights, text, *, smoothing, character_weight, min_n, max_n):
    """Words, bigrams and pieces of every word, all of them listed, by dictionaries and loops."""
    words = Words()

    def features(one):
        tokens = words.tokens(one)
        return (
            Counter([*tokens, *pairwise(tokens)]),
            Counter(piece for token in tokens for _, piece in pieces_of(token, min_n, max_n)),
        )

    joint = {}
    listed = [{f for one in texts for f in features(one)[family]} for family in (0, 1)]
    for label in sorted(set(labels)):
        joint[label] = log(sum(w for w, y in zip(weights, labels, strict=True) if y == label) / sum(weights))
        for family, strength in ((0, 1.0), (1, character_weight)):
            counts = Counter()
            for one, y, weight in zip(texts, labels, weights, strict=True):
                for feature, count in features(one)[family].items():
                    counts[feature] += weight * count * (y == label)
            total = sum(counts.values()) + smoothing * len(listed[family])
            for feature, count in features(text)[family].items():
                if feature in listed[family]:
                    joint[label] += strength * count * log((counts[feature] + smoothing) / total)
    total = sum(exp(value) for value in joint.values())
    return [exp(value) / total for value in joint.values()]


@pytest.mark.parametrize("text", ["tea talk", "time to talk about teams", "steam teapot", "", "unknown", *TEXTS[:2]])
def test_equals_brute_force(text):
    settings = {"smoothing": 0.4, "character_weight": 0.3, "min_n": 2, "max_n": 3}
    weights = [1.0, 2.0, 0.5, 1.0, 1.5, 1.0, 3.0]
    model = NaiveBayes(min_count_ngrams=1, **settings).fit(TEXTS, LABELS, sample_weight=weights)
    expected = brute_force(TEXTS, LABELS, weights, text, **settings)
    assert model.predict_proba([text])[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_equals_scikit_learn():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(list("abcdefghij"), generator.integers(0, 9))) for _ in range(83)]
    labels, weights = generator.integers(0, 5, 83), generator.uniform(0.2, 3, 83)
    model = NaiveBayes(max_n=0, min_count_ngrams=1, smoothing=0.7).fit(texts, labels, sample_weight=weights)
    vectorizer = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w")
    theirs = MultinomialNB(alpha=0.7).fit(vectorizer.fit_transform(texts), labels, sample_weight=weights)
    assert [model.ngrams_.name(f) for f in range(10)] == sorted(set("abcdefghij"))
    order = [vectorizer.vocabulary_[model.ngrams_.name(f)] for f in range(len(model.ngrams_))]
    np.testing.assert_allclose(model.log_likelihood_, theirs.feature_log_prob_[:, order], atol=1e-6)
    np.testing.assert_allclose(model.log_prior_, theirs.class_log_prior_, atol=1e-12)
    others = ["a b c", "", "x y", "j j j j i a b", *texts[:7]]
    np.testing.assert_allclose(
        model.predict_proba(others), theirs.predict_proba(vectorizer.transform(others)), atol=1e-5
    )


def test_the_mathematics_with_unequal_sizes():
    """5 documents, 7 features, 3 classes: swapped axes cannot pass."""
    documents = [["f0", "f1"], ["f1", "f1", "f6"], ["f2"], ["f3", "f4", "f5"], ["f0", "f5"]]
    model = NaiveBayes(word_ngrams=1, max_n=0).fit([" ".join(tokens) for tokens in documents], [0, 1, 2, 1, 0])
    counts = model.ngrams_.count(Tokens.of(documents))
    totals = class_totals(counts, np.array([0, 1, 2, 1, 0]), np.array([1.0, 2, 3, 4, 5]), 3)
    assert totals.tolist() == [[6, 1, 0, 0, 0, 5, 0], [0, 4, 0, 4, 4, 4, 2], [0, 0, 3, 0, 0, 0, 0]]
    shares = np.exp(log_shares(totals, 0.5))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[2, 2] == pytest.approx(3.5 / 6.5)
    assert posterior(np.array([[-1000.0, -1001.0], [5.0, 5.0]])).tolist() == [
        pytest.approx([1 / (1 + exp(-1)), 1 / (1 + exp(1))]),
        [0.5, 0.5],
    ]


def test_a_weight_of_two_is_the_row_twice():
    weights = [1, 2, 1, 3, 1, 1, 2]
    repeated = [row for row, weight in enumerate(weights) for _ in range(weight)]
    once = NaiveBayes().fit(TEXTS, LABELS, sample_weight=weights)
    twice = NaiveBayes().fit([TEXTS[row] for row in repeated], [LABELS[row] for row in repeated])
    assert once.fingerprint() == twice.fingerprint()


def test_small_weights_do_not_empty_the_list_of_features():
    full = NaiveBayes().fit(TEXTS, LABELS)
    light = NaiveBayes(smoothing=0.3e-3).fit(TEXTS, LABELS, sample_weight=[1e-3] * len(TEXTS))
    assert len(light.ngrams_) == len(full.ngrams_) > 0
    np.testing.assert_allclose(light.predict_proba(TEXTS), full.predict_proba(TEXTS), atol=1e-5)


def test_class_weights():
    balanced = NaiveBayes(class_weight="balanced").fit(TEXTS, LABELS)
    np.testing.assert_allclose(np.exp(balanced.log_prior_), 1 / 3)
    by_label = NaiveBayes(class_weight={"a": 2.0}).fit(TEXTS, LABELS)
    by_row = NaiveBayes().fit(TEXTS, LABELS, sample_weight=[2.0 if label == "a" else 1.0 for label in LABELS])
    assert by_label.log_likelihood_.tobytes() == by_row.log_likelihood_.tobytes()
    unwanted = NaiveBayes(class_weight={"c": 0.0}).fit(TEXTS, LABELS)
    assert np.isfinite(unwanted.log_prior_).all()
    assert unwanted.predict_proba(TEXTS)[:, 2].max() < 1e-6


def test_order_of_the_rows_does_not_matter():
    assert NaiveBayes().fit(TEXTS[::-1], LABELS[::-1]).fingerprint() == NaiveBayes().fit(TEXTS, LABELS).fingerprint()


def test_chinese_and_pairs_and_numbers():
    texts = ["春风又绿江南岸", "明月何时照我还", "好好学习", "天天向上"]
    model = NaiveBayes(min_count_ngrams=1).fit(texts, [1, 1, 2, 2])
    assert model.predict(["春风明月", "学习向上"]).tolist() == [1, 2]
    assert "春风" in {model.ngrams_.name(feature) for feature in range(len(model.ngrams_))}
    pairs = NaiveBayes().fit([("a", "b"), ("c", "d")], ["x", "y"])
    assert pairs.predict([("a", "b"), ("c", "d")]).tolist() == ["x", "y"]


@pytest.mark.parametrize("label", [None, "a", "b", "c"])
@pytest.mark.parametrize("text", ["tea and a talk about time", "TEAMS! teams", "", "?"])
def test_explanations_add_up(text, label):
    model = NaiveBayes(min_count_ngrams=1).fit(TEXTS, LABELS)
    explanation = model.explain(text, label)
    probabilities = model.predict_proba([text])[0]
    chosen = int(probabilities.argmax()) if label is None else "abc".index(label)
    rival = max((number for number in range(3) if number != chosen), key=lambda number: probabilities[number])
    odds = log(probabilities[chosen] / probabilities[rival])
    parts, bias = explanation.arrays["parts"], explanation.arrays["bias_difference"][0]
    assert parts.sum() + bias == pytest.approx(odds, abs=1e-9)
    for heat in explanation.views[:2]:
        if hasattr(heat, "spans"):
            assert np.sum(heat.values) == pytest.approx(parts.sum(), abs=1e-9)


def test_trace_shows_every_step():
    model = NaiveBayes(**PLAIN).fit(CHINA, IS_CHINA)
    arrays = model.trace("Chinese Chinese Tokyo").arrays
    assert arrays["counts"].tolist() == [2, 1]
    np.testing.assert_allclose(arrays["contributions"], arrays["counts"][:, None] * arrays["weights"])
    np.testing.assert_allclose(arrays["logits"], arrays["bias"] + arrays["contributions"].sum(axis=0))
    np.testing.assert_allclose(arrays["probabilities"], posterior(arrays["logits"]))


def test_learns_real_texts():
    data = erya.read("sample:snips")
    model = NaiveBayes().fit(data.train.inputs[:2000], data.train.targets[:2000])
    assert model.score(data.test.inputs, data.test.targets) > 0.95


@pytest.mark.parametrize(
    "settings",
    [
        {"smoothing": 0},
        {"smoothing": float("nan")},
        {"smoothing": "1"},
        {"word_ngrams": 0},
        {"word_ngrams": 1.5},
        {"word_ngrams": 101},
        {"min_n": 5, "max_n": 4},
        {"min_count": 0},
        {"character_weight": -1},
    ],
    ids=str,
)
def test_settings_out_of_range(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        NaiveBayes(**settings).fit(TEXTS, LABELS)


def test_nothing_learned_from_nothing():
    with pytest.raises(DataError):
        NaiveBayes().fit([], [])
    empty = NaiveBayes().fit(["", " ", ""], ["a", "b", "b"])  # no feature at all: the prior answers
    assert empty.predict(["anything"]).tolist() == ["b"]
    assert empty.predict_proba([""])[0].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert empty.explain("anything").text(color=False)


def test_interrupted_while_reading():
    class Now(Report):
        def stopping(self):
            return "interrupt"

    with pytest.raises(Interrupted):
        NaiveBayes().fit(TEXTS, LABELS, report=Now())


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("log_likelihood", lambda array: array[:, :-1]),
        ("log_likelihood", lambda array: array.astype(np.float64)),
        ("log_likelihood", lambda array: np.where(array == array[0, 0], np.nan, array)),
        ("log_prior", lambda array: array[:-1]),
        ("log_prior", lambda array: array * np.inf),
        ("ngrams.2", lambda array: array + 10**6),
    ],
)
def test_states_that_make_no_sense_are_refused(name, damage):
    state = NaiveBayes(min_count_ngrams=1).fit(TEXTS, LABELS).state()
    with pytest.raises(ValueError, match=r"fit|finite|points"):
        NaiveBayes().set_state(State({**state.arrays, name: damage(state.arrays[name])}, state.data))
    with pytest.raises(ValueError, match="classes"):
        NaiveBayes().set_state(State(state.arrays, {**state.data, "classes": ["b", "a", "c"]}))


def test_predicting_imports_nothing_heavy(tmp_path):
    path = NaiveBayes().fit(TEXTS, LABELS).save(tmp_path / "m.erya")
    code = (
        "import sys, erya; m = erya.load(sys.argv[1]); m.predict(['tea time']); m.explain('tea'); m.trace('tea')\n"
        "print({name.split('.')[0] for name in sys.modules} & {'scipy', 'sklearn', 'numba', 'torch', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_examples_in_the_notes(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures


# ---- several labels, shares of labels -----------------------------------------------------------------------------------


def test_each_label_is_a_model_of_yes_and_no():
    """One label among several is naive Bayes between texts with it and without it."""
    X, y = classify.toy_several(seed=3, rows=90)
    settings = {"word_ngrams": 1, "smoothing": 0.5}
    model = NaiveBayes(**settings).fit(X, y)
    for place, label in enumerate(model.classes_):
        alone = NaiveBayes(**settings).fit(X, ["yes" if label in labels else "no" for labels in y])
        np.testing.assert_allclose(model.predict_proba(X)[:, place], alone.predict_proba(X)[:, 1], atol=1e-4)


def test_shares_count_as_weighted_rows():
    shares = [{"a": 0.75, "b": 0.25} if label == "a" else {label: 1.0} for label in LABELS]
    rows = [(row, label, part) for row, given in enumerate(shares) for label, part in given.items()]
    settings = {"min_count_ngrams": 1}
    soft = NaiveBayes(**settings).fit(TEXTS, shares)
    hard = NaiveBayes(**settings).fit(
        [TEXTS[row] for row, _, _ in rows], [label for _, label, _ in rows], sample_weight=[part for _, _, part in rows]
    )
    np.testing.assert_allclose(soft.predict_proba(TEXTS), hard.predict_proba(TEXTS), atol=1e-6)


def test_explanations_of_several_labels_add_up():
    model = NaiveBayes().fit(*classify.toy_several(seed=3, rows=90))
    for number, label in enumerate(model.classes_):
        explanation = model.explain("the soup", label)
        p = model.predict_proba(["the soup"])[0, number]
        parts = explanation.arrays["parts"].sum() + explanation.arrays["bias_difference"][0]
        assert parts == pytest.approx(log(p / (1 - p)), abs=1e-6)


def test_thresholds_from_validation():
    X, y = classify.toy_several(seed=3, rows=90)
    own = NaiveBayes().fit(X, y)
    given = NaiveBayes().fit(X, y, validation=classify.toy_several(seed=5, rows=60))
    assert given.log_likelihood_.tobytes() == own.log_likelihood_.tobytes()
    assert given.thresholds_.tolist() != own.thresholds_.tolist()


def test_files_of_the_first_version_load():
    model = NaiveBayes().fit(TEXTS, LABELS)
    state = model.state()
    old = State(
        {name: array for name, array in state.arrays.items() if name != "thresholds"},
        {name: value for name, value in state.data.items() if name != "several"},
    )
    again = NaiveBayes.restore(model.plain_params(), old, 1)
    assert again.predict_proba(TEXTS).tobytes() == model.predict_proba(TEXTS).tobytes()
    assert again.thresholds_.shape == (0,)


# ---- going on ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["one", "several", "soft"])
def test_portions_give_the_bits_of_one_fit(kind):
    """Every n-gram is counted: what is added portion by portion is what was counted at once."""
    X, y = classify.toy(seed=1, rows=90) if kind != "several" else classify.toy_several(seed=1, rows=90)
    if kind == "soft":
        y = [{label: 0.75, "food": 0.25} for label in y]
    weights = [1 + number % 3 for number in range(90)]
    whole = NaiveBayes(min_count_ngrams=1, word_ngrams=3).fit(X, y, sample_weight=weights)
    parts = NaiveBayes(min_count_ngrams=1, word_ngrams=3)
    for start in (0, 40, 41):
        rows = slice(start, {0: 40, 40: 41, 41: 90}[start])
        parts.partial_fit(X[rows], y[rows], classes=["food", "music", "weather"], sample_weight=weights[rows])
    assert parts.ngrams_.words == whole.ngrams_.words
    assert parts.ngrams_.pieces == whole.ngrams_.pieces
    assert all(np.array_equal(one, other) for one, other in zip(parts.ngrams_.keys, whole.ngrams_.keys, strict=True))
    np.testing.assert_array_equal(parts.log_likelihood_, whole.log_likelihood_)
    np.testing.assert_array_equal(parts.log_prior_, whole.log_prior_)
    assert parts.predict_proba(X).tobytes() == whole.predict_proba(X).tobytes()


def test_new_words_join_and_new_labels_do_not(tmp_path):
    model = erya.load(NaiveBayes().fit(["fine film", "dull film"], ["good", "bad"]).save(tmp_path / "m.erya"))
    assert model.predict_proba(["superb"])[0].tolist() == pytest.approx([0.5, 0.5])
    model.partial_fit(["superb film", "superb"], ["good", "good"])
    assert "superb" in model.ngrams_.words
    assert model.predict(["superb"]).tolist() == ["good"]
    before = model.fingerprint()
    for wrong in ({"y": ["bad", "new"]}, {"y": ["bad", "good"], "classes": ["bad", "good", "new"]}):
        with pytest.raises(UsageError, match="new"):
            model.partial_fit(["a", "b"], **wrong)
    with pytest.raises(UsageError, match="one label a row"):
        model.partial_fit(["a", "b"], [["good"], []])
    assert model.fingerprint() == before
    assert erya.load(model.save(tmp_path / "n.erya")).fingerprint() == before


def test_a_file_without_counts_says_so(tmp_path):
    from erya import artefact

    path = NaiveBayes().fit(["fine film", "dull film"], ["good", "bad"]).save(tmp_path / "m.erya")
    content = artefact.load(path)
    content.state_version = 2
    content.state.arrays = {name: one for name, one in content.state.arrays.items() if not name.startswith("seen.")}
    del content.state.data["seen"]
    artefact.save(path, content)
    model = erya.load(path)
    assert model.predict(["fine"]).tolist() == ["good"]
    with pytest.raises(UsageError, match="what it had counted"):
        model.partial_fit(["fine"], ["good"])
