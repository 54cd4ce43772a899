"""GloVe: the fast version against the naive one, and every promise of this room."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.models.glove import estimator, kernels, lanes_kernels, loop, reference, tiles
from erya.models.glove.estimator import GloVe
from erya.parts.counting import count
from erya.parts.simd import LANES, load, store
from erya.progress import Report
from erya.tasks import vectors
from erya.text.corpus import encode

X, _ = vectors.toy(0)


def plan(**changes):
    settings = {
        "dim": 5,
        "epochs": 3,
        "learning_rate": 0.07,
        "x_max": 4.0,
        "alpha": 0.75,
        "clip": 100.0,
        "seed": 1,
        "deterministic": True,
        "threads": 1,
    }
    return loop.Plan(**(settings | changes))


def small_store(words=53, tokens=900, seed=0):
    generator = np.random.default_rng(seed)
    ids = np.minimum(generator.zipf(1.4, tokens) - 1, words - 1).astype(np.int32)
    return count(ids, words, window=3, threads=1)


def as_entries(found):
    rows = np.repeat(np.arange(len(found)), np.diff(found.starts))
    return {(i, j): x for i, j, x in zip(rows.tolist(), found.columns.tolist(), found.values.tolist(), strict=True)}


def in_order(run, epoch):
    """The entries of one epoch as the kernel takes them, tile by tile."""
    entries, groups, size = run.entries, run.groups, run.size
    for turn in range(groups):
        for group in range(groups):
            other = (group + turn + epoch) % groups
            rows = (len(run.words) - group + groups - 1) // groups
            salt = kernels.mixed((epoch * groups + group) * groups + other)
            for number in range(rows):
                row = (kernels.STRIDES[salt % 4] * number + salt) % rows
                start = (group * groups + other) * size + row
                for place in range(entries.starts[start], entries.starts[start + 1]):
                    yield row * groups + group, int(entries.columns[place])


def reference_parameters(run):
    """The fast version's first parameters, as the naive one has them."""
    dim = run.plan.dim
    shape = run.words.shape
    return reference.Parameters(
        run.words.astype(np.float64),
        run.contexts.astype(np.float64),
        run.parameters.words[:, dim].astype(np.float64),
        run.parameters.contexts[:, dim + 1].astype(np.float64),
        np.ones(shape),
        np.ones(shape),
        np.ones(shape[0]),
        np.ones(shape[0]),
    )


# ---- the steps ------------------------------------------------------------------------------------------------


def test_the_references_gradients_are_those_of_its_loss():
    generator = np.random.default_rng(3)
    p = reference.Parameters(
        *(generator.normal(size=(7, 5)) for _ in range(2)), *(generator.normal(size=7) for _ in range(2)), *[None] * 4
    )
    for x in (0.5, 3.0, 40.0):  # below and above x_max
        settings = {"x_max": 10.0, "alpha": 0.75}
        for_word, for_context, for_bias = reference.gradients(p, 2, 4, x, **settings)

        def slope(array, place, x=x, settings=settings):
            losses = []
            for sign in (1, -1):
                array[place] += sign * 1e-6
                losses.append(reference.loss(p, 2, 4, x, **settings))
                array[place] -= sign * 1e-6
            return (losses[0] - losses[1]) / 2e-6

        for k in range(5):
            assert slope(p.words, (2, k)) == pytest.approx(for_word[k], abs=1e-7)
            assert slope(p.contexts, (4, k)) == pytest.approx(for_context[k], abs=1e-7)
            assert slope(p.words, (4, k)) == 0
        assert slope(p.word_biases, 2) == pytest.approx(for_bias, abs=1e-7)
        assert slope(p.context_biases, 4) == pytest.approx(for_bias, abs=1e-7)


