"""Quantization: the promises of the codes, against brute force."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from erya.errors import DataError, UsageError
from erya.models.fasttext import product_quantizer
from erya.models.fasttext.product_quantizer import CENTROIDS, ProductQuantizer
from erya.models.fasttext.quantized import MANY_ROWS, Quantized, lengths_of


def matrix(rows, columns, seed=0):
    """Rows as training leaves them: many short, few long."""
    generator = np.random.default_rng(seed)
    rough = generator.normal(size=(rows, columns)) * generator.exponential(size=(rows, 1))
    return rough.astype(np.float32)


def error(x, quantized):
    return float(((x - quantized.dense()) ** 2).sum() / (x**2).sum())


# ---- product quantizer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "dsub"), [(7, 2), (5, 5), (3, 1), (4, 9), (37, 5)])
def test_codes_name_the_nearest_centroids_and_stand_for_them(dim, dsub):
    x = matrix(1003, dim)
    quantizer = ProductQuantizer.train(x, dsub)
    codes = quantizer.codes_of(x)
    assert codes.shape == (1003, -(-dim // min(dsub, dim)))
    decoded = quantizer.vectors_of(codes)
    for part in range(quantizer.parts):
        some = x[:, quantizer.columns(part)].astype(np.float64)
        centroids = quantizer.of_part(part).astype(np.float64)
        assert centroids.shape == (CENTROIDS, some.shape[1])
        distances = ((some[:, None] - centroids[None]) ** 2).sum(axis=2)
        taken = distances[np.arange(len(x)), codes[:, part]]
        np.testing.assert_allclose(taken, distances.min(axis=1), rtol=1e-5, atol=1e-12)
        np.testing.assert_array_equal(decoded[:, quantizer.columns(part)], quantizer.of_part(part)[codes[:, part]])


def test_centroids_lie_as_in_the_originals_files():
    quantizer = ProductQuantizer(7, 3, np.arange(256 * 7, dtype=np.float32))
    assert (quantizer.parts, quantizer.last_width, quantizer.nbytes) == (3, 1, 16 + 4 * 256 * 7)
    # the file holds part 0's 256 rows of three, then part 1's, then 256 single numbers
    codes = np.array([[0, 0, 0], [2, 255, 9]], dtype=np.uint8)
    expected = [[0, 1, 2, 768, 769, 770, 1536], [6, 7, 8, 1533, 1534, 1535, 1545]]
    assert quantizer.vectors_of(codes).tolist() == expected


@pytest.mark.parametrize("qnorm", [False, True])
def test_same_bits_for_any_number_of_threads_and_another_seed_others(monkeypatch, qnorm):
    monkeypatch.setattr(product_quantizer, "MOST_ROWS", 700)
    monkeypatch.setattr(product_quantizer, "ROWS_AT_ONCE", 96)
    x = matrix(2000, 7)
    made = [Quantized.of(x, dsub=2, qnorm=qnorm, threads=threads) for threads in (1, 2, 4)]
    assert len({one.codes.tobytes() + one.quantizer.centroids.tobytes() for one in made}) == 1
    assert len({b"" if one.norm_codes is None else one.norm_codes.tobytes() for one in made}) == 1
    other = Quantized.of(x, dsub=2, qnorm=qnorm, seed=1)
    assert other.quantizer.centroids.tobytes() != made[0].quantizer.centroids.tobytes()


def test_k_means_never_gets_worse_and_ends_where_every_centroid_is_the_mean_of_its_rows(monkeypatch):
    x = matrix(3000, 3)
    errors = []
    for rounds in (0, 1, 2, 5, 25, 500):
        monkeypatch.setattr(product_quantizer, "ROUNDS", rounds)
        quantizer = ProductQuantizer.train(x, 3)
        errors.append(float(((x - quantizer.vectors_of(quantizer.codes_of(x))) ** 2).sum()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * errors[0]
    codes = quantizer.codes_of(x)[:, 0]
    for code in range(CENTROIDS):
        np.testing.assert_allclose(quantizer.of_part(0)[code], x[codes == code].mean(axis=0), rtol=1e-4, atol=1e-6)


def test_every_centroid_is_used_even_where_rows_come_in_clumps():
    generator = np.random.default_rng(0)
    clumps = np.repeat([[0.0, 0.0], [9.0, 9.0]], [4000, 300], axis=0) + generator.normal(size=(4300, 2)) * 1e-3
    clumps[:3000] = 0  # most rows are one and the same
    quantizer = ProductQuantizer.train(clumps.astype(np.float32), 2)
    assert len(np.unique(quantizer.codes_of(clumps.astype(np.float32)))) == CENTROIDS


def test_rows_far_from_zero_and_close_together_are_told_apart():
    generator = np.random.default_rng(0)
    x = (1000 + generator.normal(size=(5000, 2))).astype(np.float32)
    quantizer = ProductQuantizer.train(x, 2)
    left = ((x - quantizer.vectors_of(quantizer.codes_of(x))) ** 2).mean()
    assert left < 0.02  # of a variance of 1


@pytest.mark.parametrize("rows", [1, 3, 255, 256])
@pytest.mark.parametrize("qnorm", [False, True])
def test_few_rows_are_their_own_centroids(rows, qnorm):
    x = matrix(rows, 5)
    found = Quantized.of(x, dsub=2, qnorm=qnorm)
    if qnorm:
        np.testing.assert_allclose(found.dense(), x, rtol=1e-6, atol=1e-7)
    else:
        np.testing.assert_array_equal(found.dense(), x)


def test_few_different_rows_lose_nothing_either():
    x = matrix(3, 5)[np.random.default_rng(0).integers(0, 3, 70_000)]
    np.testing.assert_array_equal(Quantized.of(x).dense(), x)
    zeros = np.zeros((999, 4), dtype=np.float32)
    for qnorm in (False, True):
        np.testing.assert_array_equal(Quantized.of(zeros, qnorm=qnorm).dense(), zeros)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf, 3e18])
@pytest.mark.parametrize("qnorm", [False, True])
def test_what_is_not_finite_is_refused_with_its_row(spoilt, qnorm):
    x = matrix(40_000, 2)
    x[33_333, 1] = spoilt
    with pytest.raises(DataError, match="33333"):
        Quantized.of(x, qnorm=qnorm)
    with pytest.raises(DataError, match="33333"):
        ProductQuantizer.train(matrix(300, 2), 2).codes_of(x)


def test_senseless_calls_are_refused():
    with pytest.raises(DataError):
        Quantized.of(np.zeros((0, 3), dtype=np.float32))
    with pytest.raises(UsageError):
        Quantized.of(matrix(9, 3), dsub=0)
    with pytest.raises(ValueError):
        ProductQuantizer(7, 2, np.zeros(255 * 7, dtype=np.float32))
    with pytest.raises(ValueError):
        ProductQuantizer(2, 3, np.zeros(512, dtype=np.float32))
    good = Quantized.of(matrix(9, 3), qnorm=True)
    with pytest.raises(ValueError):
        Quantized(good.codes[:, :1], good.quantizer)
    with pytest.raises(ValueError):
        Quantized(good.codes, good.quantizer, good.norm_codes[:-1], good.norm_quantizer)
    with pytest.raises(ValueError):
        Quantized(good.codes, good.quantizer, good.norm_codes)


# ---- quantized matrix -----------------------------------------------------------------------------------------------


def test_the_error_falls_with_smaller_parts_and_the_bytes_rise():
    x = matrix(5000, 12)
    made = [Quantized.of(x, dsub=dsub) for dsub in (12, 6, 4, 2, 1)]
    errors = [error(x, one) for one in made]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3
    sizes = [one.nbytes for one in made]
    assert sizes == sorted(sizes)


def test_lengths_with_a_code_of_their_own_are_kept_and_the_error_falls(monkeypatch):
    x = matrix(5000, 16)
    for dsub in (2, 4):
        plain, coded = (Quantized.of(x, dsub=dsub, qnorm=qnorm) for qnorm in (False, True))
        assert coded.shape == (5000, 16)
        assert error(x, coded) < error(x, plain)
        off = [np.abs(lengths_of(found.dense()) / lengths_of(x) - 1).mean() for found in (plain, coded)]
        assert off[1] < min(off[0], 0.06)
        # better than with each row's own length, which the original takes
        with monkeypatch.context() as patch:
            patch.setattr("erya.models.fasttext.quantized._scales", lambda matrix, *_: lengths_of(matrix)[:, None])
            assert error(x, coded) < error(x, Quantized.of(x, dsub=dsub, qnorm=True))


def test_a_matrix_made_of_its_fields_is_the_same():
    found = Quantized.of(matrix(700, 7), dsub=3, qnorm=True)
    twin = Quantized(found.codes, found.quantizer, found.norm_codes, found.norm_quantizer)
    np.testing.assert_array_equal(twin.dense(), found.dense())
    # coding the decoded rows with the same centroids changes nothing
    plain = Quantized.of(matrix(700, 7), dsub=3)
    np.testing.assert_array_equal(plain.quantizer.vectors_of(plain.quantizer.codes_of(plain.dense())), plain.dense())


@pytest.mark.parametrize("qnorm", [False, True])
def test_means_are_the_means_of_the_decoded_rows_with_and_without_the_kernel(monkeypatch, qnorm):
    generator = np.random.default_rng(0)
    found = Quantized.of(matrix(900, 7), dsub=3, qnorm=qnorm)
    sizes = np.concatenate([[0, 0], generator.integers(0, 40, 200), [0, 1, 1000, 0]])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = generator.integers(0, 900, starts[-1]).astype(np.int32)
    decoded = found.dense().astype(np.float64)
    expected = [decoded[rows[a:b]].mean(axis=0) if b > a else np.zeros(7) for a, b in pairwise(starts)]
    assert len(rows) < MANY_ROWS
    plain = found.mean_of(rows, starts)
    np.testing.assert_allclose(plain, expected, rtol=1e-4, atol=1e-6)
    monkeypatch.setattr("erya.models.fasttext.quantized.MANY_ROWS", 0)
    for threads in (1, 2, 7):
        np.testing.assert_array_equal(found.mean_of(rows, starts, threads=threads), plain)  # to the bit
    nothing = found.mean_of(rows[:0], np.zeros(4, dtype=np.int64))
    np.testing.assert_array_equal(nothing, np.zeros((3, 7)))
    with pytest.raises(IndexError):
        found.mean_of(np.array([900], dtype=np.int32), np.array([0, 1]))
    with pytest.raises(IndexError):
        found.mean_of(np.array([-1], dtype=np.int32), np.array([0, 1]))


def test_products_with_vectors():
    found = Quantized.of(matrix(40_000, 7), qnorm=True)
    vectors = matrix(3, 7, seed=1)
    expected = vectors @ found.dense().T
    np.testing.assert_allclose(found.dot(vectors), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.dot(vectors[1]), expected[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.take([5, 3]), found.dense()[[5, 3]])
