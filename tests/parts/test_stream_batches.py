from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.parts.stream_batches import IGNORED, StreamBatches, shuffled
from erya.text.unit_ids import BORDER


def stream(lengths, seed=0):
    """Documents of these lengths; every unit is another one."""
    next_unit, parts = 2, [[BORDER]]
    for length in lengths:
        parts += [range(next_unit, next_unit + length), [BORDER]]
        next_unit += length
    return np.concatenate([np.array(part, dtype=np.int32) for part in parts])


def pairs(batches, number):
    """(input, target) of a whole epoch, counted."""
    epoch, found = batches.epoch(number), []
    for place in range(len(epoch)):
        batch = epoch.batch(place)
        there = batch.targets != IGNORED
        assert int(there.sum()) == batch.units == batch.token_count
        found += zip(batch.inputs[there].tolist(), batch.targets[there].tolist(), strict=True)
    return sorted(found)


WAYS = [(sampling, cut) for sampling in ("sequential", "random") for cut in ("regular", "varied", "random")][:4]


@pytest.mark.parametrize(("sampling", "truncation"), WAYS)
@pytest.mark.parametrize("lengths", [[3, 5, 7, 40, 1], [1], [0, 0, 2], [61]])
@pytest.mark.parametrize(("rows", "context"), [(1, 5), (3, 7), (7, 3), (100, 1000), (4, 1)])
def test_every_unit_is_a_target_once_behind_the_one_before_it(sampling, truncation, lengths, rows, context):
    ids = stream(lengths)
    batches = StreamBatches(ids, rows, context, sampling, truncation, seed=5)
    expected = sorted(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))
    for number in range(3):
        assert pairs(batches, number) == expected


@pytest.mark.parametrize("truncation", ["regular", "varied", "random"])
def test_sequential_rows_go_on_where_they_stopped(truncation):
    epoch = StreamBatches(stream([50, 30, 41]), 4, 6, truncation=truncation, seed=1).epoch(0)
    before, lengths = None, set()
    for place in range(len(epoch)):
        batch = epoch.batch(place)
        lengths.add(len(batch.inputs))
        assert batch.goes_on == (place > 0 and batch.inputs.shape[1] == 4)
        assert (
            batch.inputs[1:][batch.targets[1:] != IGNORED] == batch.targets[:-1][batch.targets[1:] != IGNORED]
        ).all()
        if batch.goes_on:
            assert torch.equal(before.targets[-1], batch.inputs[0])
        assert torch.equal(
            batch.inputs == BORDER,
            torch.zeros_like(batch.inputs, dtype=torch.bool) if batch.resets is None else batch.resets,
        )
        before = batch
    assert (len(lengths) <= 2) == (truncation == "regular")


def test_random_lengths_have_their_mean_and_the_factor_that_repairs_it():
    batches = StreamBatches(stream([200_000]), 2, 20, truncation="random", seed=3)
    assert np.diff(batches.epoch(0).cuts).mean() == pytest.approx(20, rel=0.05)
    assert batches.epoch(0).batch(0).lift == pytest.approx(20 / 19)
    assert StreamBatches(stream([20]), 2, 20).epoch(0).batch(0).lift == 1
    varied = np.diff(StreamBatches(stream([200_000]), 2, 70, truncation="varied", seed=3).epoch(0).cuts)
    assert 65 < varied.mean() < 70
    assert 0.03 < (varied < 50).mean() < 0.07


def test_batches_are_a_function_of_seed_epoch_and_place():
    ids = stream([5, 60, 20, 17])

    def inputs(seed, number, place):
        return StreamBatches(ids, 3, 4, "random", seed=seed).epoch(number).batch(place).inputs.tolist()

    assert inputs(1, 2, 3) == inputs(1, 2, 3)
    assert len({str(inputs(seed, number, 3)) for seed in (1, 2) for number in (0, 1)}) == 4


def test_states_may_go_over_borders():
    batch = StreamBatches(stream([3, 3, 3]), 2, 50, over_borders=True).epoch(0).batch(0)
    assert batch.resets is None


def test_only_what_is_asked_for_is_read(tmp_path):
    ids = stream([400, 300])
    ids.tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", dtype=np.int32, mode="r")

    class Watched:
        """An array that tells the longest slice it was asked for."""

        longest = 0

        def __len__(self):
            return len(mapped)

        def __getitem__(self, key):
            self.longest = max(self.longest, len(mapped[key]))
            return mapped[key]

    for sampling in ("sequential", "random"):
        watched = Watched()
        assert pairs(StreamBatches(watched, 5, 8, sampling), 0) == pairs(StreamBatches(ids, 5, 8, sampling), 0)
        assert watched.longest <= 9


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 100, 1025])
def test_a_permutation_that_nobody_wrote_down(size):
    found = [shuffled(np.arange(size), size, [key, 7, 9, 2**61]).tolist() for key in range(20)]
    assert all(sorted(one) == list(range(size)) for one in found)
    if size > 60:
        assert len({tuple(one) for one in found}) == 20
        assert abs(np.mean([one[0] for one in found]) / size - 0.5) < 0.25