@pytest.mark.parametrize(("dim", "clip"), [(5, 100.0), (14, 100.0), (15, 100.0), (40, 0.02)])
def test_the_kernel_takes_the_steps_of_the_reference(dim, clip):
    found = small_store()
    run = loop.Run(found, plan(dim=dim, clip=clip))
    assert run.groups > 1
    p, x = reference_parameters(run), as_entries(found)
    losses = []
    for epoch in range(3):
        steps = [
            reference.step(p, i, j, x[i, j], learning_rate=0.07, x_max=4.0, alpha=0.75, clip=clip)
            for i, j in in_order(run, epoch)
        ]
        assert len(steps) == len(x)
        losses.append(sum(steps) / len(steps))
    run.finish(Report())
    np.testing.assert_allclose(run.words, p.words, atol=2e-5)
    np.testing.assert_allclose(run.contexts, p.contexts, atol=2e-5)
    np.testing.assert_allclose(run.parameters.words[:, dim], p.word_biases, atol=2e-5)
    np.testing.assert_allclose(run.parameters.contexts[:, dim + 1], p.context_biases, atol=2e-5)
    np.testing.assert_allclose([row["loss"] for row in run.curve], losses, rtol=1e-4)
    assert (run.parameters.words[:, dim + 1] == 1).all(), "the ones beside the biases stay"
    assert (run.parameters.contexts[:, dim] == 1).all()
    width = run.parameters.words.shape[1] // 2
    assert (run.parameters.words[:, dim + 2 : width] == 0).all(), "and so does the padding"


def test_the_inverse_root():
    from numba import njit

    @njit
    def roots(array):
        for k in range(0, array.shape[1], LANES):
            store(array, 0, k, lanes_kernels.inverse_root(load(array, 0, k)))

    values = np.logspace(-8, 30, 64, dtype=np.float32)[None]
    found = values.copy()
    roots(found)
    np.testing.assert_allclose(found, 1 / np.sqrt(values.astype(np.float64)), rtol=1e-5)


