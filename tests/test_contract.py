"""The battery: what every model of every room must do, found by its card and tested before its author writes a test.

Here what holds for all of them, and for classifiers; that of word vectors is in test_contract_vectors.py.
"""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import erya
from erya import catalog
from erya.contract import Model
from erya.errors import DataError, EryaError, UsageError
from erya.parts.language_model import LanguageModel
from erya.parts.language_network import NetworkLanguageModel
from erya.parts.network_classifier import NetworkClassifier
from erya.parts.network_tagger import NetworkTagger
from erya.tasks import classify
from tests.conftest import small_model

each_model = pytest.mark.parametrize("id", catalog.ids())
each_classifier = pytest.mark.parametrize("id", catalog.ids("classify"))


@each_model
def test_constructor_only_stores(id):
    kind = catalog.find(id)
    assert issubclass(kind, Model)
    assert Model in kind.__mro__[1:4], (
        "one level deep; of networks that classify or tag two, of language networks three"
    )
    assert kind.__mro__[1] in (Model, NetworkClassifier, NetworkTagger, LanguageModel, NetworkLanguageModel)
    assert kind.id == id
    model = kind()
    for name, parameter in kind.parameters().items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert getattr(model, name) is parameter.default
    assert set(vars(model)) == set(kind.parameters())


@each_model
def test_get_set_clone(id):
    from sklearn.base import clone

    model = catalog.model(id, "tiny")
    twin = clone(model)
    assert twin is not model
    assert twin.get_params() == model.get_params()
    with pytest.raises(UsageError, match="no setting"):
        model.set_params(no_such_setting=1)
    name = next(iter(model.parameters()))
    assert model.set_params(**{name: getattr(model, name)}) is model
    assert repr(model).startswith(type(model).__name__)


@each_classifier
def test_beats_chance_and_probabilities(id, fitted):
    X, y = classify.toy(seed=2)
    model = fitted(id)
    assert model.score(X, y) > 0.8  # chance: 1/3
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (len(X), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    assert (probabilities >= 0).all()
    assert list(model.classes_) == ["food", "music", "weather"]
    assert model.predict(X).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()


@each_classifier
def test_same_seed_same_bits_and_fit_forgets(id):
    X, y = classify.toy(seed=3, rows=60)
    first = small_model(id).fit(X, y)
    second = small_model(id).fit([text[::-1] for text in X], list(reversed(y)))
    second.fit(X, y)
    assert first.fingerprint() == second.fingerprint()


@each_classifier
def test_save_load_same_answer_same_bytes(id, fitted, tmp_path):
    X, _ = classify.toy(seed=4)
    model = fitted(id)
    path = model.save(tmp_path / "m.erya")
    again = erya.load(path)
    assert type(again) is type(model)
    assert again.plain_params() == model.plain_params()
    assert again.fingerprint() == model.fingerprint()
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.save(tmp_path / "n.erya").read_bytes() == path.read_bytes()


@each_classifier
def test_batch_order_and_company_change_nothing(id, fitted):
    X, _ = classify.toy(seed=5, rows=40)
    X = [*X, "soup " * 60, "rain", "", "🦄"]
    model = fitted(id)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba([text]) for text in X])
    backwards = model.predict_proba(X[::-1])[::-1]
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(backwards, together, atol=1e-5)


@each_classifier
def test_strange_texts(id, fitted):
    strange = ["", " ", "zzzz qqqq", "\x00\x00", "\ud800", "a" * 5000, "👩‍👩‍👧‍👦", "𠀀𠀁", "\u202esoup", "e\u0301"]
    probabilities = fitted(id).predict_proba(strange)
    assert np.isfinite(probabilities).all()
    assert fitted(id).predict_proba([]).shape == (0, 3)


@each_classifier
def test_bad_inputs_are_errors(id, fitted):
    X, y = classify.toy(rows=12)
    with pytest.raises(UsageError):
        fitted(id).predict("one bare string")
    with pytest.raises(UsageError):
        fitted(id).predict([1, 2])
    with pytest.raises(DataError, match="one class"):
        small_model(id).fit(X, ["same"] * len(X))
    with pytest.raises(DataError):
        small_model(id).fit([], [])
    with pytest.raises(DataError):
        small_model(id).fit(X, y[:-1])
    with pytest.raises(UsageError):
        small_model(id).fit(X, y, sample_weight=[float("nan")] * len(X))
    with pytest.raises(EryaError):
        small_model(id).predict(X)  # not fitted


@each_classifier
def test_integer_labels_and_numpy_input(id):
    X, y = classify.toy(seed=6, rows=90)
    numbers = np.array([{"food": 7, "music": -1, "weather": 3}[label] for label in y])
    model = small_model(id).fit(np.array(X, dtype=object), numbers)
    assert model.classes_.tolist() == [-1, 3, 7]
    assert set(model.predict(X).tolist()) <= {-1, 3, 7}
    assert model.score(X, numbers) > 0.8


@each_classifier
def test_integer_labels_survive_the_file(id, tmp_path):
    X, y = classify.toy(seed=6, rows=90)
    model = small_model(id).fit(X, [len(label) for label in y])
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.predict(X[:5]).tolist() == model.predict(X[:5]).tolist()


@each_classifier
def test_pairs(id):
    X, y = classify.toy(seed=7, rows=90)
    pairs = list(zip(X, X[1:] + X[:1], strict=True))
    model = small_model(id).fit(pairs, y)
    assert model.score(pairs, y) > 0.6
    model.trace(pairs[0])
    model.explain(pairs[0])


