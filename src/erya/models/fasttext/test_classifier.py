"""The classifier's four losses, several and soft labels, thresholds, vectors to begin with, and going on from an earlier fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import erya
from erya.errors import DataError, Interrupted, UsageError
from erya.models.fasttext import learning, supervised, train_reference
from erya.models.fasttext.estimator import FastText
from erya.models.fasttext.forward import LOSSES, Branches, label_order, probabilities
from erya.parts import label_thresholds
from erya.parts.keyed_vectors import KeyedVectors
from erya.progress import Report
from erya.state import State
from erya.tasks import classify
from erya.tasks.classify import toy

X, Y = toy(0)
each_loss = pytest.mark.parametrize("loss", LOSSES)


def several(seed: int = 0, rows: int = 300) -> tuple[list[str], list[list[str]]]:
    """Texts with no, one or two of the toy's labels."""
    generator = np.random.default_rng(seed)
    texts, labels = toy(seed, rows)
    found, given = [], []
    for text, label in zip(texts, labels, strict=True):
        kind, other = generator.integers(0, 4), int(generator.integers(0, rows))
        if kind == 0:
            found.append("the a today very is really 我 的 很")
            given.append([])
        elif kind == 1:
            found.append(f"{text} {texts[other]}")
            given.append(sorted({label, labels[other]}))
        else:
            found.append(text)
            given.append([label])
    return found, given


# ---- losses ---------------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("deterministic", [True, False])
def test_every_loss_learns_and_sums_to_one(loss, deterministic):
    model = FastText(loss=loss, deterministic=deterministic).fit(X, Y)
    test, truth = toy(2)
    assert model.score(test, truth) > 0.9
    found = model.predict_proba([*test, "", "nothing known"])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert model.loss_ == loss
    assert not model.several_
    assert model.thresholds_.shape == (0,)


@each_loss
def test_probabilities_are_those_of_the_references_scores(loss):
    generator = np.random.default_rng(0)
    counts = np.array([3, 9, 1, 9, 4])
    hidden = generator.normal(size=(7, 6)).astype(np.float32)
    output = generator.normal(size=(5, 6)).astype(np.float32)
    branches = Branches.over(counts) if loss == "hierarchical_softmax" else None
    found = probabilities(loss, hidden, output, branches, sum_to_one=False)
    order = label_order(counts)
    assert order.tolist() == [1, 3, 4, 0, 2]
    for row, h in enumerate(hidden.astype(np.float64)):
        for label in range(5):
            rank = order.tolist().index(label) if branches is not None else label
            targets, goals = train_reference.goals_of(LOSSES[loss], [rank], 5, sorted(counts, reverse=True), [])
            if loss == "one_vs_all":
                targets, goals = [label], [1.0]
            matrix = np.vstack([h])
            expected = -train_reference.line_loss(LOSSES[loss], np.array([0]), targets, goals, matrix, output)
            assert np.log(found[row, label]) == pytest.approx(expected, abs=1e-5)


@each_loss
def test_threads_files_and_interrupts_change_no_bit(loss, monkeypatch, tmp_path):
    prints = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("ERYA_THREADS", threads)
        model = FastText(loss=loss, epochs=3).fit(X, Y)
        prints.add(model.fingerprint())
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.fingerprint() == model.fingerprint()
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    monkeypatch.setattr(supervised, "FIRST_BLOCK_ROWS", 64)
    report = Cut(4)
    with pytest.raises(Interrupted):
        FastText(loss=loss, epochs=3).fit(X, Y, report=report)
    resumed = FastText(loss=loss, epochs=3).fit(X, Y, report=Cut(-1, report.saved))
    prints.add(resumed.fingerprint())
    assert len(prints) == 1


class Cut(Report):
    """Interrupts at the n-th question."""

    def __init__(self, left: int, saved: State | None = None) -> None:
        self.left, self.saved = left, saved

    def stopping(self) -> Any:
        self.left -= 1
        return "interrupt" if self.left == 0 else None

    def save_checkpoint(self, state: State) -> None:
        self.saved = state

    def load_checkpoint(self) -> State | None:
        return self.saved


@each_loss
def test_early_stopping_for_every_loss(loss):
    wrong = np.random.default_rng(0).permutation(Y).tolist()
    model = FastText(loss=loss, epochs=40, patience=3).fit(X, Y, validation=(X, wrong))
    rows = model.curve_
    best = max(range(len(rows)), key=lambda row: (rows[row]["validation_accuracy"], -rows[row]["validation_loss"]))
    assert len(rows) == best + 1 + 3
    assert model.score(X, wrong) == pytest.approx(rows[best]["validation_accuracy"])


