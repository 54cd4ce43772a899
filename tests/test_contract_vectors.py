"""The battery for word vectors: what every room of the task ``vectors`` must do, found by its card."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, EryaError, Interrupted, UsageError
from erya.progress import Report
from erya.tasks import vectors
from tests.conftest import small_model

pytestmark = pytest.mark.parametrize("id", catalog.ids("vectors"))

WORDS = [word for words in vectors.TOY_TOPICS.values() for word in words]


def corpus(seed: int = 3, rows: int = 150) -> list[str]:
    return vectors.toy(seed, rows)[0]


class AtStep(Report):
    """Keeps a checkpoint at every step, and wishes to stop at one of them."""

    def __init__(self, wish=None, step=10**9, state=None):
        self.wish, self.step, self.state, self.asked, self.saved = wish, step, state, 0, 0

    def stopping(self):
        self.asked += 1
        return self.wish if self.asked >= self.step else None

    def checkpoint_due(self):
        return True

    def save_checkpoint(self, state):
        self.state, self.saved = state, self.saved + 1

    def load_checkpoint(self):
        return self.state


def test_learns_the_toy_topics(id, fitted):
    """Every word lies nearer to the words of its topic than to those of the other one."""
    model = fitted(id)
    assert vectors.toy_check(model) > 0
    assert set(WORDS) <= set(model.words_)
    assert model.vectors_.shape == (len(model.words_), model.vector_size)
    assert model.vectors_.dtype == np.float32
    assert np.isfinite(model.vectors_).all()
    assert model.counts_.tolist() == sorted(model.counts_.tolist(), reverse=True)
    assert not hasattr(model, "predict_proba")


def test_same_seed_same_bits_and_fit_forgets(id):
    first = small_model(id).fit(corpus())
    second = small_model(id).fit(["entirely other words " * 3] * 40)
    second.fit(corpus())
    assert first.fingerprint() == second.fingerprint()


def test_another_seed_is_another_model_or_there_is_no_chance_in_it(id):
    if "seed" not in catalog.find(id).parameters():
        pytest.skip("no chance in it")
    first, second = (small_model(id, seed=seed).fit(corpus()) for seed in (1, 2))
    assert first.words_ == second.words_
    assert first.fingerprint() != second.fingerprint()


def test_the_number_of_threads_changes_no_bit(id, monkeypatch):
    prints = set()
    for threads in (1, 2, 3):
        monkeypatch.setenv("ERYA_THREADS", str(threads))
        prints.add(small_model(id).fit(corpus()).fingerprint())
    assert len(prints) == 1


def test_texts_token_lists_and_files_give_the_same_bits(id, tmp_path):
    texts = corpus()
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    settings = {"tokenizer": "words"}
    of_texts = small_model(id, **settings).fit(texts)
    for same in (path, [path], iter(texts)):
        found = small_model(id, **settings).fit(same)
        assert found.words_ == of_texts.words_
        assert np.array_equal(found.vectors_, of_texts.vectors_)
    of_tokens = small_model(id, **settings).fit([text.split() for text in texts])
    assert of_tokens.words_ == of_texts.words_
    assert np.array_equal(of_tokens.vectors_, of_texts.vectors_)


def test_save_load_same_vectors_same_bytes(id, fitted, tmp_path):
    model = fitted(id)
    path = model.save(tmp_path / "v.erya")
    again = erya.load(path)
    assert type(again) is type(model)
    assert again.plain_params() == model.plain_params()
    assert again.fingerprint() == model.fingerprint()
    assert np.array_equal(again.transform(WORDS), model.transform(WORDS))
    assert again.most_similar("soup") == model.most_similar("soup")
    assert again.counts_.tolist() == model.counts_.tolist()
    assert again.save(tmp_path / "w.erya").read_bytes() == path.read_bytes()


def test_in_memory_pickling(id, fitted):
    again = pickle.loads(pickle.dumps(fitted(id)))
    assert np.array_equal(again.transform(WORDS), fitted(id).transform(WORDS))


def test_answering_needs_numpy_alone(id, fitted, tmp_path):
    import subprocess
    import sys

    path = fitted(id).save(tmp_path / "v.erya")
    script = (
        "import sys, erya\nmodel = erya.load(sys.argv[1])\n"
        "model.most_similar('soup'); model.analogy('soup', 'bread', 'rain'); model.transform(['soup'])\n"
        "print(','.join(m for m in ('torch', 'numba', 'sklearn', 'pandas', 'scipy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def stranger(model) -> str:
    """A word without a vector: a misspelt one, or, where n-grams make vectors, one in letters that the text does not have."""
    return "ζουπ" if "sopu" in model else "sopu"


def test_unknown_words_and_bad_calls_are_errors(id, fitted):
    model = fitted(id)
    with pytest.raises(UsageError, match="no vector"):
        model.most_similar(stranger(model))
    with pytest.raises(KeyError) as caught:
        model[stranger(model)]
    assert "soup" in (caught.value.help or "") or "sopu" in model
    assert not model.has_index_for("sopu")
    with pytest.raises(UsageError):
        model.transform("soup")
    with pytest.raises(UsageError):
        small_model(id).fit("one bare string")
    with pytest.raises(UsageError):
        small_model(id).fit([1, 2, 3])
    with pytest.raises(EryaError):
        small_model(id).transform(["soup"])  # not fitted
    assert model.transform([]).shape == (0, model.vector_size)


def test_a_corpus_without_words_is_an_error(id, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    for nothing in ([], [""], [" ", "\n"], empty):
        with pytest.raises(DataError):
            small_model(id).fit(nothing)
    with pytest.raises(DataError):
        small_model(id, min_count=100).fit(["too few words"] * 10)
    with pytest.raises(DataError):
        small_model(id).fit(tmp_path / "no such file.txt")


@pytest.mark.parametrize(
    "texts", [["same"] * 50, ["same same same"] * 50, ["one two"] * 30, ["word"] * 30 + ["other"] * 30]
)
def test_one_word_repeated_trains_or_says_why(id, texts):
    try:
        model = small_model(id, min_count=1).fit(texts)
    except DataError:
        return
    assert np.isfinite(model.vectors_).all()
    assert set(model.words_) <= set(" ".join(texts).split())
    assert model.most_similar(model.words_[0]) is not None


def test_strange_texts(id):
    strange = [
        "",
        " ",
        "\x00\x00 a",
        "a" * 5000,
        "👩‍👩‍👧‍👦 a b",
        "𠀀𠀁 北京 上海",
        "\u202esoup e\u0301",
        "北京 的 天气 rain",
        "a b c",
    ]
    model = small_model(id, min_count=1).fit(strange * 10 + corpus(rows=30))
    assert np.isfinite(model.vectors_).all()
    assert "soup" in model


def test_the_budget_ends_training_early_with_a_usable_model(id):
    report = AtStep("budget", 1)
    model = small_model(id).fit(corpus(), report=report)
    assert np.isfinite(model.transform(model.words_)).all()
    assert report.asked >= 0


def test_interrupted_anywhere_resumes_with_the_same_bits(id):
    """At some of the steps at which the model asks; how many there are may depend on the clock."""
    counting = AtStep()
    whole = small_model(id).fit(corpus(), report=counting).fingerprint()
    for step in sorted({1, 2, 3, counting.asked // 2, counting.asked - 1}):
        report = AtStep("interrupt", max(1, step))
        try:
            found = small_model(id).fit(corpus(), report=report)
        except Interrupted:
            found = small_model(id).fit(corpus(), report=AtStep(state=report.state))
        assert found.fingerprint() == whole, f"step {step} of {counting.asked}"


class Killed(Exception):
    """No more than this comes of a process that dies."""


class DiesAt(AtStep):
    """Dies right after a checkpoint."""

    def save_checkpoint(self, state):
        super().save_checkpoint(state)
        if self.saved == self.step:
            raise Killed

    def stopping(self):
        return None


def test_every_checkpoint_continues_with_the_same_bits(id):
    """Killed rather than stopped: whatever checkpoint is the last, training goes on from it."""
    counting = AtStep()
    whole = small_model(id).fit(corpus(), report=counting).fingerprint()
    for checkpoint in sorted({1, 2, 3, counting.saved // 2, counting.saved}):
        report = DiesAt(step=max(1, checkpoint))
        try:
            found = small_model(id).fit(corpus(), report=report)
        except Killed:
            found = small_model(id).fit(corpus(), report=AtStep(state=report.state))
        assert found.fingerprint() == whole, f"checkpoint {checkpoint} of {counting.saved}"


def test_a_checkpoint_of_other_data_is_refused(id):
    report = AtStep()
    small_model(id).fit(corpus(), report=report)
    if report.state is None:
        pytest.skip("keeps no checkpoints")
    with pytest.raises((EryaError, ValueError, KeyError)):
        small_model(id).fit(["entirely other words here " * 3] * 40, report=AtStep(state=report.state))


def test_the_curve_has_numbers(id):
    rows = []

    class Curve(Report):
        def record(self, row):
            rows.append(row)

    model = small_model(id).fit(corpus(), report=Curve())
    assert len(model.curve_) == len(rows)
    for row in rows:
        assert all(isinstance(value, int | float) for value in row.values()), row


def test_trace_and_its_pictures(id, fitted):
    model = fitted(id)
    for word in ("soup", "rain"):
        trace = model.trace(word)
        assert trace.model == id
        assert trace.arrays
        assert trace.views
        assert trace.text(width=80, color=False)
        assert trace.html().startswith("<!doctype html>")
        assert trace.to_plain()["schema"] == "erya.trace/1"
    with pytest.raises(UsageError):
        model.trace(stranger(model))


def test_scikit_learn_company(id):
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    model = clone(small_model(id)).fit(corpus())
    words = np.array(WORDS, dtype=object)
    scaled = make_pipeline(FunctionTransformer(model.transform), StandardScaler()).fit_transform(words)
    assert scaled.shape == (len(WORDS), model.vector_size)
    assert model.transform(np.array(["soup", "rain"], dtype=object)).shape == (2, model.vector_size)
