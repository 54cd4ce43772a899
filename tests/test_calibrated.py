"""Calibration: against scipy, brute force and scikit-learn; files; the threshold; models of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import erya
from erya import catalog
from erya.calibrated import Calibrated, columns_of
from erya.errors import DataError, ModelFileError, UsageError
from erya.tasks import _calibration as calibrating
from erya.tasks import classify
from erya.tasks._calibration import Isotonic, Temperature

each_classifier = pytest.mark.parametrize("id", catalog.ids("classify"))


def answers(seed: int, rows: int = 700, classes: int = 3, sure: float = 3.0):
    """Probabilities of a model that is too sure of itself by the factor ``sure``, and the truth."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([generator.choice(classes, p=row) for row in true])
    claimed = np.exp(sure * logits)
    return claimed / claimed.sum(axis=1, keepdims=True), targets


def loss(probabilities, targets):
    return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-300)).mean())


# ---- temperature -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sure", [0.3, 1.0, 3.0])
def test_temperature_has_the_smallest_loss(seed, sure):
    probabilities, targets = answers(seed, sure=sure)
    found = calibrating.temperature(probabilities, targets).value
    other = minimize_scalar(
        lambda power: loss(Temperature(float(np.exp(power)))(probabilities), targets),
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert found == pytest.approx(np.exp(other.x), rel=1e-5)
    best = loss(Temperature(found)(probabilities), targets)
    for brute in np.geomspace(0.05, 20, 400):
        assert best <= loss(Temperature(float(brute))(probabilities), targets) + 1e-12
    assert found == pytest.approx(sure, rel=0.25)


def test_temperature_changes_no_answer_and_no_order():
    probabilities, targets = answers(1)
    map = calibrating.fit("temperature", probabilities, targets)
    assert np.array_equal(map(probabilities).argsort(axis=1), probabilities.argsort(axis=1))
    np.testing.assert_allclose(Temperature(1.0)(probabilities), probabilities, rtol=1e-12)


def test_certain_and_impossible_probabilities_stay_finite():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    targets = np.array([0, 1, 1, 0])
    for method in calibrating.METHODS:
        found = calibrating.fit(method, probabilities, targets)(probabilities)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 1)
    unsure = np.array([[0.9, 0.1], [0.2, 0.8]])  # nothing is wrong: as cold as it gets, but not colder
    right = calibrating.temperature(unsure, targets[:2])
    assert 0.99 / calibrating.LARGEST_TEMPERATURE <= right.value < 0.1
    calibrating.check(right, 2)


# ---- isotonic ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_isotonic_equals_scikit_learn(seed):
    from sklearn.isotonic import IsotonicRegression

    generator = np.random.default_rng(seed)
    x = generator.random(300) if seed % 2 else generator.integers(0, 12, 300) / 12  # with many equal ones
    y = (generator.random(300) < x**2).astype(float)
    ours = calibrating.rising(x, y)
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y)
    asked = np.concatenate([generator.random(500), x, [-0.5, 0.0, 1.0, 1.5]])
    np.testing.assert_allclose(np.interp(asked, *ours), theirs.predict(asked), atol=1e-9)
    assert (np.diff(ours[0]) > 0).all()
    assert (np.diff(ours[1]) >= 0).all()