@each_loss
@pytest.mark.parametrize("label", [None, "food"])
def test_an_explanation_adds_up_for_every_loss(loss, label):
    model = FastText(loss=loss, max_n=3, min_n=2).fit(X, [*Y[:-8], *["rare"] * 8])
    text = "这碗汤 very tasty, a noodles soup!"
    found, way = model.explain(text, label), model.trace(text)
    chosen = model.classes_.tolist().index(label) if label else int(model.predict_proba([text])[0].argmax())
    logit = way.arrays["logits"][chosen]
    assert found.arrays["contributions"][:, chosen].sum() == pytest.approx(logit, abs=1e-4)
    assert found.arrays["token_contributions"].sum() == pytest.approx(logit, abs=1e-4)
    np.testing.assert_allclose(way.arrays["probabilities"], model.predict_proba([text])[0])
    if loss == "hierarchical_softmax":  # by hand: the log-odds of the turns on the label's path
        order = label_order(model.label_counts_)
        path = train_reference.tree_paths(model.label_counts_[order].tolist())[order.tolist().index(chosen)]
        odds = [(1 if code else -1) * float(model.output_[node] @ way.arrays["hidden"]) for node, code in path]
        assert sum(odds) == pytest.approx(logit, abs=1e-5)
        turns = np.prod([1 / (1 + np.exp(-odd)) for odd in odds])
        assert turns == pytest.approx(way.arrays["probabilities"][chosen], rel=1e-5)


def test_thousands_of_labels():
    texts = [f"word{number} of{number % 7}" for number in range(3000)] * 2
    labels = [f"label{number}" for number in range(3000)] * 2
    model = FastText(loss="hierarchical_softmax", epochs=25, word_ngrams=1).fit(texts, labels)
    found = model.predict_proba(texts[:500])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (model.classes_[found.argmax(axis=1)] == np.array(labels[:500])).mean() > 0.5
    assert len(model.explain(texts[0]).views[1].labels) == 40, "the most probable ones are shown"


def test_senseless_settings_of_losses_are_refused():
    for settings in ({"loss": "hs"}, {"negative": 0}, {"pretrained": 3}, {"batch_size": 0}):
        with pytest.raises(UsageError):
            FastText(**settings).fit(X, Y)


# ---- several labels -------------------------------------------------------------------------------------------


@each_loss
def test_several_labels_for_every_loss(loss):
    texts, labels = several()
    model = FastText(loss=loss).fit(texts, labels)
    assert model.several_
    assert model.thresholds_.shape == (3,)
    test, truth = several(1)
    found = model.predict(test)
    assert all(isinstance(answer, tuple) for answer in found)
    right = sum(len(set(answer) & set(row)) for answer, row in zip(found, truth, strict=True))
    f1 = 2 * right / (sum(map(len, found)) + sum(map(len, truth)))
    assert f1 > (0.95 if loss == "one_vs_all" else 0.75)
    again = FastText.restore(model.plain_params(), model.state())
    assert again.predict(test).tolist() == found.tolist()


def test_one_vs_all_is_the_default_and_texts_without_labels_teach_it():
    texts, labels = several()
    model = FastText().fit(texts, labels)
    assert model.loss_ == "one_vs_all"
    assert model.predict_proba(["the a today very is really 我 的 很"]).max() < 0.1
    taught = [row for row in range(len(labels)) if labels[row]]
    without = FastText().fit([texts[row] for row in taught], [labels[row] for row in taught])
    assert without.predict_proba(["the a today very is really 我 的 很"]).max() > 0.1


def test_thresholds_come_from_validation_data():
    texts, labels = several()
    other, truth = several(5)
    model = FastText(epochs=4).fit(texts, labels, validation=(other, truth))
    whole = learning.Truth((other, truth), model.classes_, "several")
    assert model.thresholds_.tolist() == whole.thresholds(model.predict_proba(other)).tolist()
    assert [set(row) >= {"validation_loss", "validation_micro_f1"} for row in model.curve_] == [True] * 4
    assert 0 <= model.curve_[-1]["validation_micro_f1"] <= 1


