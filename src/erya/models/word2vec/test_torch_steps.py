"""word2vec on tensors: the reference's gradients, the kernels' results, the same checkpoints; all on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from erya.errors import DivergedError, Interrupted, ResourceError, UsageError
from erya.models.word2vec import estimator, reference
from erya.models.word2vec.estimator import Word2Vec
from erya.models.word2vec.loop import Run
from erya.models.word2vec.test_word2vec import COUNTS, Stopping, begun, plan, text
from erya.progress import Report
from erya.tasks import vectors as task

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "erya[neural]"')

from erya.models.word2vec.torch_run import TorchRun  # noqa: E402  after the check that torch is there
from erya.parts import skip_gram_torch as torch_steps  # noqa: E402
from erya.parts.torch_device import check_device  # noqa: E402

WINDOW, GROUP, GROUPS = 3, 4, 5
CENTRES = GROUP * GROUPS
SHAPE = torch_steps.Shape(window=WINDOW, negative=5, shared=5, group=GROUP, cbow=False, mean=False)
KINDS = {
    "skip-gram": SHAPE,
    "skip-gram, seven words for five": SHAPE._replace(shared=7),
    "CBOW, mean": SHAPE._replace(cbow=True, mean=True),
    "CBOW, sum, nine words for five": SHAPE._replace(cbow=True, shared=9),
}


def drawn(shape, shrink):
    """Words with lines' ends among them, windows and noise, all from NumPy; parameters in both worlds."""
    generator = np.random.default_rng(7)
    words = np.full(CENTRES + 2 * WINDOW, -1, dtype=np.int64)
    words[WINDOW : WINDOW + CENTRES - 2] = text(CENTRES - 2, seed=2)  # the last group is not full
    words[[WINDOW + 6, WINDOW + 9]] = -1
    reach = generator.integers(1, WINDOW + 1, CENTRES) if shrink else np.full(CENTRES, WINDOW)
    noise = generator.choice(len(COUNTS), (GROUPS, shape.shared), p=COUNTS / COUNTS.sum())
    vectors, targets = generator.normal(0, 0.5, (2, len(COUNTS), 6)).astype(np.float32)
    return words, reach, noise, vectors, targets


