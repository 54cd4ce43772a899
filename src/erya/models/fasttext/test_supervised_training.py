"""Supervised training: every loss against its reference and its numerical gradient, and what training promises."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.models.fasttext import supervised, train_reference
from erya.models.fasttext.supervised import Plan, Run, Start, train
from erya.models.fasttext.tree_kernels import label_paths, label_tree
from erya.progress import Report

LOSSES = ("softmax", "hs", "ns", "ova")


class Lines(NamedTuple):
    rows: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    label_starts: np.ndarray
    tokens: np.ndarray


def lines_of(pairs: list[tuple[list[int], list[int]]]) -> Lines:
    """Lines from (rows, labels)."""
    sizes, label_sizes = [len(rows) for rows, _ in pairs], [len(labels) for _, labels in pairs]
    return Lines(
        np.array([row for rows, _ in pairs for row in rows], dtype=np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array([label for _, labels in pairs for label in labels], dtype=np.int32),
        np.concatenate([[0], np.cumsum(label_sizes)]).astype(np.int64),
        np.array(sizes, dtype=np.int64),
    )


def counts_of(lines: Lines, classes: int) -> np.ndarray:
    return np.bincount(lines.labels, minlength=classes).astype(np.int64)


def toy(number: int = 400, classes: int = 4, seed: int = 0, several: bool = False) -> Lines:
    """Each label has ten words of its own, half of a line's; the others are anybody's. The first label is the most frequent."""
    generator = np.random.default_rng(seed)
    pairs = []
    for _ in range(number):
        label = int(min(generator.integers(0, classes), generator.integers(0, classes)))
        size = int(generator.integers(4, 12))
        own = generator.integers(10 * label, 10 * label + 10, size)
        anybody = generator.integers(10 * classes, 10 * classes + 30, size)
        labels = [label, (label + 1) % classes] if several and generator.random() < 0.3 else [label]
        pairs.append((np.where(generator.random(size) < 0.5, own, anybody).tolist(), labels))
    return lines_of(pairs)


def start_for(rows: int, classes: int, dim: int, seed: int = 3) -> Start:
    generator = np.random.default_rng(seed)
    return Start(
        np.arange(rows),
        generator.normal(0, 0.5, (rows, dim)).astype(np.float32),
        generator.normal(0, 0.5, (classes, dim)).astype(np.float32),
    )


def accuracy(loss: str, lines: Lines, classes: int, input: np.ndarray, output: np.ndarray) -> float:
    hidden = np.array([input[lines.rows[a:b]].mean(axis=0) for a, b in pairwise(lines.starts)])
    scores = hidden @ output.T
    if loss == "hs":
        paths = train_reference.tree_paths(counts_of(lines, classes).tolist())
        answers = np.array(
            [
                [sum(-np.logaddexp(0, -s[node] if code else s[node]) for node, code in path) for path in paths]
                for s in scores
            ]
        )
    else:
        answers = scores
    return float((answers.argmax(axis=1) == lines.labels[lines.label_starts[:-1]]).mean())


# ---- the tree -------------------------------------------------------------------------------------------------


def test_the_tree_is_the_one_that_a_models_file_implies():
    # ties everywhere: the original takes an inner node before a label of the same count
    for counts in ([9, 5, 5, 4, 4, 3, 1, 1], [1] * 7, [8, 4, 2, 1, 1], [5], [3, 3], [10, 10, 10, 1]):
        paths = label_paths(label_tree(np.array(counts, dtype=np.int64)))
        found = [
            list(zip(paths.nodes[a:b].tolist(), paths.codes[a:b].tolist(), strict=True))
            for a, b in pairwise(paths.starts)
        ]
        assert found == train_reference.tree_paths(counts)


def test_a_tie_goes_to_the_inner_node():
    # 2 1 1: node 0 = (c, b) weighs 2 as the label a does; the node comes first, so that it lies left (code 0)
    paths = label_paths(label_tree(np.array([2, 1, 1])))
    assert paths.codes[paths.starts[0] : paths.starts[1]].tolist() == [1]
    assert paths.nodes.tolist() == [1, 0, 1, 0, 1]
    assert paths.codes.tolist() == [1, 1, 0, 0, 0]


# ---- steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("dim", [5, 16, 19])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_line_goes_down_the_numerical_gradient(loss, dim, deterministic):
    classes = 2 if loss == "ns" else 7  # of two labels, the noise is always the other one
    rows, label = [4, 1, 4, 8, 2, 0], 1  # a row that stands twice
    lines = lines_of([(rows, [label])])
    counts = np.arange(20, 20 - classes, -1)
    start = start_for(9, classes, dim)
    plan = Plan(dim=dim, epochs=1, learning_rate=0.1, loss=loss, negative=1, deterministic=deterministic)
    input, output = train(lines, 9, classes, counts, plan, start=start)

    before = start.vectors.astype(np.float64), start.output.astype(np.float64)
    targets, goals = train_reference.goals_of(loss, [label], classes, counts.tolist(), [0])
    numbers = np.array(rows)

    def slope(array: np.ndarray, place: tuple[int, int]) -> float:
        both = []
        for sign in (1, -1):
            array[place] += sign * 1e-6
            both.append(train_reference.line_loss(loss, numbers, targets, goals, *before))
            array[place] -= sign * 1e-6
        return (both[0] - both[1]) / 2e-6

    for place in np.ndindex(classes, dim):
        assert output[place] - before[1][place] == pytest.approx(-0.1 * slope(before[1], place), abs=2e-6)
    for place in np.ndindex(9, dim):
        assert input[place] - before[0][place] == pytest.approx(-0.1 * slope(before[0], place), abs=2e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_epochs_equal_the_reference(loss):
    classes = 2 if loss == "ns" else 4
    lines = toy(37, classes)
    counts, start = counts_of(lines, classes), start_for(10 * classes + 30, classes, 6)
    plan = Plan(dim=6, epochs=3, learning_rate=0.3, loss=loss, negative=2, shuffle=False)
    input, output = train(lines, len(start.rows), classes, counts, plan, start=start)
    expected = start.vectors.astype(np.float64), start.output.astype(np.float64)
    pairs = [
        (lines.rows[a:b], [int(label)], [1 - int(label)] * 2)
        for (a, b), label in zip(pairwise(lines.starts), lines.labels, strict=True)
    ]
    train_reference.train(
        loss, pairs, counts.tolist(), *expected, learning_rate=0.3, epochs=3, batch=supervised.LARGEST_BATCH
    )
    np.testing.assert_allclose(input, expected[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(output, expected[1], rtol=1e-3, atol=1e-5)


def test_losses_in_the_curve_are_those_of_the_lines():
    for loss in LOSSES:
        classes = 2 if loss == "ns" else 4
        lines, counts = toy(30, classes), np.arange(50, 50 - classes, -1)
        start = start_for(10 * classes + 30, classes, 5)
        plan = Plan(dim=5, epochs=1, learning_rate=1e-9, loss=loss, negative=1, shuffle=False)
        run = Run(lines, len(start.rows), classes, counts, plan, start)
        run.finish(Report())
        expected = []
        for (a, b), label in zip(pairwise(lines.starts), lines.labels, strict=True):
            goals = train_reference.goals_of(loss, [int(label)], classes, counts.tolist(), [1 - int(label)])
            both = start.vectors.astype(np.float64), start.output.astype(np.float64)
            expected.append(train_reference.line_loss(loss, lines.rows[a:b], *goals, *both))
        assert run.curve[0]["loss"] == pytest.approx(np.mean(expected), rel=1e-4)


def test_shares_replace_the_draw():
    lines, start = lines_of([([0, 1], [0, 2])]), start_for(2, 3, 5)
    shares = np.array([0.25, 0.75], dtype=np.float32)
    plan = Plan(dim=5, epochs=1, learning_rate=0.1)
    _, output = train(lines, 2, 3, np.array([1, 1, 1]), plan, start=start, shares=shares)
    hidden = start.vectors.astype(np.float64).mean(axis=0)
    scores = np.exp(start.output @ hidden)
    step = 0.1 * np.outer(np.array([0.25, 0, 0.75]) - scores / scores.sum(), hidden)
    np.testing.assert_allclose(output - start.output, step, atol=2e-6)
    with pytest.raises(UsageError):
        train(lines, 2, 3, np.array([1, 1, 1]), Plan(dim=5, loss="hs"), shares=shares)


def test_a_weight_of_two_is_a_step_of_two():
    lines, start = lines_of([([0, 1], [0])]), start_for(2, 3, 5)
    moved = [
        train(lines, 2, 3, np.array([1, 1, 1]), Plan(dim=5, epochs=1, learning_rate=rate), start=start, weights=weights)
        for rate, weights in ((0.1, np.array([2], dtype=np.float32)), (0.2, None))
    ]
    np.testing.assert_allclose(moved[0][0], moved[1][0], rtol=1e-6)
    np.testing.assert_allclose(moved[0][1], moved[1][1], rtol=1e-6)


def test_each_of_several_labels_is_drawn():
    lines = lines_of([([0], [0, 1, 2])] * 600)
    _, output = train(lines, 1, 3, np.array([600] * 3), Plan(dim=4, epochs=1, learning_rate=0.01))
    spread = np.ptp(output, axis=0).max()
    _, first = train(lines_of([([0], [0])] * 600), 1, 3, np.array([600] * 3), Plan(dim=4, epochs=1, learning_rate=0.01))
    assert spread < 0.5 * np.ptp(first, axis=0).max(), "with equal draws, no label leads as one that is always right"


def test_a_label_that_stands_twice_is_right_once():
    start = start_for(2, 3, 5)
    plan = Plan(dim=5, epochs=1, learning_rate=0.1, loss="ova")
    once, twice = (
        train(lines_of([([0, 1], labels)]), 2, 3, np.array([1, 1, 1]), plan, start=start) for labels in ([1], [1, 1])
    )
    assert once[1].tobytes() == twice[1].tobytes()


# ---- threads and blocks ---------------------------------------------------------------------------------------


def trained(loss: str = "softmax", threads: int = 1, **changes) -> tuple[np.ndarray, np.ndarray]:
    lines = toy(several=True)
    plan = Plan(**({"dim": 6, "epochs": 3, "learning_rate": 0.3, "loss": loss, "threads": threads} | changes))
    return train(lines, 1000, 4, counts_of(lines, 4), plan)


@pytest.mark.parametrize("loss", LOSSES)
def test_any_number_of_threads_gives_the_same_bits(loss, monkeypatch):
    monkeypatch.setattr("erya.parts.pace.Pace.next_threads", lambda pace: pace.threads)
    monkeypatch.setattr(supervised, "FIRST_BLOCK_ROWS", 500)
    alone = trained(loss)
    for threads in (2, 3):
        together = trained(loss, threads)
        assert alone[0].tobytes() == together[0].tobytes()
        assert alone[1].tobytes() == together[1].tobytes()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_beats_the_most_frequent_label(loss):
    lines = toy(several=False)
    most = counts_of(lines, 4).max() / len(lines.tokens)
    for deterministic, threads in ((True, 1), (False, 1), (False, 3)):
        plan = Plan(dim=6, epochs=15, learning_rate=0.5, loss=loss, deterministic=deterministic, threads=threads)
        input, output = train(lines, 70, 4, counts_of(lines, 4), plan)
        assert accuracy(loss, lines, 4, input, output) > max(0.9, most + 0.2), (loss, deterministic, threads)


@pytest.mark.parametrize("large", [0, 1 << 40])
def test_an_epoch_sees_every_line_once_in_a_fresh_order(large, monkeypatch):
    monkeypatch.setattr(supervised, "LARGE", large)
    monkeypatch.setattr(supervised, "TOGETHER", 7)
    lines = toy(100)
    run = Run(lines, 70, 4, counts_of(lines, 4), Plan(dim=3, epochs=3))
    first = run.data.order
    run.epoch = 1
    second = run._data().order
    for order in (first, second):
        assert sorted(order.tolist()) == list(range(100))
    assert first.tolist() != second.tolist()
    together = sum(b == a + 1 for a, b in pairwise(first.tolist()))
    assert together > 60 if large == 0 else together < 20
    assert run.data.done[-1] == lines.tokens.sum()
    plain = Run(lines, 70, 4, counts_of(lines, 4), Plan(dim=3, epochs=3, shuffle=False))
    assert plain.data.order.tolist() == list(range(100))


def test_the_seed_decides():
    assert trained(seed=1)[0].tobytes() == trained(seed=1)[0].tobytes()
    assert trained(seed=1)[0].tobytes() != trained(seed=2)[0].tobytes()


def test_rows_that_do_not_occur_have_what_chance_gave_them():
    lines = toy(100)
    for rows in (75, 5000):  # with all rows, and with those that occur
        input, _ = train(lines, rows, 4, counts_of(lines, 4), Plan(dim=6, epochs=1, learning_rate=0.1))
        others = np.setdiff1d(np.arange(rows), lines.rows)
        fresh, _ = train(lines_of([([0], [0])]), rows, 4, counts_of(lines, 4), Plan(dim=6, epochs=1))
        others = others[others > 0]
        assert np.array_equal(input[others], fresh[others]), "the same chance, whichever rows are trained"
        assert np.abs(input[others]).max() <= 1 / 6
    assert np.abs(fresh).mean() == pytest.approx(1 / 12, rel=0.05), "uniform"
    assert abs(fresh.mean()) < 0.005


def test_lines_get_their_numbers_back():
    lines = toy(100)
    before = lines.rows.copy()
    train(lines, 5000, 4, counts_of(lines, 4), Plan(dim=6, epochs=1))
    assert np.array_equal(lines.rows, before)


def test_frozen_vectors_stay_and_others_learn():
    lines = toy(100)
    start = Start(np.array([0, 3, 42, 69]), np.full((4, 6), 0.25, dtype=np.float32))
    plan = Plan(dim=6, epochs=2, learning_rate=0.5)
    for freeze in (True, False):
        for deterministic in (True, False):
            chosen = Plan(dim=6, epochs=2, learning_rate=0.5, freeze=freeze, deterministic=deterministic)
            input, _ = train(lines, 70, 4, counts_of(lines, 4), chosen, start=start)
            assert np.array_equal(input[start.rows], start.vectors) == freeze
            fresh, _ = train(lines_of([([0], [0])]), 70, 4, counts_of(lines, 4), plan)
            assert (input[[1, 2, 41]] != fresh[[1, 2, 41]]).any(axis=1).all()


class Stopping(Report):
    """Stops after so many blocks, and keeps what it is given."""

    def __init__(self, blocks: int, saved=None) -> None:
        self.left, self.saved = blocks, saved

    def stopping(self):
        self.left -= 1
        return "interrupt" if self.left == 0 else None

    def save_checkpoint(self, state) -> None:
        self.saved = state

    def load_checkpoint(self):
        return self.saved


@pytest.mark.parametrize("rows", [70, 5000])
def test_a_run_cut_anywhere_goes_on_to_the_same_bits(rows, monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_BLOCK_ROWS", 8)
    monkeypatch.setattr("erya.parts.pace.SECONDS", 0.0)
    lines = toy(200)
    plan = Plan(dim=6, epochs=2, learning_rate=0.3, loss="ns")
    whole = train(lines, rows, 4, counts_of(lines, 4), plan)
    for blocks in (1, 5, 13, 20):
        report = Stopping(blocks)
        with pytest.raises(Interrupted):
            train(lines, rows, 4, counts_of(lines, 4), plan, report)
        resumed = train(lines, rows, 4, counts_of(lines, 4), plan, Stopping(-1, report.saved))
        assert whole[0].tobytes() == resumed[0].tobytes()
        assert whole[1].tobytes() == resumed[1].tobytes()


def test_a_checkpoint_of_other_data_is_refused():
    report = Stopping(1)
    with pytest.raises(Interrupted):
        train(toy(100), 70, 4, np.array([4, 3, 2, 1]), Plan(dim=6, epochs=2), report)
    with pytest.raises(ValueError, match="does not fit"):
        train(toy(100), 71, 4, np.array([4, 3, 2, 1]), Plan(dim=6, epochs=2), Stopping(-1, report.saved))


def test_a_budget_ends_training_early():
    class Budget(Report):
        rows: list

        def stopping(self):
            return "budget"

        def record(self, row):
            self.rows = [row]

    report = Budget()
    input, output = train(toy(400), 70, 4, np.array([4, 3, 2, 1]), Plan(dim=6, epochs=50), report)
    assert np.isfinite(input).all()
    assert output.any()
    assert report.rows


# ---- a learning rate that is too high -------------------------------------------------------------------------


class Notes(Report):
    def __init__(self, due: bool = False) -> None:
        self.notes: list[str] = []
        self.due = due

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def checkpoint_due(self) -> bool:
        return self.due

    def halvings(self) -> list[str]:
        return [note for note in self.notes if "halved" in note]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_rate_that_diverges_is_halved_and_said(loss, deterministic):
    lines = toy(several=True)
    report = Notes()
    plan = Plan(dim=6, epochs=5, learning_rate=1e4, loss=loss, deterministic=deterministic, threads=2)
    input, output = train(lines, 70, 4, counts_of(lines, 4), plan, report)
    assert np.isfinite(input).all()
    assert np.isfinite(output).all()
    assert report.halvings()
    assert "10000 halved to 5000" in report.halvings()[0]


def test_a_checkpoint_is_where_a_halved_training_goes_on(monkeypatch):
    monkeypatch.setattr(supervised, "FIRST_BLOCK_ROWS", 8)
    monkeypatch.setattr("erya.parts.pace.SECONDS", 0.0)
    lines = toy(several=True)
    report = Notes(due=True)
    input, _ = train(lines, 70, 4, counts_of(lines, 4), Plan(dim=6, epochs=5, learning_rate=1e4), report)
    assert np.isfinite(input).all()
    assert any("the last checkpoint" in note for note in report.halvings())


def test_at_last_it_gives_up(monkeypatch):
    monkeypatch.setattr(supervised, "HALVINGS", 2)
    lines = toy()
    with pytest.raises(DivergedError) as problem:
        train(lines, 70, 4, counts_of(lines, 4), Plan(dim=6, epochs=5, learning_rate=1e6))
    assert problem.value.code == "diverged"


def test_a_sensible_rate_is_left_alone():
    report = Notes()
    lines = toy(several=True)
    train(lines, 70, 4, counts_of(lines, 4), Plan(dim=6, epochs=5, learning_rate=1.0), report)
    assert not report.halvings()


# ---- odd data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_label_lines_of_labels_only_and_empty_lines(loss, deterministic):
    plan = Plan(dim=3, epochs=2, loss=loss, deterministic=deterministic, threads=2)
    one = lines_of([([0, 1], [0]), ([], []), ([], [0]), ([1], []), ([2], [0])])
    input, output = train(one, 3, 1, np.array([3]), plan)
    assert np.isfinite(input).all()
    assert output.shape == (1, 3)
    two = lines_of([([], [0])] * 20 + [([0], [1])] + [([], [])] * 20)
    input, output = train(two, 3, 2, np.array([20, 1]), plan)
    assert np.isfinite(input).all()
    assert output.any()


def test_no_labels_and_nothing_to_learn_are_said():
    with pytest.raises(DataError) as problem:
        train(lines_of([([0], [])]), 3, 0, np.zeros(0, np.int64), Plan(dim=3))
    assert problem.value.code == "no-labels"
    with pytest.raises(DataError) as problem:
        train(lines_of([([], [0]), ([1], [])]), 3, 1, np.array([1]), Plan(dim=3))
    assert problem.value.code == "nothing-to-learn"


@pytest.mark.parametrize("loss", LOSSES)
def test_a_million_labels(loss):
    labels = 1_000_000
    lines = lines_of([([0, 1], [number]) for number in (0, 7, labels - 1)])
    plan = Plan(dim=2, epochs=1, loss=loss, threads=2)
    input, output = train(lines, 2, labels, np.ones(labels, dtype=np.int64), plan)
    assert output.shape == (labels, 2)
    assert np.isfinite(input).all()
    assert output[[0, 7]].any() or loss == "hs"