def test_thresholds_of_rare_labels_are_drawn_to_the_common_one():
    generator = np.random.default_rng(0)
    truth = generator.random((400, 3)) < np.array([0.5, 0.5, 0.01])
    found = np.clip(0.5 * truth + generator.random((400, 3)) * 0.6, 0, 1)
    starts, labels = np.concatenate([[0], np.cumsum(truth.sum(axis=1))]), np.nonzero(truth)[1]
    own = label_thresholds.learn(found, starts, labels, fewest=1)
    common = label_thresholds.best(found.ravel(), truth.ravel())
    drawn = learning._thresholds(found, truth)
    assert abs(drawn[2] - common) < 0.2 * abs(own[2] - common)
    assert abs(np.log(drawn[0] / own[0])) < 0.3 * abs(np.log(common / own[0])) + 1e-12
    assert learning._thresholds(found, np.zeros_like(truth)).tolist() == [0.5] * 3


def test_thresholds_without_validation_are_those_of_texts_not_trained_on(monkeypatch):
    seen = []
    true = learning._thresholds
    monkeypatch.setattr(learning, "_thresholds", lambda found, truth: seen.append((found, truth)) or true(found, truth))
    texts, labels = several()
    FastText(epochs=3).fit(texts, labels)
    assert seen[-1][0].shape == (300, 3), "every text is held out once"
    monkeypatch.setattr(learning, "FEW", 100)
    FastText(epochs=3).fit(texts, labels)
    assert seen[-1][0].shape == (30, 3), "a tenth"


def test_a_spent_budget_leaves_a_model_of_several_labels():
    class AtOnce(Report):
        def stopping(self):
            return "budget"

    texts, labels = several()
    model = FastText().fit(texts, labels, report=AtOnce())
    assert model.thresholds_.tolist() == [0.5] * 3
    assert len(model.predict(texts)) == len(texts)


def test_an_interrupt_while_thresholds_are_learnt_can_be_resumed():
    texts, labels = several()
    whole = FastText(epochs=2).fit(texts, labels)
    for questions in range(2, 9):
        report = Cut(questions)
        with pytest.raises(Interrupted):
            FastText(epochs=2).fit(texts, labels, report=report)
        again = FastText(epochs=2).fit(texts, labels, report=Cut(-1, report.saved))
        assert again.fingerprint() == whole.fingerprint(), questions


def test_labels_never_seen_count_as_missed():
    truth = learning.Truth((["a", "b"], [["x"], ["x", "unheard"]]), np.array(["x", "y"]), "several")
    row = truth.scores(np.array([[0.9, 0.1], [0.9, 0.1]]))
    assert row["validation_micro_f1"] == pytest.approx(2 * 2 / (2 + 3))


# ---- soft labels ----------------------------------------------------------------------------------------------


@each_loss
def test_soft_labels_are_weighted_copies(loss):
    """The same text with two labels by halves, or twice with half the weight: the same answer, up to the order of steps."""
    texts = ["alpha beta", "gamma delta", "alpha delta"] * 60
    shares = [{"a": 0.8, "b": 0.2}, {"b": 1.0}, {"a": 0.5, "b": 0.5}] * 60
    rate = {"learning_rate": 0.1, "epochs": 60}
    soft = FastText(loss=loss, **rate).fit(texts, shares)
    copies = [(text, label, share) for text, each in zip(texts, shares, strict=True) for label, share in each.items()]
    names, labels, weights = zip(*copies, strict=True)
    hard = FastText(loss=loss, **rate).fit(list(names), list(labels), sample_weight=list(weights))
    found = soft.predict_proba(["alpha beta", "gamma delta", "alpha delta"])
    np.testing.assert_allclose(found, hard.predict_proba(["alpha beta", "gamma delta", "alpha delta"]), atol=0.06)
    if loss != "negative_sampling":  # whose σ are no shares
        np.testing.assert_allclose(found[:, 0], [0.8, 0.0, 0.5], atol=0.1)
    assert soft.predict(["alpha beta"]).tolist() == ["a"]


