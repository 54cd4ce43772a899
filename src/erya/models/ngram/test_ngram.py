"""The n-gram model against its dictionaries, sums of probabilities, what people type wrong, what a file may hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError, UsageError
from erya.models.ngram import counting, kernels, reference, smoothing, tree
from erya.models.ngram.estimator import NGram
from erya.tasks import generate

UNITS = 6  # the border, the unknown one, and four more, of which some are never seen
corpora = st.lists(st.lists(st.integers(2, 4), max_size=7), min_size=1, max_size=8)
quick = settings(max_examples=25, deadline=None)


def stream(documents):
    return np.array([0, *(unit for document in documents for unit in (*document, 0))], dtype=np.int32)


def grown(documents, order, smoothed):
    orders = counting.count(stream(documents), UNITS, order)
    return tree.build(orders, smoothed(orders))


def contexts(documents, order):
    """Those of the documents, in full length or from the border on, and some that were never seen."""
    found = {(0,), (0, 5), (5, 3, 2), (0, 1, 2, 3)}
    for document in documents:
        said = [0, *document]
        found |= {tuple(said[:end]) for end in range(1, len(said) + 1)}
    return [context[max(0, len(context) - order + 1) :] if order > 1 else () for context in sorted(found)]


def rows_of(model, all_contexts):
    for context in all_contexts:
        units = context
        state = kernels.ROOT
        if context[:1] == (0,):
            state, units = model.start(), context[1:]
        yield context, np.exp(model.distributions([model.walk(state, units)])[0])


@quick
@given(corpora, st.integers(1, 6), st.sampled_from([(), (0, 1), (0, 0, 1, 2)]))
def test_kneser_ney_is_what_the_dictionaries_say(documents, order, prune):
    model = grown(documents, order, lambda orders: smoothing.kneser_ney(orders, prune))
    plain = reference.KneserNey(reference.count(documents, UNITS, order), prune)
    for context, row in rows_of(model, contexts(documents, order)):
        expected = [plain.probability(context, unit) for unit in range(UNITS)]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12)
        assert abs(row.sum() - 1) < 1e-9
        assert (row > 0).all()


@quick
@given(corpora, st.integers(1, 6))
def test_add_k_and_shares_are_what_the_dictionaries_say(documents, order):
    counts = reference.count(documents, UNITS, order)
    added = grown(documents, order, lambda orders: smoothing.add_k(orders, 0.3))
    shares = grown(documents, order, smoothing.mle)
    for context, row in rows_of(added, contexts(documents, order)):
        np.testing.assert_allclose(
            row, [reference.add_k(counts, context, unit, 0.3) for unit in range(UNITS)], rtol=0, atol=1e-12
        )
    for context, row in rows_of(shares, contexts(documents, order)):
        np.testing.assert_allclose(
            row, [reference.mle(counts, context, unit) for unit in range(UNITS)], rtol=0, atol=1e-12
        )
        assert abs(row.sum() - 1) < 1e-9


@quick
@given(corpora, corpora, st.integers(1, 5), st.sampled_from([(), (0, 1)]))
def test_scores_of_a_stream_are_rows_of_the_distributions(documents, others, order, prune):
    model = grown(documents, order, lambda orders: smoothing.kneser_ney(orders, prune))
    logs, said = model.score(stream(others))
    expected = []
    for document in others:
        for end, unit in enumerate([*document, 0]):
            expected.append(model.distributions([model.walk(model.start(), document[:end])])[0][unit])
    np.testing.assert_allclose(logs, expected, rtol=0, atol=1e-12)
    assert set(model.order_of(said).tolist()) <= set(range(1, order + 1))
    copy = tree.Tree.from_arrays(model.arrays(), UNITS)
    assert copy.score(stream(others))[0].tobytes() == logs.tobytes()


@quick
@given(corpora, st.integers(1, 5))
def test_counts_and_kernels_are_those_of_plain_python(documents, order):
    counts = reference.count(documents, UNITS, order)
    orders = counting.count(stream(documents), UNITS, order)
    seen = {}
    for length, one in enumerate(orders):
        below = orders[length - 1] if length else None
        assert len(one.begin) == (len(below) + 1 if below else 2)
        names = [()] if below is None else seen[length - 1]
        seen[length] = [(*names[context], int(unit)) for context, unit in zip(one.context(), one.word, strict=True)]
        assert seen[length] == sorted(seen[length])
        for name, times, first in zip(seen[length], one.count, one.first, strict=True):
            assert counts.after.get(name[:-1], {}).get(name[-1], 0) == times
            assert first == (length > 0 and name[0] == 0)
        if below is not None:
            assert [seen[length - 1][suffix] for suffix in one.suffix] == [name[1:] for name in seen[length]]
    assert {(*context, unit) for context, after in counts.after.items() for unit in after} == {
        name for length in seen for name in seen[length] if length or counts.after[()][name[0]]
    }


def test_discounts_by_hand():
    counts = np.array([1] * 10 + [2] * 4 + [3] * 2 + [4] * 1)  # Y = 10 / 18
    y = 10 / 18
    assert smoothing.discounts_of(counts) == pytest.approx((1 - 2 * y * 4 / 10, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2))
    assert smoothing.discounts_of(np.array([1, 1, 5])) == smoothing.FALLBACK


def test_francisco_counts_by_its_contexts():
    texts = ["in San Francisco"] * 20 + [f"the {place} glasses" for place in ("old", "new", "big", "red", "blue")]
    kneser_ney = NGram(order=2, tokenizer="words").fit(texts)
    counted = NGram(order=2, tokenizer="words", smoothing="mle").fit(texts)

    def alone(model, unit):
        return math.exp(model.tree_.log_probability[model.vocabulary_.ids([unit])[0]])

    assert alone(counted, " Francisco") > 3 * alone(counted, " glasses")
    assert alone(kneser_ney, " Francisco") < alone(kneser_ney, " glasses") / 3


# ---- the model whole -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy():
    return NGram(order=4, tokenizer="words").fit(generate.toy(1))


def test_learns_the_toy_language(toy):
    test = generate.toy(2)
    assert generate.baseline(generate.toy(1), test) > 3
    assert 0.5 < -toy.score(test) < 0.8
    assert toy.perplexity(test) < 3
    assert toy.discounts_[0][0] > 0


@pytest.mark.parametrize("smoothing_name", ["kneser_ney", "add_k", "mle"])
def test_perplexity_is_the_number_of_units_for_the_uniform_guess_and_one_for_the_sure(smoothing_name):
    sure = NGram(order=2, tokenizer="characters", smoothing="mle").fit(["ab"])
    assert sure.perplexity(["ab"]) == pytest.approx(1)
    wild = NGram(order=3, tokenizer="characters", smoothing="add_k", k=1e8).fit(["abcd"] * 3)
    assert wild.perplexity(["dcba", "q"]) == pytest.approx(len(wild.vocabulary_), rel=1e-5)
    one = NGram(order=3, tokenizer="characters", smoothing=smoothing_name).fit(["aaaa"])  # a vocabulary of one unit
    assert 1 <= one.perplexity(["aa"]) < 4


def test_shares_of_counts_find_impossible_what_was_never_read():
    model = NGram(order=2, tokenizer="characters", smoothing="mle").fit(["ab", "ba"])
    assert model.perplexity(["aa"]) == generate.WORST
    assert model.score(["aa"]) < -1e5
    assert model.tree_.score(stream([model.vocabulary_.ids(["a", "a"])]))[0][1] == -math.inf
    assert model.perplexity(["ab"]) < 3
    assert "aa" in model.trace("aa").text(color=False)


def test_perplexity_of_files_is_that_of_their_documents(toy, tmp_path):
    texts = [*generate.toy(2, 50), "春 zzz"]
    path = tmp_path / "c.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    expected = generate.scores([toy.surprisals(texts)])["perplexity"].value
    assert toy.perplexity(texts) == pytest.approx(expected, rel=1e-12)
    assert toy.perplexity(path) == toy.perplexity([path]) == toy.perplexity(texts)
    for bad in ("text", 7, [1]):
        with pytest.raises(UsageError):
            toy.perplexity(bad)
    with pytest.raises(DataError):
        toy.perplexity([])


def test_units_never_seen_cost_their_spelling(toy):
    (known,) = toy.surprisals(["the cat sees a dog."])
    (other,) = toy.surprisals(["the cat zzz a dog."])
    assert other.unknown.tolist() == [False, False, True, False, False, False]
    assert other.spelling[2] > 20
    assert other.bits_per_character > known.bits_per_character


def test_company_changes_nothing_and_empty_texts_are_documents(toy):
    texts = ["the cat sees a dog.", "", "春风来。", "x"]
    together = toy.surprisals(texts)
    for text, one in zip(texts, together, strict=True):
        assert one.bits.tobytes() == toy.surprisals([text])[0].bits.tobytes()
        assert len(one.bits) == len(one.units) + 1
    assert toy.surprisals([]) == []


def test_next_units_are_a_distribution(toy):
    told = toy.next_units("the cat", 1000)
    assert sum(probability for _, probability in told) == pytest.approx(1)
    assert told[0][0] in (" sees", " hears", " likes")


def test_writes_the_toy_language(toy):
    (text,) = toy.write(["the cats"], temperature=0, length=10)
    assert text.startswith("the cats ")
    assert text.endswith(".")
    first, second, again = (toy.write(["", "two"], seed=seed, length=20) for seed in (1, 2, 1))
    assert first == again != second
    assert toy.write(["two"], seed=1, length=20)[0] == first[1]
    (beam,) = toy.write(["a cat"], beams=3, length=10)
    assert beam.startswith("a cat ")


def test_a_form_is_kept():
    poems = ["春风吹又生，明月照人来。"] * 3 + ["秋雨落空山，白云满青天。"] * 3
    model = NGram(order=3).fit(poems)
    (poem,) = model.write(["春"], form="5，5。", seed=4)
    assert [len(part) for part in poem.removesuffix("。").split("，")] == [5, 5]


def test_trace_names_the_path(toy):
    text = "the cat sees a cats."
    found = toy.trace(text)
    (told,) = toy.surprisals([text])
    np.testing.assert_allclose(found.arrays["log_probability"], -told.bits * math.log(2), atol=1e-12)
    for length in (1, 2, 3, 4):  # a column is what a model says that looks at fewer units
        state, shorter = toy.tree_.start(), []
        for unit in found.arrays["ids"]:
            chain = [
                one for one in toy.tree_.chain(state) if one < 0 or toy.tree_.order_of(np.array([one]))[0] < length
            ]
            shorter.append(toy.tree_.distributions(chain[:1])[0][unit])
            state = toy.tree_.walk(state, [unit])
        np.testing.assert_allclose(found.arrays["orders"][:, length - 1], shorter, atol=1e-12)
    assert found.arrays["order"][4] < 3  # "a cats" was never seen
    assert found.arrays["back_off"][4] < 0 == found.arrays["back_off"][0]
    assert "⟨s⟩" in found.text(color=False)
    assert NGram(order=1).fit(["a b"]).trace("").arrays["order"].tolist() == [1]


def test_pruning_keeps_sums_and_costs_little(toy):
    texts = generate.toy(1)
    pruned = NGram(order=4, tokenizer="words", prune=(0, 0, 2)).fit(texts)
    assert pruned.tree_.sizes[0] == toy.tree_.sizes[0]
    assert pruned.tree_.sizes.sum() < 0.8 * toy.tree_.sizes.sum()
    assert np.exp(pruned.tree_.distributions(range(pruned.tree_.inner))).sum(axis=1) == pytest.approx(1, abs=1e-9)
    assert -pruned.score(generate.toy(2)) < -toy.score(generate.toy(2)) + 0.1
    all_gone = NGram(order=3, tokenizer="words", prune=(0, 10**6)).fit(texts)
    assert len(all_gone.tree_.sizes) == 1
    assert sum(p for _, p in all_gone.next_units("the", 1000)) == pytest.approx(1)


def test_min_count_and_max_vocabulary():
    model = NGram(order=2, tokenizer="whitespace", min_count=2).fit(["a b a", "a c"])
    assert model.vocabulary_.units[2:] == ["a"]
    assert sum(p for _, p in model.next_units("a", 10)) == pytest.approx(1)
    small = NGram(order=2, tokenizer="words", max_vocabulary=1).fit(["a a a b", "c"])
    assert len(small.vocabulary_) == 3
    assert sum(p for _, p in small.next_units("a", 10)) == pytest.approx(1)


def test_longer_than_any_document():
    model = NGram(order=9, tokenizer="characters").fit(["ab", "", "a"])
    assert len(model.tree_.sizes) == 4  # ⟨s⟩ a b ⟨/s⟩
    rows = np.exp(model.tree_.distributions([kernels.ROOT, *range(model.tree_.inner)]))
    assert rows.sum(axis=1) == pytest.approx(1, abs=1e-9)


def test_saved_and_opened_says_the_same_bits(toy, tmp_path):
    import erya

    opened = erya.load(toy.save(tmp_path / "m.erya"))
    text = "two dogs hear a xyz."
    assert opened.surprisals([text])[0].bits.tobytes() == toy.surprisals([text])[0].bits.tobytes()
    assert opened.fingerprint() == toy.fingerprint()
    assert opened.write(["two"], seed=5) == toy.write(["two"], seed=5)


@pytest.mark.parametrize(
    "bad",
    [
        {"order": 0},
        {"order": 101},
        {"smoothing": "katz"},
        {"k": 0.0},
        {"k": math.nan},
        {"prune": (1,)},
        {"prune": (0, 2, 1)},
        {"prune": (0, 0, 0, 1), "order": 3},
        {"prune": (0, -1)},
        {"prune": (0, 1), "smoothing": "mle"},
        {"documents": "page"},
        {"tokenizer": "wordz"},
        {"min_count": 0},
    ],
)
def test_settings_out_of_range(bad):
    with pytest.raises(UsageError):
        NGram(**bad).fit(["a b c"])


@pytest.mark.parametrize("empty", [[], [""], ["", ""]])
def test_no_text(empty):
    with pytest.raises(DataError):
        NGram().fit(empty)


def damaged(arrays):
    """One array of a tree after another, spoiled."""
    for name, place, value in [
        ("sizes", 0, 7),
        ("sizes", 1, 2**62),
        ("sizes", 1, -1),
        ("word", 0, 3),
        ("word", -1, 99),
        ("word", -1, -1),
        ("suffix", -1, -1),
        ("suffix", -1, 10**6),
        ("suffix", 0, 0),
        ("begin", 0, 0),
        ("begin", 1, 10**9),
        ("begin", -1, 0),
        ("log_probability", 3, np.nan),
        ("log_probability", 3, np.inf),
        ("log_probability", 3, 0.5),
        ("log_back_off", 0, np.nan),
    ]:
        spoiled = {one: array.copy() for one, array in arrays.items()}
        spoiled[name][place] = value
        yield spoiled
    for name in arrays:
        yield {**arrays, name: arrays[name][:-1]}
        yield {**arrays, name: arrays[name].astype(np.float32)}
        yield {**arrays, name: arrays[name][None]}


def test_a_tree_that_makes_no_sense_is_refused(toy):
    units = len(toy.vocabulary_)
    arrays = toy.tree_.arrays()
    tree.Tree.from_arrays(arrays, units)
    for spoiled in damaged(arrays):
        with pytest.raises(ValueError, match=r"\w"):
            tree.Tree.from_arrays(spoiled, units)


@pytest.mark.parametrize("wrong", [(5, 3), ("the", 0)])
def test_what_may_come_next_of_no_text(toy, wrong):
    with pytest.raises(UsageError):
        toy.next_units(*wrong)
