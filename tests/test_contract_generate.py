"""The battery for language models: what every room of the task ``generate`` must do, found by its card."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, EryaError, UsageError
from erya.tasks import generate
from erya.text.unit_ids import BORDER, UNKNOWN
from tests.conftest import small_model

IDS = catalog.ids("generate")
pytestmark = pytest.mark.parametrize("id", IDS)
TEST = generate.toy(seed=2, rows=60)
STRANGE = ["", "x", "\x00", "🦄𠀀", "the" * 200, "\n\n", "\ud800", "春", "zzz qqq"]


def bits(model, texts):
    return [one.bits for one in model.surprisals(texts)]


def test_learns_the_toy_language(id, fitted):
    model = fitted(id)
    letters = generate.baseline(generate.toy(seed=1), TEST)
    found = -model.score(TEST)
    assert found < 0.6 * letters, "letters counted one by one need some 4 bits"
    assert found == generate.headline(model.surprisals(TEST))


def test_probabilities_are_some(id, fitted):
    model = fitted(id)
    for text in ("", "the cat", "春风", "🦄"):
        following = model.next_units(text, len(model.vocabulary_))
        assert len(following) == len(model.vocabulary_)
        assert math.isclose(sum(probability for _, probability in following), 1, abs_tol=1e-5)


def test_step_by_step_is_all_at_once(id, fitted):
    model = fitted(id)
    for text in [*TEST[:4], "the 🦄 sees"]:
        ids = [int(number) for number in model.vocabulary_.encode(text, model.units_)]
        told = model.surprisals([text])[0]
        memory, rows = model._decoder().start([[]])
        for place, number in enumerate([*ids, BORDER]):
            assert math.isclose(-rows[0][number] / math.log(2), told.bits[place], rel_tol=1e-4, abs_tol=1e-4)
            memory, rows = model._decoder().step(memory, [0], [number])
        assert told.unknown.tolist() == [number == UNKNOWN for number in ids]


def test_same_seed_same_bits_and_fit_forgets(id):
    texts = generate.toy(seed=3, rows=80)
    first = small_model(id).fit(texts)
    second = small_model(id).fit(["entirely other", "words of another kind"] * 20)
    second.fit(texts)
    assert first.fingerprint() == second.fingerprint()


def test_save_load_same_answer_same_bytes(id, fitted, tmp_path):
    model = fitted(id)
    path = model.save(tmp_path / "m.erya")
    again = erya.load(path)
    assert type(again) is type(model)
    assert again.plain_params() == model.plain_params()
    assert again.fingerprint() == model.fingerprint()
    for one, other in zip(bits(again, TEST), bits(model, TEST), strict=True):
        assert np.array_equal(one, other)
    assert again.write(["the", "春"], length=9, seed=4) == model.write(["the", "春"], length=9, seed=4)
    assert again.save(tmp_path / "n.erya").read_bytes() == path.read_bytes()


def test_company_changes_nothing(id, fitted):
    model = fitted(id)
    texts = [*TEST[:20], *STRANGE]
    together = bits(model, texts)
    for text, one in zip(texts, together, strict=True):
        assert np.allclose(bits(model, [text])[0], one, rtol=1e-4, atol=1e-4)
    for one, other in zip(bits(model, texts[::-1])[::-1], together, strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-4)
    written = model.write(["the", "two", ""], length=8, seed=1)
    assert [model.write([text], length=8, seed=1)[0] for text in ("the", "two", "")] == written
    assert model.surprisals([]) == []
    assert model.write([]) == []


def test_strange_texts_cost_something_finite(id, fitted):
    model = fitted(id)
    for text, told in zip(STRANGE, model.surprisals(STRANGE), strict=True):
        assert len(told.bits) == len(told.units) + 1 == len(model.units_.spans(text)) + 1
        assert np.isfinite(told.bits).all()
        assert (told.bits >= 0).all()
        assert told.characters == len(text) + 1
        assert (told.spelling[told.unknown] > 0).all()
        assert not told.spelling[~told.unknown].any()


def test_writing(id, fitted):
    model = fitted(id)
    drawn = {model.write(["the"], seed=seed, temperature=1.0, top_p=1.0)[0] for seed in range(6)}
    assert len(drawn) > 1
    assert all(text.startswith("the") for text in drawn)
    greedy = model.write(["the"], temperature=0)
    assert greedy == model.write(["the"], temperature=0, seed=9)
    assert greedy == model.write(["the"], top_k=1, seed=3)
    assert model.write(["the"], length=0) == ["the"]
    assert model.predict(["春"])[0].startswith("春")
    assert "." not in model.write(["the cat"], stop=".", seed=2)[0]
    assert model.write(["the"], beams=3) == model.write(["the"], beams=3, seed=8)
    assert model.write(["🦄"], length=3)[0].startswith("🦄")


def test_beams_find_what_is_more_probable_than_greed(id, fitted):
    model = fitted(id)

    def cost(text):
        return float(model.surprisals([text])[0].bits.sum())

    greedy, best = (model.write(["the"], **how)[0] for how in ({"temperature": 0}, {"beams": 8}))
    units = [len(model.units_.cut(text)) for text in (greedy, best)]
    assert cost(best) / units[1] ** 0.6 <= cost(greedy) / units[0] ** 0.6 + 1.0


def test_a_form_is_kept(id):
    model = small_model(id, tokenizer="characters").fit(["春风来，秋雨去。", "秋月生，春雨来。"] * 30)
    text = model.write(["秋"], form="3，3。", seed=3)[0]
    assert len(text) == 8
    assert text[0] == "秋"
    assert (text[3], text[7]) == ("，", "。")
    with pytest.raises(UsageError, match="does not fit"):
        model.write(["秋，"], form="3，3。")
    with pytest.raises(UsageError, match="does not write"):
        model.write(["秋"], form="3！")


def test_explain_and_trace(id, fitted):
    model = fitted(id)
    trace = model.explain("the cat sees")
    assert trace.views
    assert trace.arrays["bits"].shape == (len(model.units_.cut("the cat sees")) + 1,)
    assert trace.text(width=60)
    assert "<" in trace.html()
    assert model.trace("the cat sees").arrays
    assert model.trace("").arrays
    with pytest.raises(UsageError):
        model.explain(["a", "b"])


def test_units(id):
    texts = generate.toy(seed=4, rows=60)
    for tokenizer in ("characters", "words", "whitespace"):
        model = small_model(id, tokenizer=tokenizer).fit(texts)
        assert model.units_.name == tokenizer
        assert np.isfinite(model.score(texts[:5]))


def test_rare_units_are_unknown(id):
    texts = [*generate.toy(seed=4, rows=60), "zebra"]
    model = small_model(id, tokenizer="words", min_count=2).fit(texts)
    told = model.surprisals(["zebra"])[0]
    assert told.unknown.tolist() == [True]
    assert told.spelling[0] > told.bits[0] > 0
    assert "zebra" not in "".join(model.write([""] * 10, seed=1))


def test_small_corpora(id):
    for texts in (["a"], ["", "b"], ["aa" * 50]):
        model = small_model(id, tokenizer="characters").fit(texts)
        assert np.isfinite(model.score(["a", "ab", ""]))


def test_bad_corpora_and_settings(id, tmp_path):
    for texts in ([], [""], ["", ""]):
        with pytest.raises(DataError):
            small_model(id).fit(texts)
    for wrong in ("one text", b"bytes", 3, [1, 2], [["a"]]):
        with pytest.raises(UsageError):
            small_model(id).fit(wrong)
    with pytest.raises(UsageError, match="weights"):
        small_model(id).fit(["a b"], sample_weight=[1.0])
    for name, value in (("tokenizer", "nonsense"), ("documents", "nonsense"), ("min_count", 0), ("max_vocabulary", 0)):
        with pytest.raises(UsageError):
            small_model(id, **{name: value}).fit(["a b"])
    with pytest.raises(EryaError):
        small_model(id).fit(tmp_path / "nowhere.txt")


def test_bad_questions(id, fitted):
    model = fitted(id)
    for how in (
        {"temperature": -1},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": 0},
        {"top_p": 1.5},
        {"beams": 0},
        {"length": -1},
    ):
        with pytest.raises(UsageError):
            model.write(["the"], **how)
    for wrong in ("the", [3]):
        with pytest.raises(UsageError):
            model.write(wrong)
        with pytest.raises(UsageError):
            model.surprisals(wrong)


def test_files_are_read(id, tmp_path):
    texts = generate.toy(seed=5, rows=60)
    path = tmp_path / "toy.txt"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    from_file = small_model(id, documents="line").fit(path)
    from_list = small_model(id).fit(texts)
    assert np.allclose(from_file.score(TEST[:8]), from_list.score(TEST[:8]))


def test_copies(id, fitted):
    model = fitted(id)
    assert np.array_equal(bits(pickle.loads(pickle.dumps(model)), TEST[:3])[0], bits(model, TEST[:3])[0])
    clone = copy.deepcopy(model)
    assert clone.fingerprint() == model.fingerprint()