def test_a_soft_gradient_is_the_mean_of_the_hard_ones():
    start = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    output = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    plan = supervised.Plan(dim=5, epochs=1, learning_rate=1e-3, batch=8, shuffle=False)
    begin = supervised.Start(np.arange(4), start, output)
    counts = np.array([1, 1, 1])

    def step(targets, weights=None):
        texts = ["x"] * len(targets)
        examples = classify.examples(
            texts, targets, sample_weight=weights, kinds=("one", "soft"), classes=["a", "b", "c"]
        )
        documents = learning.Encoded(np.tile(np.arange(4, dtype=np.int32), len(texts)), np.arange(len(texts) + 1) * 4)
        lesson = learning.lesson(documents, np.full(len(texts), 4), examples, "softmax")
        run = learning.Pupil(plan, "softmax", 4, counts, begin).run(
            lesson._replace(weights=examples.weights.astype(np.float32))
        )
        run.finish(Report())
        input, found = run.result()
        return input - start, found - output

    soft = step([{"a": 0.25, "b": 0.75}])
    hard = step(["a", "b"], [0.25, 0.75])
    # the rate falls between the two steps of the copies, to a half at the second
    halves = step(["a"], [0.25]), step(["b"], [0.75])
    for place in range(2):
        np.testing.assert_allclose(soft[place], halves[0][place] + halves[1][place], atol=1e-6)
        assert np.abs(hard[place]).max() > 0


def test_soft_validation_rewards_the_share():
    truth = learning.Truth((["a", "b"], [{"x": 3, "y": 1}, {"y": 1}]), np.array(["x", "y"]), "soft")
    row = truth.scores(np.array([[0.75, 0.25], [0.0, 1.0]]))
    assert row["validation_accuracy"] == pytest.approx((0.75 + 1) / 2)
    assert row["validation_loss"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / 2)


# ---- going on -------------------------------------------------------------------------------------------------


@each_loss
def test_partial_fit_learns_new_words_and_keeps_old_ones(loss):
    model = FastText(loss=loss, max_n=3, min_n=3).fit(X, Y)
    before = dict(zip(model.features_.words, model.input_, strict=False))
    more = ["quinoa quinoa lunch", "oboe oboe concert", "hail hail outside"] * 20
    model.set_params(learning_rate=0.2).partial_fit(more, ["food", "music", "weather"] * 20)
    assert model.predict(["quinoa", "oboe", "hail"]).tolist() == ["food", "music", "weather"]
    assert model.score(*toy(2)) > 0.9, "what was known is not forgotten"
    rows = dict(zip(model.features_.words, model.input_, strict=False))
    assert set(before) < set(rows)
    assert np.array_equal(rows["guitar"], before["guitar"]), "a word that does not occur stays as it was"
    again = FastText.restore(model.plain_params(), model.state())
    assert again.fingerprint() == model.fingerprint()


@each_loss
def test_partial_fit_takes_new_labels_that_are_named(loss):
    model = FastText(loss=loss).fit(X, Y)
    sport = ["goal match striker", "match referee goal"] * 40
    with pytest.raises(UsageError, match="sport"):
        model.partial_fit(sport, ["sport"] * 80)
    mixed, labels = [*X, *sport], [*Y, *["sport"] * 80]
    model.partial_fit(mixed, labels, classes=["sport"])
    assert model.classes_.tolist() == ["food", "music", "sport", "weather"]
    assert model.predict(["striker goal"]).tolist() == ["sport"]
    assert model.label_counts_.sum() == 2 * len(X) + 80
    assert model.score(*toy(2)) > 0.9


def test_partial_fit_with_one_label_and_from_nothing():
    fresh = FastText().partial_fit(X[:3], ["food"] * 3, classes=["food", "music", "weather"])
    assert fresh.classes_.tolist() == ["food", "music", "weather"]
    fresh.partial_fit(X, Y)
    assert fresh.score(*toy(2)) > 0.9
    assert FastText().partial_fit(X, Y).fingerprint() == FastText().fit(X, Y).fingerprint()


def test_partial_fit_refuses_another_shape():
    model = FastText().fit(X, Y)
    for settings in ({"dim": 8}, {"word_ngrams": 2}, {"buckets": 99}, {"loss": "one_vs_all"}, {"max_n": 3}):
        other = FastText.restore(model.plain_params(), model.state()).set_params(**settings)
        with pytest.raises(UsageError, match=next(iter(settings))):
            other.partial_fit(X, Y)
    with pytest.raises(UsageError):
        model.partial_fit(X, [[label] for label in Y])


def test_partial_fit_keeps_thresholds_and_gives_new_labels_one():
    texts, labels = several()
    model = FastText().fit(texts, labels)
    before = model.thresholds_.copy()
    model.partial_fit(["goal match"] * 20, [["sport"]] * 20, classes=["sport"])
    assert model.thresholds_.tolist() == [before[0], before[1], 0.5, before[2]]


