"""word2vec: kernels against the reference, the reference against numerical gradients, and what a user may rely on."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.kernel_cache import kernel
from erya.models.word2vec import loop, reference
from erya.models.word2vec.answers import word_probabilities
from erya.models.word2vec.estimator import Word2Vec
from erya.models.word2vec.loop import Plan, Run
from erya.parts.huffman import huffman
from erya.parts.simd import LANES, load, store
from erya.parts.squash import sigmoid
from erya.parts.thinning import keep_probabilities, subsample
from erya.progress import Report
from erya.tasks import vectors as task
from erya.trace import Points, Table

COUNTS = np.array([90, 55, 40, 31, 22, 15, 11, 7, 5, 3, 2], dtype=np.int64)  # V = 11
DIM = 7


def plan(**changes):
    settings = {
        "dim": DIM,
        "window": 3,
        "negative": 5,
        "contrastive": False,
        "cbow": False,
        "mean": False,
        "shrink": True,
        "sample": 0.0,
        "smoothing": 0.75,
        "epochs": 2,
        "learning_rate": 0.1,
        "seed": 3,
        "deterministic": True,
        "threads": 1,
    }
    return Plan(**{**settings, **changes})


def text(tokens=600, seed=0):
    generator = np.random.default_rng(seed)
    ids = generator.choice(len(COUNTS), tokens, p=COUNTS / COUNTS.sum()).astype(np.int32)
    ids[generator.random(tokens) < 0.08] = -1
    return ids


def begun(**changes):
    """A run whose targets are not all 0 any more."""
    run = Run(text(), COUNTS, plan(**changes), np.arange(2))
    generator = np.random.default_rng(1)
    run.vectors[:] = generator.normal(0, 0.5, run.vectors.shape)
    run.targets[:] = generator.normal(0, 0.5, run.targets.shape)
    return run


def task_of(run, counts=COUNTS):
    paths = huffman(counts)
    settings, offsets = run.settings, run.sampling.offsets
    return reference.Task(
        window=settings.window,
        negative=settings.negative,
        pool=settings.pool,
        chunk=settings.chunk,
        cbow=settings.cbow,
        mean=settings.mean,
        shrink=settings.shrink,
        seed=settings.seed,
        shards=settings.shards,
        keep=run.sampling.noise.keep,
        other=run.sampling.noise.other,
        offsets=offsets.astype(float) if len(offsets) else np.zeros(len(counts)),
        paths=[
            (paths.nodes[first:last].tolist(), paths.turns[first:last].tolist())
            for first, last in itertools.pairwise(paths.starts.tolist())
        ],
    )


KINDS = {
    "skip-gram, negative sampling": {},
    "skip-gram, two words of noise": {"negative": 2},
    "skip-gram, thirteen words of noise": {"negative": 13},
    "skip-gram, fixed window": {"shrink": False, "window": 2},
    "skip-gram, NCE": {"contrastive": True},
    "skip-gram, tree": {"negative": 0},
    "CBOW, negative sampling": {"cbow": True, "mean": True},
    "CBOW, sum, NCE": {"cbow": True, "contrastive": True, "negative": 7},
    "CBOW, tree": {"cbow": True, "mean": True, "negative": 0},
}


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_kernels_take_the_steps_of_the_reference(changes, monkeypatch):
    monkeypatch.setattr(loop, "MOST_STEPS", 0.4)  # several turns a round, of several words
    monkeypatch.setattr(loop, "_block_tokens", lambda plan: 120)
    run = begun(**{"learning_rate": 0.02, **changes})
    assert run.settings.shards > 1
    assert run.settings.chunk > 1
    slow_vectors, slow_targets = run.vectors.astype(float), run.targets.astype(float)
    before = slow_vectors.copy()
    rates = run._rate(0.0), run._rate(1 / (run.plan.epochs * run.blocks))
    reference.train_block(run.ids[:120].tolist(), slow_vectors, slow_targets, task_of(run), 0, rates)
    run.block()
    assert not run.broken
    np.testing.assert_allclose(run.vectors, slow_vectors, atol=2e-5)
    np.testing.assert_allclose(run.targets, slow_targets, atol=2e-5)
    assert np.abs(slow_vectors - before).max() > 0.01, "something was learned"


@pytest.mark.parametrize("offset", [0.0, -1.3])
def test_gradients_are_those_of_the_loss(offset):
    generator = np.random.default_rng(5)
    h, u = generator.normal(size=5), generator.normal(size=(3, 5))
    y, offsets = np.array([1.0, 0.0, 0.0]), np.full(3, offset)
    _, for_h, for_u = reference.gradients(h, u, y, offsets)
    step = 1e-6

    def loss(h, u):
        return reference.gradients(h, u, y, offsets)[0]

    for i in range(5):
        nudge = np.eye(5)[i] * step
        assert (loss(h + nudge, u) - loss(h - nudge, u)) / (2 * step) == pytest.approx(for_h[i], abs=1e-8)
    for t, i in itertools.product(range(3), range(5)):
        nudge = np.zeros((3, 5))
        nudge[t, i] = step
        assert (loss(h, u + nudge) - loss(h, u - nudge)) / (2 * step) == pytest.approx(for_u[t, i], abs=1e-8)


def test_cbow_steps_down_its_loss():
    """The step for every context is −rate × the gradient of the loss of the mean."""
    generator = np.random.default_rng(6)
    hs, u = generator.normal(size=(3, 5)), generator.normal(size=(4, 5))
    y, zero, step = np.array([1.0, 0, 0, 0]), np.zeros(4), 1e-6

    def loss(hs):
        return reference.gradients(hs.mean(axis=0), u, y, zero)[0]

    moved = hs.copy()
    reference.cbow(moved, range(3), u, y, zero, 1.0, True)
    for place in itertools.product(range(3), range(5)):
        nudge = np.zeros((3, 5))
        nudge[place] = step
        assert (loss(hs - nudge) - loss(hs + nudge)) / (2 * step) == pytest.approx((moved - hs)[place], abs=1e-8)


@kernel
def _sigmoids(x, out):
    for row in range(x.shape[0]):
        store(out, row, 0, sigmoid(load(x, row, 0)))


def test_sigmoid():
    x = np.linspace(-30, 30, 16 * 4000, dtype=np.float32).reshape(-1, LANES)
    out = np.zeros_like(x)
    _sigmoids(x, out)
    assert np.abs(out - 1 / (1 + np.exp(-x.astype(float)))).max() < 4e-6
    x[0, :3] = np.nan, np.inf, -np.inf
    _sigmoids(x, out)
    assert np.isnan(out[0, 0])
    assert out[0, 1:3].tolist() == pytest.approx([1, 0], abs=1e-6)


def test_subsampling_keeps_the_right_share():
    ids = text(200_000)
    keep, kept = keep_probabilities(COUNTS, 0.01), np.empty(200_000, dtype=np.int32)
    size = subsample(ids, keep, kept, np.array([9], dtype=np.uint64))
    share = COUNTS / COUNTS.sum()
    expected = np.minimum(1, np.sqrt(0.01 / share) + 0.01 / share)
    found = np.bincount(kept[:size][kept[:size] >= 0], minlength=11) / np.bincount(ids[ids >= 0], minlength=11)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert (kept[:size] == -1).sum() == (ids == -1).sum()
    assert (keep_probabilities(COUNTS, 0.0) == 2**32 - 1).all()


# ---- for any number of threads, and again after a stop -----------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"negative": 0}, {"cbow": True}], ids=["skip-gram", "tree", "cbow"])
def test_threads_change_no_bit(changes):
    found = []
    for threads in (1, 2, 3, 8):
        run = Run(text(5000), COUNTS, plan(threads=threads, **changes), np.arange(2))
        run.finish(Report())
        found.append(run.parameters.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("changes", [{}, {"negative": 0}], ids=["noise", "tree"])
def test_lock_free_learns_about_the_same(changes, monkeypatch):
    monkeypatch.setattr(loop, "FEWEST_APART", 0)
    losses = []
    for deterministic in (True, False):
        run = Run(text(20_000), COUNTS, plan(threads=2, deterministic=deterministic, epochs=3, **changes), np.arange(2))
        assert run.settings.direct is not deterministic
        run.finish(Report())
        losses.append(run.loss(run.ids))
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_few_words_are_trained_in_step(monkeypatch):
    assert not Run(text(100), COUNTS, plan(deterministic=False), np.arange(2)).settings.direct
    monkeypatch.setattr(loop, "FEWEST_APART", len(COUNTS))
    assert Run(text(100), COUNTS, plan(deterministic=False), np.arange(2)).settings.direct


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_one_lock_free_thread_takes_the_steps_of_the_reference(changes, monkeypatch):
    """Word by word, each seeing what the last one changed. No word comes twice, so that no two changes meet but where the
    same noise is drawn twice for one word.
    """
    monkeypatch.setattr(loop, "LARGEST_CHUNK", 1)
    ids = np.random.default_rng(2).permutation(2000).astype(np.int32)
    ids[::9] = -1
    counts = np.full(2000, 5, dtype=np.int64)
    run = Run(ids, counts, plan(learning_rate=0.02, deterministic=False, **changes), np.arange(2))
    run.vectors[:] = np.random.default_rng(1).normal(0, 0.5, run.vectors.shape)
    run.targets[:] = np.random.default_rng(1).normal(0, 0.5, run.targets.shape)
    assert run.settings.direct
    vectors, targets = run.vectors.astype(float), run.targets.astype(float)
    before = vectors.copy()
    first = dataclasses.replace(task_of(run, counts), shards=1)
    rates = run._rate(0.0), run._rate(1 / (run.plan.epochs * run.blocks))
    reference.train_block(run.ids[: run.block_tokens].tolist(), vectors, targets, first, 0, rates)
    run.block()
    assert not run.broken
    same = [
        (np.abs(ours - theirs) < 2e-5).all(axis=1) for ours, theirs in ((run.vectors, vectors), (run.targets, targets))
    ]
    assert np.concatenate(same).mean() > (0.8 if run.plan.negative else 0.9999)
    assert np.abs(vectors - before).max() > 0.01, "something was learned"


class Stopping(Report):
    """Asks to stop after the first block of training (not while the text is read), and remembers the state."""

    def __init__(self, state=None):
        self.saved, self.blocks = state, 0

    def load_checkpoint(self):
        return self.saved

    def save_checkpoint(self, state):
        self.saved = state

    def progress(self, *, epoch, epochs, done, loss=None, tokens_per_second=None, score=None):
        self.blocks += loss is not None

    def stopping(self):
        return "interrupt" if self.blocks == 1 else None


def test_stopped_at_every_block_ends_with_the_same_bits(monkeypatch):
    monkeypatch.setattr("erya.models.word2vec.loop._block_tokens", lambda plan: 700)
    X = task.toy(3, rows=200)[0]
    settings = {"dim": 9, "min_count": 1, "epochs": 3, "seed": 4}
    whole = Word2Vec(**settings).fit(X)
    state, stops = None, 0
    while stops < 50:
        report, again = Stopping(state), Word2Vec(**settings)
        try:
            again.fit(X, report=report)
            break
        except Interrupted:
            state, stops = report.saved, stops + 1
    assert stops > 5
    assert again.fingerprint() == whole.fingerprint()


def test_a_checkpoint_of_other_data_is_refused():
    run = Run(text(), COUNTS, plan(), np.arange(2))
    state = run.state()
    with pytest.raises(ValueError, match="not fit"):
        Run(text(), COUNTS[:9], plan(), np.arange(2)).resume(state)
    state.data["done"] = 99
    with pytest.raises(ValueError, match="outside"):
        run.resume(state)


def test_a_step_that_is_not_finite_is_not_taken():
    run = begun()
    run.vectors[0, 0] = np.float32(1e30)
    before = run.parameters.copy()
    with pytest.raises(DivergedError, match="diverged"):
        run.finish(Report())
    assert np.array_equal(run.parameters, before)


@pytest.mark.parametrize("changes", [{}, {"cbow": True}, {"negative": 0, "threads": 2}])
def test_lock_free_training_stops_where_scores_lose_all_sense(changes, monkeypatch):
    monkeypatch.setattr(loop, "FEWEST_APART", 0)
    run = begun(deterministic=False, **changes)
    run.vectors[0, 0] = np.float32(1e30)
    with pytest.raises(DivergedError, match="diverged"):
        run.finish(Report())
    assert np.isfinite(run.parameters).all()


# ---- the held-out loss --------------------------------------------------------------------------------------------


def test_held_out_loss_is_the_mean_over_pairs():
    """By hand: windows without chance, a tree without noise, so that nothing is drawn."""
    run = begun(negative=0, shrink=False, window=2)
    total, pairs = 0.0, 0
    paths = task_of(run).paths
    ids = run.ids.tolist()
    for place, word in enumerate(ids):
        found = reference._contexts(ids, place, None, task_of(run)) if word >= 0 else []
        if not found:
            continue
        nodes, turns = paths[word]
        losses = [
            reference.gradients(run.vectors[ids[c]], run.targets[nodes], 1.0 - np.array(turns), np.zeros(len(nodes)))[0]
            for c in found
        ]
        total, pairs = total + np.mean(losses), pairs + 1
    before = run.parameters.copy()
    assert run.loss(run.ids) == pytest.approx(total / pairs, rel=1e-5)
    assert np.array_equal(run.parameters, before)


def test_untrained_loss_is_that_of_a_coin():
    run = Run(text(), COUNTS, plan(negative=5), np.arange(2))
    assert run.loss(run.ids) == pytest.approx(6 * np.log(2), rel=1e-6)  # targets are 0: every answer is ½


def test_validation_loss_falls_and_stands_in_the_curve():
    X = task.toy(1)[0]
    model = Word2Vec(dim=16, min_count=1, epochs=8, learning_rate=0.1).fit(X[:500], validation=X[500:])
    losses = [row["validation_loss"] for row in model.curve_]
    assert len(losses) == 8
    assert losses[-1] < losses[0] < 6 * np.log(2)


# ---- what a user relies on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
@pytest.mark.parametrize("loss", ["negative_sampling", "nce", "hierarchical_softmax"])
def test_topics_come_apart(algorithm, loss):
    settings = {"dim": 32, "min_count": 1, "epochs": 20, "learning_rate": 0.1}
    model = Word2Vec(algorithm=algorithm, loss=loss, **settings).fit(task.toy(2)[0])
    assert task.toy_check(model) > 0.1


def test_token_lists_and_texts_are_the_same_corpus():
    texts = ["you say goodbye", "and i say hello"]
    lists = [text.split() for text in texts]
    first = Word2Vec(dim=5, min_count=1).fit(texts)
    second = Word2Vec(dim=5, min_count=1).fit(lists)
    assert first.words_ == second.words_
    assert np.array_equal(first.vectors_, second.vectors_)


def test_partial_fit_grows_the_vocabulary():
    X = task.toy(1)[0]
    model = Word2Vec(dim=16, min_count=3, epochs=10, learning_rate=0.1).fit(X)
    before, soup = len(model), model["soup"].copy()
    counts = dict(zip(model.words_, model.counts_.tolist(), strict=True))
    model.partial_fit(["quinoa soup quinoa bread salt", "unseen quinoa"] * 40)
    assert set(model.words_) - set(counts) == {"quinoa", "unseen"}
    assert len(model) == before + 2
    assert model.get_vecattr("soup", "count") == counts["soup"] + 40
    assert model.counts_.tolist() == sorted(model.counts_.tolist(), reverse=True)
    assert not np.array_equal(model["soup"], soup)
    cosine = float(soup @ model["soup"] / np.linalg.norm(soup) / np.linalg.norm(model["soup"]))
    assert cosine > 0.5, "what was known is not forgotten"
    kitchen, weather = model.similarity("quinoa", "soup"), model.similarity("quinoa", "storm")
    assert kitchen > weather


def test_partial_fit_refuses_another_shape():
    model = Word2Vec(dim=8, min_count=1).fit(["a b c d e"] * 9)
    with pytest.raises(UsageError, match="dim"):
        model.set_params(dim=9).partial_fit(["a b"])
    with pytest.raises(UsageError, match="loss"):
        model.set_params(dim=8, loss="hierarchical_softmax").partial_fit(["a b"])


def test_partial_fit_on_an_iterator_and_with_a_tree():
    model = Word2Vec(dim=8, min_count=1, loss="hierarchical_softmax").fit(["a b c d e"] * 20)
    model.partial_fit(iter(["a b f g"] * 20))
    assert len(model) == 7
    assert model.targets_.shape == (6, 8)
    assert word_probabilities(model, [0]).sum() == pytest.approx(1)


@pytest.mark.parametrize("loss", ["negative_sampling", "hierarchical_softmax"])
def test_predicted_words_are_a_distribution(loss):
    model = Word2Vec(dim=16, min_count=1, epochs=20, learning_rate=0.1, loss=loss).fit(task.toy(1)[0])
    found = model.predict_output_word(["soup", "bread"], topn=len(model))
    assert sum(probability for _, probability in found) == pytest.approx(1)
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    with pytest.raises(UsageError, match="context"):
        model.predict_output_word(["nonsense"])


def test_the_trace_shows_the_path():
    model = Word2Vec(dim=8, min_count=1, loss="hierarchical_softmax", epochs=3).fit(task.toy(1)[0])
    trace = model.trace("soup bread")
    arrays = trace.arrays
    assert arrays["probability"][0] == pytest.approx(np.prod(arrays["turns"]))
    row = model.get_index("bread")
    assert arrays["probability"][0] == pytest.approx(word_probabilities(model, [model.get_index("soup")])[row])
    tables = [view for view in trace.views if isinstance(view, Table)]
    assert len(tables[0].rows) == len(arrays["nodes"]) == len(arrays["code"])
    assert any(isinstance(view, Points) for view in trace.views)
    assert "<svg" in trace.html()
    assert Word2Vec(dim=8, min_count=1).fit(["a b"] * 9).trace("a").arrays["scores"].shape == (2,)


def test_watched_words_are_kept():
    model = Word2Vec(dim=8, min_count=1, watch=("soup", "rain"), epochs=4).fit(task.toy(1)[0])
    assert model.watched_ == ["soup", "rain"]
    assert model.snapshots_.shape == (len(model.moments_), 2, 8)
    assert model.moments_[0] == 0.0
    assert model.moments_[-1] == 1.0
    assert np.array_equal(model.snapshots_[-1], model["soup", "rain"])
    with pytest.raises(UsageError, match="soupe") as caught:
        Word2Vec(min_count=1, watch=("soupe",)).fit(task.toy(1)[0])
    assert "soup" in caught.value.help


def test_one_word_repeated():
    model = Word2Vec(dim=4, min_count=1, epochs=2).fit(["echo echo echo echo"] * 5)
    assert model.words_ == ["echo"]
    assert np.isfinite(model.vectors_).all()
    tree = Word2Vec(dim=4, min_count=1, loss="hierarchical_softmax").fit(["echo echo echo echo"] * 5)
    assert tree.targets_.shape == (0, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dim": 0},
        {"window": -1},
        {"algorithm": "skipgram"},
        {"loss": "softmax"},
        {"negative": 0},
        {"sample": -1.0},
        {"learning_rate": float("nan")},
        {"epochs": 1.5},
        {"watch": "soup"},
    ],
    ids=str,
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UsageError):
        Word2Vec(**wrong).fit(["a b c"] * 9)


def test_bad_corpora():
    with pytest.raises(DataError):
        Word2Vec().fit([])
    with pytest.raises(DataError):
        Word2Vec(min_count=100).fit(["a b c"])
    with pytest.raises(UsageError):
        Word2Vec().fit("one bare string")
    with pytest.raises(UsageError):
        Word2Vec(min_count=1).fit(["a b"], sample_weight=[1.0])
    with pytest.raises(DataError, match="known"):
        Word2Vec(min_count=1).fit(["a b"] * 9, validation=["x y"])