# ---- tiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [3, 53, 301])
def test_every_entry_stands_in_its_tile_once(words):
    found = small_store(words=words, tokens=3_000)
    run = loop.Run(found, plan())
    assert run.groups == min(32, max(1, words // 8))
    expected = as_entries(found)
    for epoch in (0, 1):
        order = list(in_order(run, epoch))
        assert len(order) == len(expected)
        assert set(order) == set(expected)
    rounds = [{(g, (g + turn) % run.groups) for g in range(run.groups)} for turn in range(run.groups)]
    for some in rounds:  # neither words nor contexts in common
        assert len({group for group, _ in some}) == len({other for _, other in some}) == run.groups


def test_logarithms_and_weights():
    found = small_store()
    run = loop.Run(found, plan())
    x = as_entries(found)
    expected = [x[pair] for pair in in_order(run, 0)]
    lookup = sorted(expected)
    np.testing.assert_allclose(np.sort(run.entries.logarithms), np.log(lookup), rtol=1e-5, atol=1e-6)
    weights = [reference.weight(value, x_max=4.0, alpha=0.75) for value in lookup]
    np.testing.assert_allclose(np.sort(run.entries.weights), np.sort(weights), rtol=1e-5)


def test_entries_on_disk_are_the_same():
    found = small_store()
    settings = {"x_max": 4.0, "alpha": 0.5, "seed": 3}
    kept, *_ = tiles.entries_of(found, **settings, threads=1)
    spilled, *_ = tiles.entries_of(found, **settings, threads=3, memory_bytes=100)
    assert isinstance(spilled.columns, np.memmap)
    for one, other in zip(kept, spilled, strict=True):
        assert one.tobytes() == other.tobytes()


# ---- threads, stopping, resuming ------------------------------------------------------------------------------


def test_same_bits_for_any_number_of_threads():
    found = small_store(words=300, tokens=20_000)
    prints = set()
    for threads in (1, 2, 3, 7):
        run = loop.Run(found, plan(threads=threads, dim=20))
        run.finish(Report())
        prints.add(run.parameters.words.tobytes() + run.parameters.contexts.tobytes() + repr(run.curve).encode())
    assert len(prints) == 1


def test_threads_of_the_machine_change_nothing(monkeypatch):
    found = set()
    for threads in ("1", "3"):
        monkeypatch.setenv("ERYA_THREADS", threads)
        found.add(GloVe(epochs=3, min_count=1).fit(X).fingerprint())
    assert len(found) == 1


def test_lock_free_learns_as_much():
    found = small_store(words=300, tokens=20_000)
    ends = []
    for deterministic in (True, False):
        run = loop.Run(found, plan(threads=3, dim=20, epochs=10, deterministic=deterministic))
        run.finish(Report())
        ends.append(run.curve[-1]["loss"])
        assert run.curve[-1]["loss"] < 0.5 * run.curve[0]["loss"]
    assert ends[1] == pytest.approx(ends[0], rel=0.1)


class StopAt(Report):
    """Asks to stop at the n-th look, and keeps the checkpoint."""

    def __init__(self, look, wish="interrupt", saved=None):
        self.look, self.wish, self.saved, self.looks = look, wish, saved, 0

    def stopping(self):
        self.looks += 1
        return self.wish if self.looks == self.look else None

    def save_checkpoint(self, state):
        self.saved = state

    def load_checkpoint(self):
        return self.saved


@pytest.mark.parametrize("look", [1, 4, 11])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(look, monkeypatch):
    monkeypatch.setattr("erya.parts.pace.SECONDS", 0.0)  # a round at a time
    found = small_store()
    whole = loop.Run(found, plan())
    whole.finish(Report())
    report, first = StopAt(look), loop.Run(found, plan())
    with pytest.raises(Interrupted):
        first.finish(report)
    second = loop.Run(found, plan(threads=2))
    second.resume(report.saved)
    second.finish(Report())
    assert second.parameters.words.tobytes() == whole.parameters.words.tobytes()
    assert second.curve == whole.curve
    for spoil in (
        lambda state: state.data.update(round=99),
        lambda state: state.data.update(digest="other"),
        lambda state: state.arrays.update(words=state.arrays["words"][:-1]),
        lambda state: state.arrays.update(contexts=np.full_like(state.arrays["contexts"], np.nan)),
    ):
        state = first.state()
        spoil(state)
        with pytest.raises(ValueError, match="checkpoint"):
            loop.Run(found, plan()).resume(state)


def test_a_budget_ends_training(monkeypatch):
    monkeypatch.setattr("erya.parts.pace.SECONDS", 0.0)
    run = loop.Run(small_store(), plan(epochs=50))
    run.finish(StopAt(run.groups + 2, "budget"))
    assert [row["epoch"] for row in run.curve] == [1, 2]
    assert 0 < run.curve[1]["entries"] < len(run.entries.columns)


@pytest.mark.parametrize("deterministic", [True, False])
def test_divergence_is_said_and_leaves_numbers(deterministic):
    model = GloVe(learning_rate=1e5, min_count=1, deterministic=deterministic)
    with pytest.raises(DivergedError) as problem:
        model.fit(X)
    assert "learning_rate=10000" in problem.value.help
    assert np.isfinite(model.vectors_).all()
    assert model.most_similar("soup")


# ---- the estimator --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_tiny_preset_tells_topics_apart(seed):
    texts, _ = vectors.toy(seed)
    model = catalog.model("vectors/glove", "tiny", {"seed": seed}).fit(texts)
    assert vectors.toy_check(model) > 0
    assert model.curve_[-1]["loss"] < 0.1 * model.curve_[0]["loss"]


def test_vectors_are_sums_or_words_alone():
    both = GloVe(dim=7, epochs=2, min_count=1).fit(X)
    alone = GloVe(dim=7, epochs=2, min_count=1, add_contexts=False).fit(X)
    assert both.vectors_.shape == (26, 7)
    assert both.vectors_.dtype == np.float32
    np.testing.assert_array_equal(both.vectors_, alone.vectors_ + alone.contexts_)
    assert both.counts_.sum() == sum(len(text.split()) for text in X)


def test_fit_again_forgets_and_token_lists_are_taken():
    lists = [text.split() for text in X]
    model = GloVe(epochs=2, min_count=1).fit(["quite another text", "another text"])
    assert model.fit(lists).words_ == GloVe(epochs=2, min_count=1).fit(X).words_
    assert "quite" not in model


@pytest.mark.parametrize("add_contexts", [True, False])
def test_the_guesses_of_a_trace_are_the_models(add_contexts):
    model = GloVe(epochs=300, min_count=1, add_contexts=add_contexts).fit(X)
    found = model.trace("soup")
    np.testing.assert_allclose(found.arrays["guesses"], found.arrays["logarithms"], atol=0.2)
    assert found.arrays["counts"].sum() == pytest.approx(model.cooccurrences_.sums[model.get_index("soup")])
    ratios = model.trace("soup rain")
    assert model.trace(["soup", "rain"]).to_plain() == ratios.to_plain()
    both = np.isfinite(ratios.arrays["ratios"]) & (ratios.arrays["ratios"] > 0)
    assert both.sum() >= 10, "the words that both topics share"
    guessed, measured = (np.log(ratios.arrays[name][both]) for name in ("guesses", "ratios"))
    np.testing.assert_allclose(guessed, measured, atol=0.4)
    assert ratios.text()
    assert found.html()
    for wrong in ("never", "soup rain fog", ""):
        with pytest.raises(UsageError):
            model.trace(wrong)


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 0},
        {"window": 0},
        {"epochs": 1.5},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"x_max": 0},
        {"alpha": -1},
        {"clip": 0},
        {"max_size": 0},
        {"seed": -1},
    ],
)
def test_senseless_settings_are_refused(settings):
    with pytest.raises(UsageError):
        GloVe(**settings).fit(X)