# ---- vectors to begin with ------------------------------------------------------------------------------------


def vectors() -> tuple[list[str], np.ndarray]:
    """Words of the toy, one that it lacks, one in another case."""
    words = ["soup", "tasty", "melody", "borscht", "Soup", "wind"]
    matrix = np.random.default_rng(0).normal(0, 0.3, (6, 7)).astype(np.float32)
    matrix[3] = matrix[0]
    return words, matrix


@pytest.mark.parametrize("form", ["vec", "erya"])
@pytest.mark.parametrize("freeze", [True, False])
def test_pretrained_vectors(form, freeze, tmp_path):
    words, matrix = vectors()
    path = tmp_path / f"v.{form}"
    if form == "vec":
        lines = [
            f"{len(words)} 7",
            *(f"{word} " + " ".join(map(repr, row.tolist())) for word, row in zip(words, matrix, strict=True)),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        KeyedVectors.of(words, matrix).save(path)

    class Listening(Report):
        def note(self, sentence):
            heard.append(sentence)

    heard: list[str] = []
    model = FastText(pretrained=path, freeze=freeze).fit(X, Y, report=Listening())
    rows = dict(zip(model.features_.words, model.input_, strict=False))
    assert model.input_.shape[1] == 7, "the file's width"
    assert "Soup" not in rows, "no text in lower case has it"
    assert np.allclose(rows["borscht"], matrix[3]), "a word that the texts lack"
    assert np.allclose(rows["soup"], matrix[0]) == freeze
    assert not np.array_equal(rows["guitar"], FastText(dim=7, epochs=1, learning_rate=1e-9).fit(X, Y).input_[0])
    assert 0 < model.coverage_["words"] < 1
    assert any("%" in sentence for sentence in heard)
    assert model.score(*toy(2)) > 0.9
    if freeze:
        assert model.predict(["borscht"]).tolist() == ["food"], "it lies where soup lies"
        model.partial_fit(X, Y)
        assert np.allclose(dict(zip(model.features_.words, model.input_, strict=False))["soup"], matrix[0])
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.fingerprint() == model.fingerprint()
    assert again.pretrained == str(path)


def test_what_is_no_vector_file_is_refused(tmp_path):
    path = FastText(epochs=1).fit(X, Y).save(tmp_path / "m.erya")
    with pytest.raises(UsageError, match="no word vectors"):
        FastText(pretrained=str(path)).fit(X, Y)
    with pytest.raises(DataError):
        FastText(pretrained=str(tmp_path / "missing.vec")).fit(X, Y)


# ---- files ----------------------------------------------------------------------------------------------------


def test_a_state_of_version_1_is_read():
    model = FastText().fit(X, Y)
    state = model.state()
    arrays = {
        name: array for name, array in state.arrays.items() if name not in ("label_counts", "thresholds", "frozen")
    }
    data = {
        name: value
        for name, value in state.data.items()
        if name not in ("loss", "several", "learning_rate", "coverage")
    }
    params = {
        name: value
        for name, value in model.plain_params().items()
        if name not in ("loss", "negative", "pretrained", "freeze")
    }
    old = FastText.restore(params, State(arrays, data), 1)
    np.testing.assert_array_equal(old.predict_proba(X), model.predict_proba(X))
    old.partial_fit(["quinoa soup"] * 9, ["food"] * 9)
    assert old.predict(["quinoa"]).tolist() == ["food"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.arrays.update(label_counts=state.arrays["label_counts"] - 1000),
        lambda state: state.arrays.update(label_counts=state.arrays["label_counts"][:-1]),
        lambda state: state.arrays.update(label_counts=np.full(3, 1 << 62)),
        lambda state: state.arrays.update(thresholds=np.full(3, np.nan)),
        lambda state: state.arrays.update(thresholds=np.zeros(2)),
        lambda state: state.arrays.update(frozen=np.array([10**9])),
        lambda state: state.arrays.update(frozen=np.array([-1])),
        lambda state: state.data.update(loss="hs"),
        lambda state: state.data.update(several=1),
    ],
)
def test_a_broken_state_makes_no_model(spoil):
    texts, labels = several()
    model = FastText(epochs=1).fit(texts, labels)
    state = model.state()
    spoil(state)
    with pytest.raises((ValueError, KeyError)):
        FastText.restore(model.plain_params(), state)
