"""Calibration of several labels a text: against scipy and scikit-learn; answers that stay; files; every model that takes them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import erya
from erya import artefact, catalog
from erya.calibrated import Calibrated, truth_of
from erya.errors import DataError, ModelFileError, UsageError
from erya.tasks import _calibration as calibrating
from erya.tasks import _label_calibration as by_label
from erya.tasks import classify
from erya.tasks._label_calibration import LabelTemperature

each_several = pytest.mark.parametrize("id", catalog.taking("several"))


def answers(seed, rows=1500, labels=3, sure=3.0):
    """Probabilities of each label on its own, too sure by the factor ``sure``, and the truth."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, labels)) - np.arange(labels) / 2
    truth = generator.random((rows, labels)) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-sure * logits)), truth


def loss(probabilities, truth):
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    return float(-np.where(truth, np.log(clipped), np.log1p(-clipped)).mean())


@pytest.mark.parametrize("sure", [0.3, 1.0, 3.0])
def test_temperature_has_the_smallest_loss(sure):
    probabilities, truth = answers(1, sure=sure)
    found = by_label.temperature(probabilities, truth).value
    other = minimize_scalar(
        lambda power: loss(LabelTemperature(float(np.exp(power)))(probabilities), truth),
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert found == pytest.approx(np.exp(other.x), rel=1e-5)
    assert found == pytest.approx(sure, rel=0.2)


def test_temperature_one_changes_nothing_and_extremes_stay_finite():
    probabilities, _ = answers(2, rows=50)
    np.testing.assert_allclose(LabelTemperature(1.0)(probabilities), probabilities, rtol=1e-9)
    edges = np.array([[0.0, 1.0], [1.0, 0.0]])
    for method in calibrating.METHODS:
        found = by_label.fit(method, edges, np.array([[False, True], [False, True]]))(edges)
        assert np.isfinite(found).all()
        assert ((found >= 0) & (found <= 1)).all()


def test_isotonic_equals_scikit_learn_label_by_label():
    from sklearn.isotonic import IsotonicRegression

    probabilities, truth = answers(3)
    asked, _ = answers(4)
    found = by_label.fit("isotonic", probabilities, truth)(asked)
    least = 0.5 / len(truth)
    for label in range(3):
        theirs = IsotonicRegression(y_min=0, y_max=1).fit(probabilities[:, label], truth[:, label])
        levels = np.clip(theirs.y_thresholds_, least, 1 - least)
        np.testing.assert_allclose(found[:, label], np.interp(asked[:, label], theirs.X_thresholds_, levels), atol=1e-9)


def test_a_rare_label_takes_the_curve_of_all():
    probabilities, truth = answers(5)
    truth = truth.copy()
    truth[:, 2] = False
    truth[np.argmin(probabilities[:, 2]), 2] = True  # by itself it would say: the less probable, the truer
    map = by_label.isotonic(probabilities, truth)
    common = calibrating.rising(probabilities.ravel(), truth.ravel().astype(float))
    assert np.array_equal(map.x[2], common[0])
    assert not np.array_equal(map.x[0], common[0])


@pytest.mark.parametrize("method", calibrating.METHODS)
def test_calibrated_probabilities_can_be_believed(method):
    probabilities, truth = answers(6, rows=4000)
    map = by_label.fit(method, probabilities, truth)
    fresh, true = answers(7, rows=4000)
    assert by_label.label_errors(fresh, true).min() > 0.1
    assert by_label.label_errors(map(fresh), true).max() < 0.04
    assert by_label.brier_rows(map(fresh), true).mean() < by_label.brier_rows(fresh, true).mean() - 0.01
    told = by_label.held_out(method, probabilities, truth)
    assert loss(told, truth) == pytest.approx(loss(map(fresh), true), abs=0.03)


def test_held_out_rows_are_never_their_own_judges():
    generator = np.random.default_rng(0)
    probabilities, truth = generator.random((150, 2)), generator.random((150, 2)) < 0.5
    own = by_label.fit("isotonic", probabilities, truth)(probabilities)
    out = by_label.held_out("isotonic", probabilities, truth)
    assert loss(own, truth) < np.log(2) < loss(out, truth)


def test_brier_scores_equal_scikit_learns():
    from sklearn.metrics import brier_score_loss

    probabilities, truth = answers(8, rows=200)
    theirs = [brier_score_loss(truth[:, label], probabilities[:, label]) for label in range(3)]
    assert by_label.brier_rows(probabilities, truth).mean() == pytest.approx(np.mean(theirs))
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    targets = np.random.default_rng(1).integers(0, 3, 200)
    rows = by_label.brier_rows_of_one(shares, targets)
    np.testing.assert_allclose(rows, ((shares - np.eye(3)[targets]) ** 2).sum(axis=1), atol=1e-12)
    unknown = by_label.brier_rows_of_one(shares, np.full(200, -1))
    np.testing.assert_allclose(unknown, (shares**2).sum(axis=1) + 1, atol=1e-12)


def test_bins_and_errors_of_one_label_agree():
    probabilities, truth = answers(9, rows=300)
    for label, error in enumerate(by_label.label_errors(probabilities, truth)):
        bins = by_label.label_bins(probabilities[:, label], truth[:, label])
        assert sum(bin["count"] for bin in bins) == 300
        summed = sum(abs(bin["confidence"] - bin["accuracy"]) * bin["count"] for bin in bins) / 300
        assert summed == pytest.approx(error)


# ---- as a model --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned():
    from tests.conftest import small_model

    cache = {}

    def get(id):
        if id not in cache:
            cache[id] = small_model(id).fit(*classify.toy_several(seed=1, rows=120))
        return cache[id]

    return get


def doubtful(seed, rows=240):
    """The toy set of several labels with some truth to be unsure of: every fifth text lacks what it has."""
    X, y = classify.toy_several(seed=seed, rows=rows)
    return X, [() if number % 5 == 0 else labels for number, labels in enumerate(y)]


@each_several
@pytest.mark.parametrize("method", calibrating.METHODS)
def test_every_model_of_several_labels_saves_and_loads_with_its_calibration(id, method, learned, tmp_path):
    model = learned(id)
    X, y = doubtful(seed=9)
    made = Calibrated.of(model, X, y, method=method)
    path = made.save(tmp_path / "c.erya")
    again = erya.load(path)
    assert again.several_ is True
    strange = [*X[:30], "", "zzzz", "\ud800", "soup"]
    assert np.array_equal(again.predict_proba(strange), made.predict_proba(strange))
    assert again.predict(strange).tolist() == made.predict(strange).tolist()
    assert again.fingerprint() == made.fingerprint()
    assert again.save(tmp_path / "d.erya").read_bytes() == path.read_bytes()
    if method == "temperature":
        # probabilities that differ in their last bits may become one: the order within a text is not held to
        assert [set(labels) for labels in made.predict(X)] == [set(labels) for labels in model.predict(X)]
    found, truth = made.predict_proba(X), truth_of(y, made.classes_)
    assert loss(found, truth) < loss(model.predict_proba(X), truth)
    assert again.trace("soup").arrays["calibrated"].tolist() == again.predict_proba(["soup"])[0].tolist()
    if hasattr(model, "explain"):
        assert again.explain("soup").views


@each_several
def test_a_precision_withholds_the_least_sure_labels(id, learned):
    X, y = doubtful(seed=10)
    asked = Calibrated.of(learned(id), X, y)
    truth, found = truth_of(y, asked.classes_), asked.predict_proba(X)
    given = found >= asked.thresholds_
    reached = {value: truth[given & (found >= value)].mean() for value in np.unique(found[given])}
    precision = (truth[given].mean() + max(reached.values())) / 2
    assert truth[given].mean() < precision
    made = Calibrated.of(learned(id), X, y, precision=precision)
    kept = given & (found >= made.threshold_)
    assert truth[kept].mean() >= precision
    # no lower threshold does: more labels given, too many of them wrong
    assert all(share < precision for value, share in reached.items() if value < made.threshold_)


def test_wrong_calls(learned, fitted):
    model = learned("classify/naive_bayes")
    X, y = classify.toy_several(seed=3, rows=60)
    with pytest.raises(UsageError, match="several labels"):
        Calibrated.of(fitted("classify/naive_bayes"), X, y)
    with pytest.raises(DataError, match="60 texts but 59"):
        Calibrated.of(model, X, y[:-1])
    with pytest.raises(DataError, match="no row has a label"):
        Calibrated.of(model, X, [("none of them",)] * 60)
    with pytest.raises(DataError, match="no threshold"):
        Calibrated.of(model, X, [tuple({"food", "music", "weather"} - set(labels)) for labels in y], precision=1.0)
    with pytest.raises(DataError, match="no label at all"):
        Calibrated.of(model, ["zzzz"] * 20, [("food",)] * 20, precision=0.9)
    single = Calibrated.of(model, X, [labels[0] if labels else "food" for labels in y])  # labels alone are sets of one
    assert single.several_ is True


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.arrays.pop("thresholds"),
        lambda state: state.arrays.update(thresholds=np.zeros(2)),
        lambda state: state.arrays.update(thresholds=np.full(3, -0.1)),
        lambda state: state.arrays.update(thresholds=np.zeros(3, dtype=np.float32)),
        lambda state: state.data.update(temperature=0.0),
    ],
)
def test_files_that_make_no_sense(learned, tmp_path, spoil):
    path = Calibrated.of(learned("classify/naive_bayes"), *doubtful(seed=4)).save(tmp_path / "c.erya")
    content = artefact.load(path)
    content.state.arrays = dict(content.state.arrays)
    spoil(content.state)
    artefact.save(path, content)
    with pytest.raises(ModelFileError) as caught:
        erya.load(path)
    assert caught.value.code == "model-nonsense"