def test_a_word_without_neighbours():
    model = GloVe(min_count=1, epochs=2).fit([*X, "lonely"])
    assert model.trace("lonely").text()
    for words in ("lonely soup", "soup lonely"):
        with pytest.raises(UsageError, match="no neighbours"):
            model.trace(words)
    assert model.trace("soup soup").html()


def test_nothing_to_learn_from():
    with pytest.raises(UsageError, match="weights"):
        GloVe(min_count=1).fit(X, sample_weight=[1.0] * len(X))
    with pytest.raises(DataError, match="two words"):
        GloVe(min_count=1).fit(["alone", "alone"])
    with pytest.raises(DataError):
        GloVe().fit([])
    assert GloVe(min_count=1, epochs=1).fit(["same same same"]).vectors_.shape == (1, 100)


def test_a_state_makes_the_same_model_and_a_broken_one_none():
    model = GloVe(dim=7, epochs=2, min_count=1).fit(X)
    twin = GloVe.restore(model.plain_params(), model.state())
    assert twin.fingerprint() == model.fingerprint()
    assert twin.trace("soup").to_plain() == model.trace("soup").to_plain()
    breaks = [
        lambda state: state.arrays.update(vectors=state.arrays["vectors"][:-1]),
        lambda state: state.arrays.update(vectors=state.arrays["vectors"].astype(np.float64)),
        lambda state: state.arrays.update(contexts=np.full_like(state.arrays["contexts"], np.nan)),
        lambda state: state.arrays.update(biases=state.arrays["biases"].T),
        lambda state: state.arrays.update(counts=-state.arrays["counts"]),
        lambda state: state.arrays.update({"counts.columns": state.arrays["counts.columns"] + 9}),
        lambda state: state.arrays.update({"counts.starts": state.arrays["counts.starts"][::-1]}),
        lambda state: state.arrays.update({"counts.values": -state.arrays["counts.values"]}),
        lambda state: state.arrays.pop("counts.sums"),
        lambda state: state.data.pop("tokenizer"),
    ]
    for spoil in breaks:
        state = model.state()
        spoil(state)
        with pytest.raises((ValueError, KeyError)):
            GloVe.restore(model.plain_params(), state)


def test_answering_needs_no_compiler(tmp_path):
    path = GloVe(dim=7, epochs=2, min_count=1).fit(X).save(tmp_path / "m.erya")
    program = (
        "import sys, erya\n"
        f"model = erya.load({str(path)!r})\n"
        "model.most_similar('rain'); model.trace('rain').text(); model.trace('rain soup').html()\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'torch', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_room_is_whole():
    folder = Path(__file__).parent
    for name in ("card.toml", "README.md", "README.zh.md", "train.ipynb", "reference.py"):
        assert (folder / name).is_file(), name


def test_the_docstrings_example_is_true():
    assert doctest.testmod(estimator).failed == 0
    assert doctest.testmod(estimator).attempted


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_spring_and_autumn(name):
    """The README's table of ratios."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    found = re.search(r"<!-- table: spring_autumn -->\n((?:\|.*\n)+)", text)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]
    encoded = encode(erya.read("sample:poetry").train.inputs, tokenizer="characters")
    store = count(encoded.ids, len(encoded.words), window=5)
    seasons = [encoded.words.index(season) for season in "春秋"]
    sums = [store.row(season)[1].sum(dtype=np.float64) for season in seasons]
    assert [row[0][0] for row in rows] == list("柳霜风无")
    for word, *values in rows:
        shares = [
            store.get(season, encoded.words.index(word[0])) / total for season, total in zip(seasons, sums, strict=True)
        ]
        assert [f"{share:.5f}" for share in shares] == values[:2]
        assert f"{shares[0] / shares[1]:.2f}" == values[2]
    frequent = [encoded.words[store.row(season)[0][store.row(season)[1].argmax()]] for season in seasons]
    assert frequent == ["风", "风"], "as the text says"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_worked_example_is_true(name):
    failures, tried = doctest.testfile(str(Path(__file__).parent / name), module_relative=False, encoding="utf-8")
    assert tried >= 5
    assert not failures