@each_classifier
def test_weights_matter(id):
    """Texts that say nothing, two labels: the heavier label must win; rows of weight 0 must leave no mark."""
    X, y = ["same words"] * 60, ["a", "b"] * 30
    for heavy in ("a", "b"):
        weights = [5.0 if label == heavy else 1.0 for label in y]
        assert small_model(id).fit(X, y, sample_weight=weights).predict(["same words"])[0] == heavy
        assert small_model(id, class_weight={heavy: 5.0}).fit(X, y).predict(["same words"])[0] == heavy
    toy_X, toy_y = classify.toy(seed=8, rows=90)
    with_ghosts = small_model(id).fit(
        [*toy_X, "ghost word"], [*toy_y, "ghost"], sample_weight=[*[1.0] * len(toy_X), 0.0]
    )
    assert with_ghosts.fingerprint() == small_model(id).fit(toy_X, toy_y).fingerprint()


@each_classifier
def test_trace_ends_with_the_answer(id, fitted):
    X, _ = classify.toy(seed=9)
    model = fitted(id)
    for text in (X[0], "", "𠀀 soup\x00"):
        trace = model.trace(text)
        last = list(trace.arrays.values())[-1]
        np.testing.assert_allclose(np.asarray(last).ravel(), model.predict_proba([text])[0], atol=1e-6)
        assert trace.model == id
        assert trace.text(width=80, color=False)
        assert trace.html().startswith("<!doctype html>")


@each_classifier
def test_explain_names_the_telling_word(id, fitted):
    explanation = fitted(id).explain("the soup is very tasty")
    assert explanation.views
    text = explanation.text(width=100, color=False)
    assert "soup" in text
    other = fitted(id).explain("the soup is very tasty", label="music")
    assert "music" in other.text(width=100, color=False)
    with pytest.raises(EryaError):
        fitted(id).explain("soup", label="no such label")


@each_classifier
def test_explanation_spans_fit_the_text(id, fitted):
    from erya.trace import TokenHeat

    text = "今天 the 汤 soup 𠀀 is tasty"
    heats = [view for view in fitted(id).explain(text).views if isinstance(view, TokenHeat)]
    assert heats
    for heat in heats:
        assert heat.text == text
        for start, end in heat.spans:
            assert 0 <= start < end <= len(text)
        assert len(heat.spans) == len(heat.values)


@each_classifier
def test_in_memory_pickling(id, fitted):
    X, _ = classify.toy(seed=10, rows=10)
    again = pickle.loads(pickle.dumps(fitted(id)))
    assert np.array_equal(again.predict_proba(X), fitted(id).predict_proba(X))


@each_classifier
def test_scikit_learn_company(id):
    from sklearn.base import is_classifier
    from sklearn.ensemble import VotingClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def sorted_by_label(rows):
        X, y = classify.toy(seed=11, rows=rows)
        by_label = sorted(range(len(y)), key=lambda index: y[index])
        return [X[index] for index in by_label], [y[index] for index in by_label]

    X, y = sorted_by_label(60)
    model = small_model(id)
    assert is_classifier(model)
    some = sorted_by_label(catalog.card_of(id).tasks["classify"].toy_rows)
    assert cross_val_score(model, *some, cv=3).mean() > 0.6, "label-sorted data: folds must be stratified"
    piped = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), small_model(id))
    assert piped.fit(X, y).score(X, y) > 0.8
    step = piped.steps[-1][0]
    piped.fit(X, y, **{f"{step}__sample_weight": np.ones(len(X))})
    grid = GridSearchCV(small_model(id), {"tokenizer": ["words", "characters"]}, cv=2).fit(X, y)
    assert grid.best_params_["tokenizer"] in ("words", "characters")
    voters = [("a", small_model(id)), ("b", make_pipeline(CountVectorizer(), MultinomialNB()))]
    voting = VotingClassifier(voters, voting="soft").fit(X, y)
    assert voting.score(X, y) > 0.8


@each_classifier
@pytest.mark.slow
def test_parallel_processes(id):
    from sklearn.model_selection import cross_val_score

    X, y = classify.toy(seed=12, rows=60)
    alone = cross_val_score(small_model(id), X, y, cv=2, n_jobs=1)
    together = cross_val_score(small_model(id), X, y, cv=2, n_jobs=2)
    assert alone.tolist() == together.tolist()


@each_classifier
def test_metadata_routing(id):
    import sklearn
    from sklearn.model_selection import cross_validate

    X, y = ["same words"] * 40, ["a", "b"] * 20
    weights = np.array([5.0 if label == "b" else 1.0 for label in y])
    with sklearn.config_context(enable_metadata_routing=True):
        model = small_model(id).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(model, X, y, cv=2, params={"sample_weight": weights}, return_estimator=True)
    assert all(estimator.predict(["same words"])[0] == "b" for estimator in found["estimator"])


@each_model
def test_card_settings_are_real(id):
    card = catalog.card_of(id)
    for preset in card.tasks[id.split("/")[0]].presets:
        catalog.model(id, preset)
    for language in ("en", "zh"):
        assert card.title[language]
        assert card.summary[language]
    assert card.year > 1700
    for name in ("README.md", "README.zh.md", "train.ipynb", "estimator.py"):
        assert (card.folder / name).is_file(), name


@each_classifier
def test_budget_ends_training_early_with_a_usable_model(id):
    from erya.progress import Report

    class AtOnce(Report):
        def stopping(self):
            return "budget"

    X, y = classify.toy(seed=13, rows=60)
    model = small_model(id).fit(X, y, report=AtOnce())
    assert np.isfinite(model.predict_proba(X)).all()
