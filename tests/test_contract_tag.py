"""The battery for taggers: what every room of the task ``tag`` must do, found by its card; and a toy room, as there may be none."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, EryaError, UsageError
from erya.progress import Report
from erya.tasks import tag
from tests.conftest import small_model

TOY = "tag/counting"
IDS = [*catalog.ids("tag"), TOY]
pytestmark = pytest.mark.parametrize("id", IDS)


@pytest.fixture(autouse=True)
def toy_room(id, monkeypatch):
    """The toy room beside those of the package, for its own tests only."""
    if id == TOY:
        monkeypatch.setenv("ERYA_ROOMS", str(Path(__file__).parent / "tag_rooms"))


def lists(answers) -> list[list[str]]:
    return [list(tags) for tags in answers]


def test_learns_what_context_decides(id, fitted):
    X, y = tag.toy(seed=2)
    model = fitted(id)
    assert model.score(X, y) > 0.8  # 0.42 without context
    assert model.score(X, y) == tag.headline(y, model.predict(X))
    assert model.classes_.tolist() == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"] or model.scheme_ != "iob2"
    assert model.data_scheme_ == "iob2"


def test_parts_of_speech(id):
    model = small_model(id).fit(*tag.toy_pos(seed=1, rows=200))
    X, y = tag.toy_pos(seed=2, rows=100)
    assert model.scheme_ == model.data_scheme_ == "none"
    assert model.score(X, y) > 0.95  # 0.89 without context
    assert model.predict(X[:1])[0].spans == []


def test_answers_are_lists_of_tags_that_know_their_text(id, fitted):
    text = "Anna met 王强 in Paris 🦄 𠀀 today"
    from_text, from_tokens = fitted(id).predict([text, ["Anna", "met", "Kim", "in", "Paris", "York"]])
    assert isinstance(from_text, list)
    assert len(from_text) == len(from_text.tokens) == len(from_text.offsets)
    for token, (start, end) in zip(from_text.tokens, from_text.offsets, strict=True):
        assert text[start:end] == token
    assert from_text.spans
    for answer in (from_text, from_tokens):
        assert answer.spans == [
            tag.Span(span.start, span.end, span.label, answer.text[span.start : span.end]) for span in answer.spans
        ]
    assert from_tokens.tokens == ["Anna", "met", "Kim", "in", "Paris", "York"]
    assert ("Anna", "PER") in [(span.text, span.label) for span in from_tokens.spans]


def test_same_seed_same_bits_and_fit_forgets(id):
    X, y = tag.toy(seed=3, rows=80)
    first = small_model(id).fit(X, y)
    second = small_model(id).fit([["entirely", "other", "words"]] * 20, [["O", "B-THING", "O"]] * 20)
    second.fit(X, y)
    assert first.fingerprint() == second.fingerprint()


def test_the_number_of_threads_changes_no_bit(id, monkeypatch):
    if catalog.card_of(id).extra == "neural":
        pytest.skip("torch gives the same bits for the recorded number of threads only")
    X, y = tag.toy(seed=3, rows=60)
    prints = set()
    for threads in (1, 2):
        monkeypatch.setenv("ERYA_THREADS", str(threads))
        prints.add(small_model(id).fit(X, y).fingerprint())
    assert len(prints) == 1


def test_save_load_same_answer_same_bytes(id, fitted, tmp_path):
    X, _ = tag.toy(seed=4, rows=40)
    model = fitted(id)
    path = model.save(tmp_path / "m.erya")
    again = erya.load(path)
    assert type(again) is type(model)
    assert again.plain_params() == model.plain_params()
    assert again.fingerprint() == model.fingerprint()
    assert again.predict(X) == model.predict(X)
    text = "Anna met 王强 in Paris"
    assert again.predict([text])[0].spans == model.predict([text])[0].spans
    if hasattr(model, "predict_marginals"):
        for one, other in zip(again.predict_marginals(X), model.predict_marginals(X), strict=True):
            assert np.array_equal(one, other)
    assert again.save(tmp_path / "n.erya").read_bytes() == path.read_bytes()


def test_company_changes_nothing(id, fitted):
    X, _ = tag.toy(seed=5, rows=40)
    X = [*X, ["Anna"], [], ["Paris"] * 400, ["🦄", "unheard"]]
    model = fitted(id)
    together = model.predict(X)
    assert [model.predict([tokens])[0] for tokens in X] == together
    assert model.predict(X[::-1])[::-1] == together
    assert model.predict([tuple(tokens) for tokens in X]) == together
    boxed = np.empty(len(X), dtype=object)
    boxed[:] = X
    assert model.predict(boxed) == together
    assert model.predict([]) == []


def test_marginals(id, fitted):
    model = fitted(id)
    if not hasattr(model, "predict_marginals"):
        pytest.skip("gives no probabilities")
    X = [*tag.toy(seed=6, rows=20)[0], ["Anna"], [], ["zzz"] * 50]
    found = model.predict_marginals(X)
    for tokens, marginals in zip(X, found, strict=True):
        assert marginals.shape == (len(tokens), len(model.classes_))
        assert marginals.dtype == np.float64
        np.testing.assert_allclose(marginals.sum(axis=1), 1, atol=1e-8)
        assert (marginals >= 0).all()
    alone = [model.predict_marginals([tokens])[0] for tokens in X]
    for one, other in zip(alone, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


STRANGE = [
    ["\x00", "\x00"],
    ["\ud800", "Anna"],
    ["a" * 5000],
    ["👩‍👩‍👧‍👦", "𠀀𠀁"],
    [" ", "\u3000"],
    ["e\u0301", "\u202eAnna"],
    [],
]


def test_strange_tokens_and_lengths(id, fitted):
    model = fitted(id)
    answers = model.predict([*STRANGE, ["Anna", "met"] * 5000, "", " \n", "\x00 \ud800", "a" * 5000])
    assert [len(tags) for tags in answers[: len(STRANGE) + 1]] == [*map(len, STRANGE), 10_000]
    assert answers[len(STRANGE) + 1] == []
    small_model(id).fit([*STRANGE, ["Anna", "met"]] * 3, [*[["O"] * len(one) for one in STRANGE], ["B-PER", "O"]] * 3)


def test_long_and_short_sentences_can_be_learned_from(id):
    X, y = tag.toy(seed=7, rows=30)
    long = [token for tokens in X * 50 for token in tokens][:10_000]
    tags = [name for names in y * 50 for name in names][:10_000]
    model = small_model(id).fit([*X, long, ["Anna"]], [*y, tags, ["B-PER"]], sample_weight=[*[1.0] * 30, 1e-3, 1.0])
    assert len(model.predict([long])[0]) == len(long)


def test_a_tag_seen_once_and_sentences_without_spans(id):
    X, y = tag.toy(seed=8, rows=60)
    model = small_model(id).fit([*X, ["nothing", "here"], ["Excalibur"]], [*y, ["O", "O"], ["B-SWORD"]])
    assert "SWORD" in {name[2:] for name in model.classes_.tolist()}
    assert lists(model.predict([["it", "rained"]])) == [["O", "O"]]


@pytest.mark.parametrize("data", ["iob1", "bioes", "bmes", "bilou"])
def test_answers_are_in_the_scheme_of_the_data(id, data):
    X, y = tag.toy(seed=9, rows=60)
    targets = tag.convert(y, data)
    model = small_model(id).fit(X, targets)
    assert (model.scheme_, model.data_scheme_) == (data, data)
    answers = model.predict(X)
    assert {name for tags in answers for name in tags} <= {name for tags in targets for name in tags}
    assert tag.headline(targets, answers) > 0.8


def test_learning_in_another_scheme_than_the_data(id):
    X, y = tag.toy(seed=9, rows=80)
    model = small_model(id, scheme="bioes").fit(X, y)
    assert (model.scheme_, model.data_scheme_) == ("bioes", "iob2")
    answers = model.predict(X)
    assert {name[0] for tags in answers for name in tags} <= set("BIO")
    assert model.score(X, y) > 0.8
    with pytest.raises(UsageError, match="scheme"):
        small_model(id, scheme="biose").fit(X, y)


def test_segmentation_without_types(id):
    X, y = tag.toy(seed=10, rows=80)
    bare = [[name[0] if name != "O" else "S" for name in tags] for tags in tag.convert(y, "bmes")]
    model = small_model(id).fit(X, bare)
    assert model.data_scheme_ == "bmes"
    assert model.score(X, bare) > 0.8
    assert {span.label for span in model.predict(X[:1])[0].spans} == {""}


def test_broken_training_tags_are_mended_and_said(id):
    said = []

    class Notes(Report):
        def note(self, sentence):
            said.append(sentence)

    X, y = tag.toy(seed=11, rows=60)
    broken = [
        [f"I{name[1:]}" if place == 0 and name[0] == "B" else name for place, name in enumerate(tags)] for tags in y
    ]
    assert broken != y
    mended = small_model(id).fit(X, broken, report=Notes())
    assert mended.fingerprint() == small_model(id).fit(X, y).fingerprint()
    assert any("mended" in sentence or "修复" in sentence for sentence in said)


def test_weights_matter(id):
    X, y = [["same", "words"]] * 40, [["B-A", "O"], ["B-B", "O"]] * 20
    for heavy in ("A", "B"):
        weights = [5.0 if tags[0][2:] == heavy else 1.0 for tags in y]
        assert small_model(id).fit(X, y, sample_weight=weights).predict([["same", "words"]])[0][0] == f"B-{heavy}"
    toy_X, toy_y = tag.toy(seed=12, rows=60)
    with_ghost = small_model(id).fit([*toy_X, ["ghost"]], [*toy_y, ["B-GHOST"]], sample_weight=[*[1.0] * 60, 0.0])
    assert with_ghost.fingerprint() == small_model(id).fit(toy_X, toy_y).fingerprint()


def test_texts_with_spans_can_be_learned_from(id):
    X, y = tag.toy(seed=13, rows=80)
    answers = [tag.Tagging(tags, tag.Sentence(tokens), "iob2") for tokens, tags in zip(X, y, strict=True)]
    texts = [answer.text for answer in answers]
    spans = [[(span.start, span.end, span.label) for span in answer.spans] for answer in answers]
    model = small_model(id).fit(texts, spans)
    found = model.predict(texts)
    right = sum(
        [(span.start, span.end, span.label) for span in answer.spans] == wanted
        for answer, wanted in zip(found, spans, strict=True)
    )
    assert right > 0.5 * len(texts)


def test_trace_ends_with_the_path(id, fitted):
    from erya.trace import Lattice

    model = fitted(id)
    for x in (["Anna", "met", "Kim"], "Anna met 王强", ["zzz"], []):
        trace = model.trace(x)
        (answer,) = model.predict([x])
        path = list(trace.arrays.values())[-1]
        assert list(trace.arrays)[-1] == "path"
        names = [model.classes_[place] for place in np.asarray(path).tolist()]
        assert (tag.convert([names], model.data_scheme_)[0] if names else []) == list(answer)
        assert any(isinstance(view, Lattice) for view in trace.views)
        assert trace.model == id
        assert trace.text(width=80, color=False)
        assert trace.html().startswith("<!doctype html>")
        assert trace.to_plain()["schema"] == "erya.trace/1"


def test_explanation_spans_fit_the_text(id, fitted):
    from erya.trace import TokenHeat

    model = fitted(id)
    if not hasattr(model, "explain"):
        pytest.skip("does not explain itself")
    text = "Anna met 王强 in Paris 🦄"
    heats = [view for view in model.explain(text).views if isinstance(view, TokenHeat)]
    assert heats
    for heat in heats:
        assert heat.text == text
        assert len(heat.spans) == len(heat.values)


def test_in_memory_pickling_and_copying(id, fitted):
    X, _ = tag.toy(seed=14, rows=10)
    for again in (pickle.loads(pickle.dumps(fitted(id))), copy.deepcopy(fitted(id))):
        assert again.predict(X) == fitted(id).predict(X)


def test_scikit_learn_company(id):
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score

    X, y = tag.toy(seed=15, rows=60)
    model = clone(small_model(id))
    assert not is_classifier(model)
    assert cross_val_score(model, X, y, cv=2).mean() > 0.6
    grid = GridSearchCV(small_model(id), {"scheme": ["data", "bioes"]}, cv=2).fit(X, y)
    assert grid.best_params_["scheme"] in ("data", "bioes")


def test_bad_inputs_are_errors(id, fitted):
    X, y = tag.toy(rows=12)
    for bad in ("one bare string", [1, 2], [["a", 1]], [["a", ""]], Path("x")):
        with pytest.raises(UsageError):
            fitted(id).predict(bad)
    for wrong_X, wrong_y in (([], []), (X, y[:-1]), (X, [tags[:-1] for tags in y]), (X, [["O"] * len(t) for t in y])):
        with pytest.raises(DataError):
            small_model(id).fit(wrong_X, wrong_y)
    with pytest.raises(UsageError):
        small_model(id).fit(X, y, sample_weight=[float("nan")] * len(X))
    with pytest.raises(UsageError):
        small_model(id).fit(X, None)
    with pytest.raises(EryaError):
        small_model(id).predict(X)  # not fitted


def test_budget_ends_training_early_with_a_usable_model(id):
    class AtOnce(Report):
        def stopping(self):
            return "budget"

    X, y = tag.toy(seed=16, rows=40)
    model = small_model(id).fit(X, y, report=AtOnce())
    assert [len(tags) for tags in model.predict(X)] == [len(tags) for tags in y]