def test_isotonic_of_several_classes_equals_scikit_learns_wrapper():
    from sklearn.isotonic import IsotonicRegression

    probabilities, targets = answers(3)
    asked, _ = answers(4)
    found = calibrating.fit("isotonic", probabilities, targets)(asked)
    stacked = np.empty_like(asked)
    for column in range(3):
        theirs = IsotonicRegression(y_min=0, y_max=1).fit(probabilities[:, column], targets == column)
        levels = np.clip(theirs.y_thresholds_, 0.5 / 700, 1 - 0.5 / 700)  # 700 rows can tell no more
        stacked[:, column] = np.interp(asked[:, column], theirs.X_thresholds_, levels)
    np.testing.assert_allclose(found, stacked / stacked.sum(axis=1, keepdims=True), atol=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_isotonic_rises_and_beats_every_constant(pairs):
    x = np.array([pair[0] for pair in pairs])
    y = np.array([float(pair[1]) for pair in pairs])
    places, levels = calibrating.rising(x, y)
    assert (np.diff(levels) >= 0).all()
    error = ((np.interp(x, places, levels) - y) ** 2).sum()
    assert error <= ((y.mean() - y) ** 2).sum() + 1e-9


def test_a_row_that_all_classes_disown_is_uniform():
    never = np.array([0.0, 1.0]), np.array([0.0, 0.0])
    map = Isotonic([never[0]] * 4, [never[1]] * 4)
    np.testing.assert_allclose(map(np.full((2, 4), 0.25)), 0.25)


# ---- both --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", calibrating.METHODS)
def test_calibrated_probabilities_can_be_believed(method):
    probabilities, targets = answers(7, rows=4000)
    map = calibrating.fit(method, probabilities, targets)
    fresh, truth = answers(8, rows=4000)
    found = map(fresh)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    labels = np.array(["a", "b", "c"])

    def error(some):
        run = classify.Run(labels[some.argmax(axis=1)], some, labels)
        return classify.scores(labels[truth], [run], resamples=100)["calibration_error"].value

    assert error(fresh) > 0.15
    assert error(found) < 0.04
    assert loss(found, truth) < loss(fresh, truth)
    # honest about itself: what the rows left out in turn tell is what fresh rows show
    told = calibrating.held_out(method, probabilities, targets)
    assert loss(told, targets) == pytest.approx(loss(found, truth), abs=0.03)


def test_held_out_rows_are_never_their_own_judges():
    """With labels that are pure chance, isotonic fitted on its own rows looks better than chance; left out it must not."""
    generator = np.random.default_rng(0)
    first = generator.random(200)
    probabilities = np.stack([first, 1 - first], axis=1)
    targets = generator.integers(0, 2, 200)
    own = calibrating.fit("isotonic", probabilities, targets)(probabilities)
    out = calibrating.held_out("isotonic", probabilities, targets)
    assert loss(own, targets) < np.log(2)
    assert loss(np.clip(out, 0.01, 0.99), targets) > loss(own, targets)
    assert np.array_equal(out, calibrating.held_out("isotonic", probabilities, targets))


def test_what_cannot_be_calibrated():
    probabilities, targets = answers(1, rows=20)
    with pytest.raises(UsageError, match="no method"):
        calibrating.fit("platt", probabilities, targets)
    with pytest.raises(UsageError, match="several labels"):
        calibrating.fit("temperature", probabilities * 2, targets)
    for rows in ([], [-1] * 20):
        with pytest.raises(DataError):
            calibrating.fit("temperature", probabilities[: len(rows)], np.array(rows, dtype=np.int64))
    unknown = np.where(np.arange(20) % 2, targets, -1)
    assert calibrating.fit("temperature", probabilities, unknown) == calibrating.fit(
        "temperature", probabilities[1::2], targets[1::2]
    )


# ---- silence -----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([0.1, 0.5, 0.75, 0.9, 1.0]),
)
def test_threshold_answers_most_rows_with_that_precision(pairs, precision):
    confidence = np.array([pair[0] / 8 for pair in pairs])
    hits = np.array([pair[1] for pair in pairs])
    tried = {}
    for value in set(confidence.tolist()):
        given = confidence >= value
        if hits[given].mean() >= precision:
            tried[value] = float(given.mean())
    if not tried:
        with pytest.raises(DataError, match="no threshold"):
            calibrating.threshold_for(precision, confidence, hits)
        return
    found = calibrating.threshold_for(precision, confidence, hits)
    assert found.coverage == pytest.approx(max(tried.values()))
    given = confidence >= found.value
    assert hits[given].mean() == pytest.approx(found.precision)
    assert found.precision >= precision
    assert given.mean() == pytest.approx(found.coverage)


def test_abstaining():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    classes = np.array([3, 7])
    assert classify.abstaining(probabilities, classes, 0.6) == [3, 7, None]
    assert classify.abstaining(probabilities, classes, 0.0) == [3, 7, 3]
    assert classify.abstaining(probabilities, classes, 1.0) == [None] * 3
    assert classify.abstaining(np.zeros((0, 2)), classes, 0.5) == []


# ---- as a model --------------------------------------------------------------------------------------------------


@each_classifier
@pytest.mark.parametrize("method", calibrating.METHODS)
def test_every_classifier_saves_and_loads_with_its_calibration(id, method, fitted, tmp_path):
    model = fitted(id)
    X, y = classify.toy(seed=9)
    y = [label if number % 7 else "food" for number, label in enumerate(y)]  # some truth to be unsure of
    made = Calibrated.of(model, X, y, method=method, precision=0.8)
    path = made.save(tmp_path / "c.erya")
    again = erya.load(path)
    assert isinstance(again, Calibrated)
    strange = [*X[:50], "", "zzzz", "\ud800", "soup"]
    assert np.array_equal(again.predict_proba(strange), made.predict_proba(strange))
    np.testing.assert_allclose(again.predict_proba(strange).sum(axis=1), 1, atol=1e-9)
    assert again.predict_proba([]).shape == (0, 3)
    assert again.threshold_ == made.threshold_
    assert again.fingerprint() == made.fingerprint()
    assert again.save(tmp_path / "d.erya").read_bytes() == path.read_bytes()
    if method == "temperature":
        assert made.predict(X).tolist() == model.predict(X).tolist()
    found = made.predict_proba(X)
    given = found.max(axis=1) >= made.threshold_
    assert (made.predict(X) == np.array(y))[given].mean() >= 0.8
    assert again.trace("soup").arrays["calibrated"].tolist() == again.predict_proba(["soup"])[0].tolist()
    if hasattr(model, "explain"):
        assert again.explain("soup").views