def summed_gradients(shape, words, reach, noise, vectors, targets, offsets):
    """The gradients of ``reference.py``, word by word, at parameters that stand still; and the loss as it is reported."""
    vectors, targets = vectors.astype(float), targets.astype(float)
    for_vectors, for_targets, loss, count = np.zeros_like(vectors), np.zeros_like(targets), 0.0, 0
    for centre in range(CENTRES):
        place, word = WINDOW + centre, int(words[WINDOW + centre])
        contexts = reference._contexts(words.tolist(), place, None, reading(int(reach[centre]))) if word >= 0 else []
        if not contexts:
            continue
        count += 1
        others = [int(row) for row in noise[centre // GROUP] if row != word]
        rows = [int(words[context]) for context in contexts]
        hs = [vectors[rows].mean(axis=0) if shape.mean else vectors[rows].sum(axis=0)] if shape.cbow else vectors[rows]
        for number, h in enumerate(hs):
            for targets_of, y, weight in (([word], 1.0, 1.0), (others, 0.0, shape.negative / shape.shared)):
                answer = np.full(len(targets_of), y)
                one, for_h, for_u = reference.gradients(h, targets[targets_of], answer, offsets[targets_of])
                loss += weight * one / len(hs)
                np.add.at(for_targets, targets_of, weight * for_u)
                share = 1 / len(rows) if shape.mean else 1.0
                for row in rows if shape.cbow else [rows[number]]:
                    for_vectors[row] += weight * share * for_h
    return for_vectors, for_targets, loss, count


class Reading:
    """As much of ``reference.Task`` as tells a window."""

    def __init__(self, window):
        self.window, self.shrink = window, False


def reading(window):
    return Reading(window)


@pytest.mark.parametrize("shrink", [True, False], ids=["drawn windows", "fixed windows"])
@pytest.mark.parametrize("contrastive", [False, True], ids=["negative sampling", "NCE"])
@pytest.mark.parametrize("shape", KINDS.values(), ids=KINDS)
def test_a_batch_adds_the_reference_gradients(shape, contrastive, shrink):
    words, reach, noise, vectors, targets = drawn(shape, shrink)
    offsets = np.log(5 * COUNTS / COUNTS.sum()) if contrastive else np.zeros(len(COUNTS))
    padded = torch.from_numpy(words)
    batch = torch_steps.cut(padded, (padded < 0).cumsum(0), torch.from_numpy(reach), torch.from_numpy(noise), shape)
    parameters = torch_steps.Parameters(torch.tensor(vectors), torch.tensor(targets), torch.tensor(True))
    there = torch.from_numpy(offsets.astype(np.float32)) if contrastive else torch.zeros(0)
    found = torch_steps.steps(batch, parameters, there, shape)
    torch_steps.take(batch, found, parameters, 0.1, torch.zeros(len(COUNTS)), shape)
    for_vectors, for_targets, loss, count = summed_gradients(shape, words, reach, noise, vectors, targets, offsets)
    np.testing.assert_allclose(parameters.vectors.numpy(), vectors - 0.1 * for_vectors, atol=3e-6)
    np.testing.assert_allclose(parameters.targets.numpy(), targets - 0.1 * for_targets, atol=3e-6)
    assert float(found.loss) == pytest.approx(loss, rel=1e-5)
    assert int(found.words) == count > 10
    assert np.abs(for_vectors).max() > 0.1, "there was something to learn"


def test_words_that_are_often_there_take_smaller_steps():
    words, reach, noise, vectors, targets = drawn(SHAPE, True)
    padded = torch.from_numpy(words)
    batch = torch_steps.cut(padded, (padded < 0).cumsum(0), torch.from_numpy(reach), torch.from_numpy(noise), SHAPE)
    moved = []
    for often in (0.0, 40.0):  # at a rate of 0.1: four times what is allowed
        parameters = torch_steps.Parameters(torch.tensor(vectors), torch.tensor(targets), torch.tensor(True))
        all_often = torch.zeros(len(COUNTS))
        all_often[0] = often
        found = torch_steps.steps(batch, parameters, torch.zeros(0), SHAPE)
        torch_steps.take(batch, found, parameters, 0.1, all_often, SHAPE)
        moved.append((parameters.vectors.numpy() - vectors, parameters.targets.numpy() - targets))
    for free, bound in zip(*moved, strict=True):
        np.testing.assert_allclose(bound[0], free[0] / 4, atol=1e-6)
        np.testing.assert_array_equal(bound[1:], free[1:])


def test_noise_has_its_distribution():
    run = TorchRun(text(), COUNTS, plan(), np.arange(2), device="cpu")
    found = torch_steps.draw_noise(run.trainer.noise, (400, 500), torch.Generator().manual_seed(1)).numpy()
    expected = COUNTS**0.75 / (COUNTS**0.75).sum()
    shares = np.bincount(found.ravel(), minlength=len(COUNTS)) / found.size
    assert np.abs(shares - expected).max() < 5 * np.sqrt(0.25 / found.size)


def test_windows_have_all_widths():
    generator = torch.Generator().manual_seed(1)
    reach = torch_steps.draw_reach(9000, 3, True, torch.device("cpu"), generator).numpy()
    assert np.abs(np.bincount(reach)[1:] / 9000 - 1 / 3).max() < 0.03
    assert (torch_steps.draw_reach(9, 3, False, torch.device("cpu"), generator) == 3).all()


# ---- whole trainings ----------------------------------------------------------------------------------------------


@pytest.fixture
def through_torch(monkeypatch):
    """Word2Vec trains on PyTorch's CPU."""

    def run(*arguments):
        return TorchRun(*arguments, device="cpu")

    monkeypatch.setattr(estimator, "_run", run)


@pytest.mark.parametrize(
    "changes",
    [{}, {"cbow": True, "mean": True}, {"contrastive": True}, {"shrink": False, "deterministic": False}],
    ids=["skip-gram", "CBOW", "NCE", "fixed windows"],
)
def test_the_loss_is_about_that_of_the_kernels(changes):
    settings = plan(learning_rate=0.05, epochs=4, **changes)
    runs = [
        Run(text(8000), COUNTS, settings, np.arange(2)),
        TorchRun(text(8000), COUNTS, settings, np.arange(2), device="cpu"),
    ]
    untrained = runs[0].loss(runs[0].ids)
    for run in runs:
        run.finish(Report())
    losses = [run.loss(run.ids) for run in runs]
    assert losses[0] < untrained - 0.1
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
    assert runs[1].curve[-1]["loss"] == pytest.approx(runs[0].curve[-1]["loss"], rel=0.06)


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
@pytest.mark.parametrize("loss", ["negative_sampling", "nce"])
def test_topics_come_apart(algorithm, loss, through_torch):
    settings = {"dim": 32, "min_count": 1, "epochs": 20, "learning_rate": 0.1}
    X = task.toy(2)[0]
    model = Word2Vec(algorithm=algorithm, loss=loss, **settings).fit(X[:500], validation=X[500:])
    assert task.toy_check(model) > 0.1
    assert model.curve_[-1]["validation_loss"] < model.curve_[0]["validation_loss"]
    assert np.array_equal(model.snapshots_[-1], model.vectors_[[model.get_index(word) for word in model.watched_]])


def test_stopped_at_every_block_ends_with_the_same_bits(monkeypatch, through_torch):
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


def test_a_checkpoint_fits_either_device():
    run = begun()
    run.block()
    other = TorchRun(text(), COUNTS, plan(), np.arange(2), device="cpu")
    other.resume(run.state())
    other.finish(Report())
    back = begun()
    back.resume(other.state())
    assert back.done == other.done == other.plan.epochs * other.blocks
    assert np.array_equal(back.vectors, other.vectors)


def test_a_step_that_is_not_finite_is_not_taken():
    run = TorchRun(text(), COUNTS, plan(), np.arange(2), device="cpu")
    state = begun().state()
    state.arrays["vectors"][0, 0] = np.float32(1e30)
    run.resume(state)
    with pytest.raises(DivergedError, match="diverged"):
        run.finish(Report())
    assert np.array_equal(run.vectors, state.arrays["vectors"])
    assert np.array_equal(run.targets, state.arrays["targets"])


def test_short_and_empty_text():
    for ids in ([0], [0, 1], [-1, -1], [0, -1, 1]):
        run = TorchRun(np.array(ids, np.int32), COUNTS[:2], plan(negative=2), np.arange(2), device="cpu")
        run.finish(Report())
        assert np.isfinite(run.vectors).all()


def test_torch_is_left_as_it_was():
    before = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    TorchRun(text(), COUNTS, plan(deterministic=False), np.arange(2), device="cpu").finish(Report())
    assert (torch.get_deterministic_debug_mode(), torch.get_num_threads()) == before


# ---- devices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cpu:0", "meta", "CUDA"])
def test_an_unknown_device(name, monkeypatch):
    monkeypatch.setenv("ERYA_DEVICE", name)
    with pytest.raises(UsageError, match="device") as caught:
        Word2Vec(min_count=1).fit(["a b c"] * 9)
    assert caught.value.code == "unknown-device"
    assert "--device cpu" in caught.value.help


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setenv("ERYA_DEVICE", "cuda")
    for built, found, missing in ((None, False, "without CUDA"), ("13.0", False, "no NVIDIA GPU")):
        monkeypatch.setattr(torch.version, "cuda", built)
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: found)
        with pytest.raises(ResourceError, match=missing) as caught:
            Word2Vec(min_count=1).fit(["a b c"] * 9)
        assert (caught.value.code, caught.value.exit) == ("device-missing", 5)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda:1")
    with pytest.raises(ResourceError, match="cuda:1"):
        check_device("cuda:2")


def test_without_torch_the_device_names_what_is_missing(monkeypatch):
    monkeypatch.setenv("ERYA_DEVICE", "cuda")
    monkeypatch.setattr(estimator, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match="PyTorch") as caught:
        Word2Vec(min_count=1).fit(["a b c"] * 9)
    assert caught.value.code == "device-missing"
    assert "pip install" in caught.value.help


def test_a_tree_trains_on_the_cpu_only(monkeypatch):
    monkeypatch.setenv("ERYA_DEVICE", "cuda")
    monkeypatch.setattr("erya.parts.torch_device.check_device", lambda name: None)
    with pytest.raises(UsageError, match="hierarchical softmax"):
        Word2Vec(min_count=1, loss="hierarchical_softmax").fit(["a b c"] * 9)


def test_training_on_the_cpu_never_imports_it():
    script = (
        "import sys\nfrom erya.models.word2vec.estimator import Word2Vec\n"
        "Word2Vec(min_count=1, dim=4).fit(['a b c'] * 9)\nprint('torch' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ERYA_DEVICE"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "False"
