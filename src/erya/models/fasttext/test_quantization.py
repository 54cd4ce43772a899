"""Quantization: the promises of the codes, against brute force."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from erya.errors import DataError, Interrupted, UsageError
from erya.models.fasttext import binary, product_quantizer, supervised
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.dictionary import Dictionary
from erya.models.fasttext.original import Original
from erya.models.fasttext.product_quantizer import CENTROIDS, ProductQuantizer
from erya.models.fasttext.quantize import Retraining, Settings, cut, file_bytes, quantize, ranked
from erya.models.fasttext.quantized import MANY_ROWS, Quantized, lengths_of
from erya.models.fasttext.small_models import best_under, curve, f1_on, largest_cutoff, likeness_to, sizes_of
from erya.progress import Report


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
    monkeypatch.setattr("erya.models.fasttext.quantized._compiler_is_loaded", lambda: False)
    plain = found.mean_of(rows, starts)
    np.testing.assert_allclose(plain, expected, rtol=1e-4, atol=1e-6)
    monkeypatch.setattr("erya.models.fasttext.quantized.MANY_ROWS", 0)
    monkeypatch.setattr("erya.models.fasttext.quantized.ROWS_A_THREAD", 1)
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


# ---- models ---------------------------------------------------------------------------------------------------------

TOPICS = {
    b"__label__food": b"soup bread noodles pepper salad cheese taste cook".split(),
    b"__label__rain": b"rain storm cloud umbrella thunder wet drizzle wind".split(),
    b"__label__sport": b"goal match team coach league score ball kick".split(),
}


def text(lines=300, seed=0):
    generator = np.random.default_rng(seed)
    filler = [b"word%d" % number for number in range(60)]
    made = []
    for number in range(lines):
        label, words = list(TOPICS.items())[number % 3]
        some = [*generator.choice(words, 3), *generator.choice(filler, 4)]
        generator.shuffle(some)
        made.append(b" ".join([label, *some]))
    return b"\n".join(made) + b"\n"


def classifier(**changes):
    settings = {"model": "supervised", "loss": "softmax", "dim": 6, "min_count": 1, "word_ngrams": 2, "buckets": 700}
    arguments = Arguments(**(settings | {"min_n": 0, "max_n": 0, "epochs": 9} | changes))
    dictionary = Dictionary.learn(text(), arguments)
    lines = dictionary.encode(text())
    plan = supervised.Plan(dim=arguments.dim, epochs=9, learning_rate=0.5, loss=arguments.loss)
    size = dictionary.rows, len(dictionary.labels)
    return Original(arguments, dictionary, *supervised.train(lines, *size, dictionary.label_counts, plan))


def word_vectors(**changes):
    settings = {"model": "skipgram", "dim": 6, "min_count": 1, "buckets": 700, "min_n": 2, "max_n": 4}
    arguments = Arguments(**(settings | changes))
    dictionary = Dictionary.learn(text(), arguments)
    return Original(arguments, dictionary, matrix(dictionary.rows, 6), matrix(dictionary.size, 6, seed=1))


@pytest.fixture(scope="module")
def trained():
    return classifier()


def bits(model):
    parts = [model.input.codes, model.input.quantizer.centroids, np.asarray(model.output)]
    return b"".join(part.tobytes() for part in parts) + b"".join(model.dictionary.words)


def test_the_longest_rows_stay_and_the_end_of_the_line(trained):
    order = ranked(trained)
    lengths = lengths_of(trained.input)
    end = trained.dictionary.row_of(b"</s>")
    assert order[0] == end
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[order[1:]]) <= 0).all()


@pytest.mark.parametrize("kept", [1, 2, 40, 300])
def test_what_was_cut_is_as_if_it_had_never_been_seen(trained, kept):
    stays = ranked(trained)[:kept]
    small = cut(trained, stays)
    assert len(small.input) == kept == small.dictionary.rows
    assert [trained.dictionary.row_of(word) for word in small.dictionary.words] == sorted(
        row for row in stays.tolist() if row < trained.dictionary.size
    )
    before, after = trained.dictionary.encode(text()), small.dictionary.encode(text())
    for line in range(40):
        rows = before.rows[before.starts[line] : before.starts[line + 1]]
        expected = trained.input[rows[np.isin(rows, stays)]]
        found = small.input[after.rows[after.starts[line] : after.starts[line + 1]]]
        assert sorted(found.tolist()) == sorted(expected.tolist())
    assert after.labels.tolist() == before.labels.tolist()


def test_cutting_twice_is_cutting_once(trained):
    order = ranked(trained)
    twice = cut(cut(trained, order[:200]), ranked(cut(trained, order[:200]))[:50])
    once = cut(trained, order[:50])
    assert twice.dictionary.words == once.dictionary.words
    assert twice.dictionary.prune == once.dictionary.prune
    np.testing.assert_array_equal(twice.input, once.input)


@pytest.mark.parametrize("settings", [Settings(), Settings(3, True, True, 90), Settings(99, False, False, 1)])
def test_a_small_model_answers_and_is_the_same_for_any_number_of_threads(trained, settings):
    before = np.array(trained.input).tobytes()
    made = [quantize(trained, settings, threads=threads) for threads in (1, 2, 4)]
    assert len({bits(one) for one in made}) == 1
    assert np.array(trained.input).tobytes() == before
    answers = made[0].predict(["soup with bread", "", "never seen"], 3)
    assert answers.labels.shape == (3, 3)
    if settings.cutoff != 1:
        assert f1_on(text(seed=1))(made[0]) > f1_on(text(seed=1))(trained) - 0.02


def test_a_cutoff_beyond_all_rows_cuts_nothing_and_trains_nothing(trained):
    plain = quantize(trained)
    for cutoff in (len(trained.input), 10**9):
        found = quantize(trained, Settings(cutoff=cutoff), retraining=Retraining(text()))
        assert bits(found) == bits(plain)
        assert found.dictionary.prune is None


def test_retraining_helps_what_is_left_and_is_repeatable(trained):
    settings = Settings(dsub=1, cutoff=12)
    score = f1_on(text())
    plain = quantize(trained, settings)
    again = [quantize(trained, settings, retraining=Retraining(text()), threads=threads) for threads in (1, 2)]
    assert bits(again[0]) == bits(again[1]) != bits(plain)
    assert score(again[0]) >= score(plain)


@pytest.mark.parametrize("changes", [{"loss": "hs"}, {"loss": "ova"}, {"loss": "ns"}, {"word_ngrams": 1, "buckets": 0}])
def test_every_loss_and_words_alone(tmp_path, changes):
    model = classifier(**changes)
    for settings in (Settings(), Settings(dsub=1, qnorm=True, cutoff=60)):
        found = quantize(model, settings, retraining=Retraining(text(), epochs=1))
        assert f1_on(text(seed=1))(found) > 0.8
        binary.write(tmp_path / "m.ftz", found)
        twin = binary.read(tmp_path / "m.ftz")
        for mine, theirs in zip(
            found.predict(["soup rain", "goal"], 2), twin.predict(["soup rain", "goal"], 2), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


class Listener(Report):
    def __init__(self, wish=None):
        self.notes, self.rows, self.wish = [], [], wish

    def note(self, sentence):
        self.notes.append(sentence)

    def record(self, row):
        self.rows.append(row)

    def stopping(self):
        return self.wish


def test_an_output_is_coded_only_where_that_makes_it_smaller(trained):
    listener = Listener()
    found = quantize(trained, Settings(qout=True), report=listener)
    assert found.output is trained.output
    assert any("3" in note for note in listener.notes)
    many = word_vectors(dim=6)
    rows = 40 * many.dictionary.size
    wide = Original(many.arguments, many.dictionary, many.input, matrix(rows, 6))
    assert isinstance(quantize(wide, Settings(qout=True)).output, Quantized)
    few = Listener()
    quantize(trained, Settings(cutoff=30), report=few)
    assert any("30" in note for note in few.notes)


def test_known_words_keep_their_vectors_when_n_grams_are_dropped():
    model = word_vectors()
    size = model.dictionary.size
    small = cut(model, ranked(model)[: size + 40])
    assert small.dictionary.words == model.dictionary.words
    np.testing.assert_allclose(small.known_vectors(), model.known_vectors(), atol=1e-5)
    assert not np.allclose(small.word_vector("soups"), model.word_vector("soups"))


@pytest.mark.parametrize("qnorm", [False, True])
def test_what_coding_loses_on_n_grams_does_not_reach_known_words(qnorm):
    model = word_vectors()
    assert ranked(model)[: model.dictionary.size].tolist() == list(range(model.dictionary.size))
    found = quantize(model, Settings(dsub=3, qnorm=qnorm))
    naive = Original(model.arguments, model.dictionary, Quantized.of(model.input, dsub=3, qnorm=qnorm), model.output)
    right = model.known_vectors()
    off, naive_off = (float(((one.known_vectors() - right) ** 2).sum()) for one in (found, naive))
    assert off < 0.5 * naive_off
    assert likeness_to(model)(model) == pytest.approx(1)
    assert 0.95 < likeness_to(model, unseen=0)(found) < 1


@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_word_vectors_with_fewer_words(tmp_path, loss):
    model = word_vectors(loss=loss)
    small = quantize(model, Settings(cutoff=10, qout=True))
    assert small.dictionary.words == model.dictionary.words[:10]
    binary.write(tmp_path / "m.ftz", small)
    np.testing.assert_array_equal(binary.read(tmp_path / "m.ftz").known_vectors(), small.known_vectors())
    alone = word_vectors(max_n=0, buckets=0)
    found = quantize(alone, Settings(dsub=1))
    np.testing.assert_allclose(found.known_vectors(), alone.known_vectors(), atol=0.05)


def test_models_that_cannot_be_made_small_are_refused(trained):
    for settings, retraining in [
        (Settings(dsub=0), None),
        (Settings(cutoff=-1), None),
        (Settings(cutoff=2.5), None),
        (Settings(), Retraining(text(), learning_rate=0)),
        (Settings(), Retraining(text(), epochs=0)),
    ]:
        with pytest.raises(UsageError):
            quantize(trained, settings, retraining=retraining)
    with pytest.raises(UsageError, match="already"):
        quantize(quantize(trained))
    with pytest.raises(UsageError, match="already"):
        best_under(quantize(trained), 10, f1_on(text()))
    with pytest.raises(UsageError, match="retrained"):
        quantize(word_vectors(), retraining=Retraining(text()))
    spoilt = Original(trained.arguments, trained.dictionary, np.full_like(trained.input, np.nan), trained.output)
    with pytest.raises(DataError):
        quantize(spoilt)


# ---- under a size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, word_vectors])
@pytest.mark.parametrize("settings", [Settings(), Settings(3, True, True), Settings(2, False, True)])
def test_sizes_are_known_before_anything_is_made(tmp_path, make, settings):
    model = make()
    order = ranked(model)
    sizes = sizes_of(model, settings, order)
    for cutoff in (1, 17, 100, len(order)):
        found = quantize(model, replace(settings, cutoff=cutoff))
        binary.write(tmp_path / "m.ftz", found)
        assert (tmp_path / "m.ftz").stat().st_size == file_bytes(found) == sizes[cutoff]
    binary.write(tmp_path / "m.bin", model)
    assert (tmp_path / "m.bin").stat().st_size == file_bytes(model)
    assert largest_cutoff(model, settings, int(sizes[17]), order) == 17
    assert largest_cutoff(model, settings, int(sizes[17]) - 1, order) == 16
    assert largest_cutoff(model, settings, int(sizes[-1])) == 0
    assert largest_cutoff(model, settings, int(sizes[1]) - 1) is None


def test_the_best_model_under_a_size(trained):
    listener, score = Listener(), f1_on(text(seed=1))
    found = best_under(trained, 9000, score, retraining=Retraining(text(), epochs=3), report=listener)
    assert file_bytes(found.model) == found.best.bytes <= 9000
    assert score(found.model) == found.best.score == max(one.score for one in found.tries)
    assert all(one.bytes <= 9000 for one in found.tries)
    assert {one.retrained for one in found.tries} == {False, True}
    assert len({one.settings.dsub for one in found.tries}) > 2
    assert [row["score"] for row in listener.rows] == [one.score for one in found.tries]
    # more room: no row is cut, and no coarser coding of the same rows is tried
    roomy = best_under(trained, file_bytes(trained) - 1, score)
    assert [one.settings for one in roomy.tries] == [Settings(1), Settings(1, True)]
    assert best_under(trained, file_bytes(trained), score).best.settings is None


def test_word_vectors_under_a_size():
    model = word_vectors()
    found = best_under(model, 12_000, likeness_to(model))
    assert file_bytes(found.model) <= 12_000
    assert found.best.score > 0.7


def test_likeness_listens_to_words_that_are_not_in_the_dictionary():
    model = word_vectors()
    words_only = cut(model, np.arange(model.dictionary.size))
    assert likeness_to(model, unseen=0)(words_only) == pytest.approx(1)
    assert likeness_to(model)(words_only) == pytest.approx(0.8)  # no n-gram is left: cosine 0
    assert likeness_to(model)(model) == pytest.approx(1)
    alone = word_vectors(max_n=0, buckets=0)
    assert likeness_to(alone)(alone) == pytest.approx(1)


def test_a_search_that_is_ended_early_gives_what_it_has(trained):
    found = best_under(trained, 9000, f1_on(text()), retraining=Retraining(text()), report=Listener("budget"))
    assert len(found.tries) == 1
    with pytest.raises(Interrupted):
        best_under(trained, 9000, f1_on(text()), report=Listener("interrupt"))


def test_a_size_that_nothing_fits_into_is_refused_with_the_least_there_is(trained):
    with pytest.raises(UsageError) as problem:
        best_under(trained, 100, f1_on(text()))
    least = int(re.search(r"alone take (\d+)", str(problem.value))[1])
    assert best_under(trained, least, f1_on(text())).best.bytes <= least
    with pytest.raises(UsageError):
        best_under(trained, least - 1, f1_on(text()))


def test_a_curve_has_a_row_for_each_size_that_is_possible(trained):
    whole = file_bytes(trained)
    rows = curve(trained, f1_on(text(seed=1)), [whole, whole // 2, 9000, 10])
    assert len(rows) == 3
    assert rows[0].settings is None
    assert all(one.bytes <= size for one, size in zip(rows, [whole, whole // 2, 9000], strict=True))
    assert next(iter(curve(trained, f1_on(text())))).bytes == whole