def test_integer_labels_and_calibrating_twice(fitted, tmp_path):
    from tests.conftest import small_model

    X, y = classify.toy(seed=6, rows=90)
    numbers = np.array([{"food": 7, "music": -1, "weather": 3}[label] for label in y])
    model = small_model("classify/naive_bayes").fit(X, numbers)
    once = Calibrated.of(model, X, numbers)
    assert set(once.predict(X).tolist()) <= {-1, 3, 7}
    twice = Calibrated.of(once, X, [str(number) for number in numbers], method="isotonic")
    assert twice.model_ is model
    assert erya.load(once.save(tmp_path / "n.erya")).classes_.tolist() == [-1, 3, 7]
    assert columns_of(["7", 3, "x"], model.classes_).tolist() == [2, 1, -1]


def test_wrong_calls(fitted):
    model = fitted("classify/naive_bayes")
    X, y = classify.toy(rows=30)
    with pytest.raises(UsageError, match="wraps a trained model"):
        Calibrated().fit(X, y)
    with pytest.raises(UsageError, match="not trained, but made"):
        catalog.card_of("classify/calibrated")
    with pytest.raises(UsageError):
        Calibrated().predict_proba(X)
    with pytest.raises(UsageError, match="no classifier"):
        Calibrated.of(object(), X, y)
    with pytest.raises(DataError, match="30 texts but 29"):
        Calibrated.of(model, X, y[:-1])
    for precision in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="precision"):
            Calibrated.of(model, X, y, precision=precision)
    with pytest.raises(DataError, match="no threshold"):
        Calibrated.of(model, X, ["none of them"] * 20 + y[20:][::-1], precision=1.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.data.update(temperature=0.0),
        lambda state: state.data.update(temperature=1e9),
        lambda state: state.data.update(threshold=2.0),
        lambda state: state.data.pop("threshold"),
        lambda state: state.data.pop("model"),
        lambda state: state.data["model"].update(id="classify/calibrated"),
        lambda state: state.data["model"].update(id="vectors/keyed"),
        lambda state: state.data["model"].update(id="classify/none"),
        lambda state: state.data["model"].update(state_version=99),
        lambda state: state.data["model"].update(state_version="1"),
        lambda state: state.data.pop("tokenizer"),
        lambda state: state.arrays.pop("model.log_prior"),
    ],
)
def test_files_that_make_no_sense(fitted, tmp_path, spoil):
    from erya import artefact

    X, y = classify.toy(rows=60)
    path = Calibrated.of(fitted("classify/naive_bayes"), X, y).save(tmp_path / "c.erya")
    content = artefact.load(path)
    content.state.arrays = dict(content.state.arrays)
    spoil(content.state)
    artefact.save(path, content)
    with pytest.raises(ModelFileError) as caught:
        erya.load(path)
    assert caught.value.code == "model-nonsense"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.update({"curves.y": arrays["curves.y"][::-1].copy()}),
        lambda arrays: arrays.update({"curves.x": np.zeros_like(arrays["curves.x"])}),
        lambda arrays: arrays.update({"curves.y": arrays["curves.y"] + 1}),
        lambda arrays: arrays.update({"curves.lengths": arrays["curves.lengths"][:-1].copy()}),
        lambda arrays: arrays.update({"curves.lengths": arrays["curves.lengths"] - 1}),
        lambda arrays: arrays.update({"curves.lengths": np.zeros(3, dtype=np.int64)}),
        lambda arrays: arrays.pop("curves.x"),
    ],
)
def test_curves_that_make_no_sense(fitted, tmp_path, spoil):
    from erya import artefact

    X, y = classify.toy(rows=60)
    y[0] = "music" if y[0] != "music" else "food"
    path = Calibrated.of(fitted("classify/naive_bayes"), X, y, method="isotonic").save(tmp_path / "c.erya")
    content = artefact.load(path)
    content.state.arrays = dict(content.state.arrays)
    spoil(content.state.arrays)
    artefact.save(path, content)
    with pytest.raises(ModelFileError):
        erya.load(path)


def test_a_calibrated_model_filters(fitted, tmp_path):
    from erya.filtering import Settings, filter_file

    X, y = classify.toy(seed=3)
    made = Calibrated.of(fitted("classify/naive_bayes"), X, y)
    (tmp_path / "a.txt").write_text("soup bread\nguitar song\n", encoding="utf-8")
    filter_file(made, Settings("0" * 64, "food", 0.5), tmp_path / "a.txt", tmp_path / "k.txt")
    assert (tmp_path / "k.txt").read_bytes() == b"soup bread\n"
