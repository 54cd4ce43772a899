"""Vectors with n-grams: gradients, the kernels beside the reference, n-grams as the original cuts them, words never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, DivergedError, UsageError
from erya.models.fasttext import subword_kernels as kernels
from erya.models.fasttext import subword_reference as reference
from erya.models.fasttext.features import END, fnv1a, pieces_of
from erya.models.fasttext.subword_loop import Plan, Run, Subwords
from erya.models.fasttext.vectors import FastTextVectors
from erya.parts.chance import alias_table
from erya.parts.huffman import huffman
from erya.parts.thinning import keep_probabilities
from erya.parts.unknown_word import UnknownWordError
from erya.progress import quiet
from erya.tasks import vectors

GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden_fasttext"
WORDS = ["tea", "teas", "sea", "seashell", "北京", "天气", "a", "ab", "naïve", END, "teatea", "s"]


def subwords(min_n=2, max_n=3, buckets=23):
    return Subwords.of(WORDS, np.arange(len(WORDS), 0, -1), min_n, max_n, buckets)


def plan(**settings):
    usual = {
        "dim": 5, "window": 3, "negative": 2, "cbow": False, "sample": 0.0, "epochs": 1, "learning_rate": 0.1, "seed": 4,
        "deterministic": True, "threads": 1,
    }  # fmt: skip
    return Plan(**(usual | settings))


def text(tokens=300, seed=0, words=12):
    generator = np.random.default_rng(seed)
    ids = (generator.random(tokens) ** 2 * words).astype(np.int32)
    ids[generator.random(tokens) < 0.07] = -1
    return ids


# ---- the model ----------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_the_loss():
    generator = np.random.default_rng(1)
    rows, u = generator.normal(size=(3, 5)), generator.normal(size=(7, 5))
    m = np.array([1, 1, 2, 1.5, 3, 0.7, 2])
    y = np.array([1, 0, 1, 0, 3, 0, 2.0])
    _, for_h, for_u = reference.gradients(rows, u, y, m)
    for matrix, gradient in ((rows, np.tile(for_h / 3, (3, 1))), (u, for_u)):
        for place in np.ndindex(matrix.shape):
            before = matrix[place]
            both = []
            for move in (1e-6, -1e-6):
                matrix[place] = before + move
                both.append(reference.gradients(rows, u, y, m)[0])
            matrix[place] = before
            assert (both[0] - both[1]) / 2e-6 == pytest.approx(gradient[place], abs=1e-6)


@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("negative", [2, 0])
@pytest.mark.parametrize("rate", [0.1, 0.01])  # of rounds of different sizes
def test_kernels_take_the_reference_s_steps(cbow, negative, rate):
    ids, some = text(), subwords()
    counts = np.bincount(ids[ids >= 0], minlength=len(WORDS)) + 1
    run = Run(ids, counts, some, plan(cbow=cbow, negative=negative, learning_rate=rate))
    run.targets[:] = np.random.default_rng(2).normal(size=run.targets.shape) / 3
    input, targets = run.input.astype(np.float64), run.targets.astype(np.float64)
    keep, other = alias_table(counts**0.5)
    paths = huffman(counts)
    ways = [
        (paths.nodes[first:last].tolist(), paths.turns[first:last].tolist())
        for first, last in zip(paths.starts[:-1], paths.starts[1:], strict=True)
    ]
    pieces = [some.rows[first:last].tolist() for first, last in zip(some.starts[:-1], some.starts[1:], strict=True)]
    task = reference.Task(
        window=3, negative=negative, noise=run.settings.noise, pool=run.settings.pool, chunk=run.settings.chunk, shards=run.settings.shards,
        cbow=cbow, seed=4, pieces=pieces, keep=keep, other=other, paths=ways,
    )  # fmt: skip
    before = input.copy()
    reference.train_block(ids.tolist(), input, targets, task, 0, (rate, rate * 1e-4))
    run.block()
    assert np.abs(before - input).max() > 0.01
    assert np.allclose(run.input, input, atol=2e-5)
    assert np.allclose(run.targets, targets, atol=2e-5)


def test_measuring_changes_nothing():
    ids, some = text(), subwords()
    counts = np.bincount(ids[ids >= 0], minlength=len(WORDS)) + 1
    run = Run(ids, counts, some, plan())
    before = run.parameters.copy()
    untrained = run.loss(ids)
    assert 0.9 < untrained / (3 * np.log(2)) < 1  # one true word and two noise words, fewer where noise is the answer
    assert (run.parameters == before).all()
    run.finish(quiet)
    assert run.loss(ids) < untrained


@pytest.mark.parametrize("cbow", [False, True])
def test_lock_free_on_one_thread_learns_as_much(cbow):
    """With many words; in few, threads would meet at the same rows, and rounds are taken instead."""
    words = [f"word{number}" for number in range(1200)]
    ids = text(20_000, words=len(words))
    counts = np.bincount(ids[ids >= 0], minlength=len(words)) + 1
    some = Subwords.of(words, counts, 3, 4, 5000)
    losses = []
    for deterministic in (True, False):
        run = Run(ids, counts, some, plan(cbow=cbow, dim=16, deterministic=deterministic, epochs=2))
        assert run.settings.direct is not deterministic
        run.finish(quiet)
        losses.append(run.loss(ids))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


# ---- n-grams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("min_n", "max_n", "buckets"), [(3, 6, 2_000_000), (1, 3, 97), (2, 2, 1000), (0, 4, 50), (1, 0, 9)]
)
def test_rows_are_those_of_the_n_grams(min_n, max_n, buckets):
    some = subwords(min_n, max_n, buckets)
    assert len(set(some.kept.tolist())) == len(some.kept)
    for number, word in enumerate(WORDS):
        rows = some.rows[some.starts[number] : some.starts[number + 1]].tolist()
        expected = sorted(fnv1a(piece) % buckets for piece in pieces_of(word, min_n, max_n))
        assert rows.count(number) == 1, word
        assert sorted(some.kept[row - len(WORDS)] for row in rows if row != number) == expected, word


def test_rows_stand_in_the_order_of_their_owners_and_every_thread_has_its_share():
    some = subwords(1, 6, 500)
    for threads in (1, 2, 3, 8):
        splits = np.zeros((len(WORDS), threads + 1), dtype=np.int64)
        kernels.split(some.starts, some.rows, splits)
        assert (splits[:, 0] == some.starts[:-1]).all()
        assert (splits[:, -1] == some.starts[1:]).all()
        for word in range(len(WORDS)):
            for thread in range(threads):
                owners = some.rows[splits[word, thread] : splits[word, thread + 1]] % kernels.OWNERS
                low, high = (kernels.OWNERS * one // threads for one in (thread, thread + 1))
                assert ((owners >= low) & (owners < high)).all()


def test_means_are_those_of_the_rows():
    some = subwords()
    input = np.random.default_rng(0).normal(size=(len(WORDS) + len(some.kept), 7)).astype(np.float32)
    found = some.means(input)
    for number in range(len(WORDS)):
        rows = some.rows[some.starts[number] : some.starts[number + 1]]
        assert np.allclose(found[number], input[rows].mean(axis=0), atol=1e-6)


def test_subsampling_keeps_what_the_original_keeps():
    kept = keep_probabilities(np.array([900, 99, 1]), 0.01) / 2**32
    shares = np.array([0.9, 0.099, 0.001])
    assert np.allclose(kept, np.minimum(1, np.sqrt(0.01 / shares) + 0.01 / shares), atol=1e-6)
    assert (keep_probabilities(np.array([900, 1]), 0) == 2**32 - 1).all()


# ---- the model ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return catalog.model("vectors/fasttext", "tiny").fit(vectors.toy(seed=1)[0])


def test_words_never_seen_have_the_mean_of_their_n_grams(model):
    assert "thunders" not in model.key_to_index
    assert "thunders" in model
    assert not model.has_index_for("thunders")
    names, rows = model.ngrams("thunders")
    assert names == pieces_of("thunders", 3, 6)
    known = rows[rows >= 0]
    assert 0 < len(known) < len(rows)
    assert np.allclose(model["thunders"], model.input_[known].mean(axis=0))
    assert model.most_similar("thunders", topn=1)[0][0] == "thunder"
    assert model.similarity("thunders", "storm") > model.similarity("thunders", "bread")
    assert model.transform(["thunders", "rain"]).shape == (2, 32)
    assert np.array_equal(model.most_similar_batch(["thunders"], topn=3)[0], model.most_similar("thunders", topn=3))


def test_known_words_are_the_mean_of_all_their_rows(model):
    for word in ("rain", "soup", "the"):
        rows = [model.get_index(word), *model.ngrams(word)[1].tolist()]
        assert min(rows) >= 0
        assert np.allclose(model[word], model.input_[rows].mean(axis=0), atol=1e-6)


def test_a_word_without_a_known_n_gram_has_none(model):
    assert "ζηθικ" not in model
    assert 3 not in model
    with pytest.raises(UnknownWordError):
        model["ζηθικ"]
    with pytest.raises(UsageError):
        model.trace("ζηθικ")


def test_trace_shows_what_a_word_is_made_of(model):
    for word in ("thunder", "thunders"):
        trace = model.trace(word)
        assert trace.arrays["shares"].sum() == pytest.approx(np.linalg.norm(model[word]), rel=1e-5)
        assert len(trace.views) == 2


def test_chinese_words_share_characters():
    lines = [
        "北京大学 在 北京 城里",
        "北京大学 的 学生 在 北京 读书",
        "天气 很 冷 下雪 了",
        "今天 天气 下雪 很 大",
    ] * 60
    found = FastTextVectors(
        dim=16, min_count=1, min_n=1, max_n=3, buckets=5000, epochs=20, learning_rate=0.1, tokenizer="whitespace"
    ).fit(lines)
    assert "北京城" in found
    assert found.similarity("北京城", "北京") > found.similarity("北京城", "下雪")
    assert "北" in found.ngrams("北京城")[0]


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
@pytest.mark.parametrize("loss", ["negative_sampling", "hierarchical_softmax"])
def test_every_way_learns_the_topics_and_any_number_of_threads_gives_the_same_bits(algorithm, loss, monkeypatch):
    prints = set()
    for threads in (1, 2, 3):
        monkeypatch.setenv("ERYA_THREADS", str(threads))
        found = catalog.model("vectors/fasttext", "tiny", {"algorithm": algorithm, "loss": loss})
        found.fit(vectors.toy(seed=1, rows=200)[0])
        prints.add(found.fingerprint())
    assert len(prints) == 1
    assert vectors.toy_check(found) > 0


@pytest.mark.parametrize("loss", ["negative_sampling", "hierarchical_softmax"])
def test_saved_and_opened_again_it_answers_the_same(loss, tmp_path):
    found = FastTextVectors(dim=7, min_count=1, epochs=2, loss=loss, seed=3).fit(["good morning to you all"] * 9)
    again = erya.load(found.save(tmp_path / "v.erya"))
    assert again.fingerprint() == found.fingerprint()
    assert np.array_equal(again["mornings"], found["mornings"])


def test_without_n_grams_it_is_word2vec():
    found = FastTextVectors(dim=7, min_count=1, epochs=2, max_n=0).fit(["good morning to you all"] * 9)
    assert len(found.buckets_) == 0
    assert "mornings" not in found
    assert np.allclose(found.vectors_, found.input_)


def test_validation_text_is_listened_to():
    texts = vectors.toy(seed=1)[0]
    found = catalog.model("vectors/fasttext", "tiny").fit(texts, validation=vectors.toy(seed=2)[0])
    losses = [row["validation_loss"] for row in found.curve_]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_rate_beyond_all_sense_is_said(deterministic):
    texts = [" ".join(f"w{(7 * i + j) % 1500}" for j in range(20)) for i in range(800)]
    wild = FastTextVectors(dim=8, min_count=1, learning_rate=900.0, epochs=3, deterministic=deterministic)
    with pytest.raises(DivergedError, match="diverged"):
        wild.fit(texts)
    assert np.isfinite(wild.vectors_).all()


@pytest.mark.parametrize(
    "settings",
    [{"dim": 0}, {"loss": "softmax"}, {"algorithm": "skipgram"}, {"min_n": 4, "max_n": 3}, {"buckets": 0}, {"negative": 0},
     {"sample": -1}, {"learning_rate": 0}, {"max_n": 1000}],
)  # fmt: skip
def test_bad_settings_are_named(settings):
    with pytest.raises(UsageError) as caught:
        FastTextVectors(**settings).fit(["a b c"])
    assert next(iter(settings)) in str(caught.value) or "min_n" in str(caught.value)


# ---- beginning elsewhere than with chance --------------------------------------------------------------------------


def small(**settings):
    return FastTextVectors(
        **({"dim": 5, "min_count": 2, "epochs": 2, "buckets": 300, "tokenizer": "whitespace"} | settings)
    )


TEXT = ["tea and teas by the sea", "the sea takes all the tea", "teas and tea and tea"] * 5


@pytest.mark.parametrize("form", ["v.vec", "v.bin", "v.erya"])
def test_pretrained_vectors_are_where_words_begin(form, tmp_path):
    from erya.models.fasttext import binary

    told = {"tea": [1, 2, 3, 4, 5, 6, 7], "zebra": [7, 6, 5, 4, 3, 2, 1], "sea": [0, 0, 1, 0, 0, 0, 0.5]}
    if form == "v.vec":
        lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in told.items()]
        (tmp_path / form).write_text(f"3 7\n{chr(10).join(lines)}\n", encoding="utf-8")
    else:
        before = small(dim=7, min_count=1).fit([" ".join(told)] * 3)
        told = {word: before[word] for word in told}
        if form == "v.bin":
            binary.write(tmp_path / form, before.to_original())
        else:
            before.save(tmp_path / form)
    found = small(pretrained=tmp_path / form, learning_rate=1e-9).fit(TEXT)
    assert found.vector_size == 7
    assert "zebra" not in found.key_to_index
    for word in ("tea", "sea"):
        assert np.allclose(found.input_[found.get_index(word)], told[word], atol=1e-5)
    assert np.abs(found.input_[found.get_index("the")]).max() < 1 / 7 + 1e-5
    assert np.abs(found.input_[len(found.words_) :]).max() < 1 / 7 + 1e-5
    again = erya.load(found.save(tmp_path / "again.erya"))
    assert again.pretrained == str(tmp_path / form)
    assert again.fingerprint() == found.fingerprint()


def test_a_file_without_a_word_of_the_text_is_refused(tmp_path):
    (tmp_path / "v.vec").write_text("1 2\nzebra 1 2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no word of this text"):
        small(pretrained=tmp_path / "v.vec").fit(TEXT)


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
@pytest.mark.parametrize("loss", ["negative_sampling", "hierarchical_softmax"])
def test_more_text_brings_new_words_and_goes_on_from_what_was_learned(algorithm, loss):
    found = small(algorithm=algorithm, loss=loss).fit(TEXT)
    words, counts = list(found.words_), dict(zip(found.words_, found.counts_.tolist(), strict=True))
    rows = {word: found.input_[found.get_index(word)].copy() for word in words}
    buckets = dict(zip(found.buckets_.tolist(), found.input_[len(words) :].copy(), strict=True))
    targets = dict(zip(words, found.targets_.copy(), strict=False))
    found.learning_rate = 1e-9
    found.partial_fit(iter(["teatime by the seaside", "teatime once"] * 2))
    assert set(found.words_) == {*words, "teatime", "by", "the", "seaside", "once"}
    assert found.counts_.tolist() == sorted(found.counts_.tolist(), reverse=True)
    assert found.counts_[found.get_index("the")] == counts["the"] + 2
    assert found.counts_[found.get_index("teatime")] == 4
    for word, row in rows.items():
        assert np.allclose(found.input_[found.get_index(word)], row, atol=1e-6), word
    for bucket, row in buckets.items():
        place = int(np.searchsorted(found.buckets_, bucket))
        assert found.buckets_[place] == bucket
        assert np.allclose(found.input_[len(found.words_) + place], row, atol=1e-6)
    if loss == "negative_sampling":
        for word, row in targets.items():
            assert np.allclose(found.targets_[found.get_index(word)], row, atol=1e-6)
    pieces = found.ngrams("teatime")[1]
    assert np.allclose(
        found["teatime"], found.input_[[found.get_index("teatime"), *pieces.tolist()]].mean(axis=0), atol=1e-6
    )


def test_going_on_is_the_same_bits_for_any_number_of_threads_and_learns(monkeypatch):
    prints, losses = set(), []
    for threads in (1, 2):
        monkeypatch.setenv("ERYA_THREADS", str(threads))
        texts = vectors.toy(seed=1, rows=300)[0]
        found = catalog.model("vectors/fasttext", "tiny").fit(texts[:200])
        found.partial_fit(texts[200:], validation=texts[:100])
        prints.add(found.fingerprint())
        losses.append([row["validation_loss"] for row in found.curve_])
    assert len(prints) == 1
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize(
    "settings", [{"dim": 6}, {"loss": "hierarchical_softmax"}, {"buckets": 2}, {"max_n": 0, "min_n": 0}]
)
def test_settings_cannot_change_when_going_on(settings):
    found = small().fit(TEXT)
    with pytest.raises(UsageError, match="cannot change"):
        found.set_params(**settings).partial_fit(TEXT)


def test_without_a_model_going_on_is_a_beginning():
    assert small().partial_fit(TEXT).fingerprint() == small().fit(TEXT).fingerprint()


# ---- the original's files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"loss": "hierarchical_softmax"}, {"algorithm": "cbow"}, {"max_n": 0}])
def test_as_a_file_of_the_original_and_back(settings, tmp_path):
    from erya.models.fasttext import binary

    found = FastTextVectors(dim=7, min_count=1, epochs=2, buckets=300, tokenizer="whitespace", **settings)
    found.fit(["good morning to you all 早上好"] * 9)
    original = found.to_original()
    for word in ("morning", "早上好", "mornings"):
        vector = original.word_vector(word)
        if word in found:
            assert vector @ found[word] == pytest.approx(np.linalg.norm(vector) * np.linalg.norm(found[word]), rel=1e-5)
        else:
            assert not vector.any()
    assert np.allclose(original.known_vectors(), found.vectors_, atol=1e-6)
    binary.write(tmp_path / "v.bin", original)
    again = FastTextVectors.from_original(binary.read(tmp_path / "v.bin"))
    assert again.words_ == found.words_
    assert again.counts_.tolist() == found.counts_.tolist()
    assert np.array_equal(again.buckets_, found.buckets_)
    assert np.array_equal(again.input_, found.input_)
    assert np.array_equal(again.targets_, found.targets_)
    assert np.allclose(again.vectors_, found.vectors_, atol=1e-6)
    for name in ("dim", "window", "algorithm", "loss", "negative", "min_n", "max_n", "epochs", "sample"):
        assert getattr(again, name) == pytest.approx(getattr(found, name)), name
    assert erya.load(again.save(tmp_path / "v.erya")).fingerprint() == again.fingerprint()


@pytest.mark.parametrize("name", ["skipgram.bin", "cbow.bin"])
def test_models_that_the_original_trained_give_its_vectors(name):
    """The words of the queries, of which some are unknown; what has no n-gram has no vector here, and zeros there."""
    import json

    from erya.models.fasttext import binary

    told = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    asked = json.loads((GOLDEN / "queries.json").read_text(encoding="utf-8"))["words"]
    found = FastTextVectors.from_original(binary.read(GOLDEN / name))
    assert found.words_ == told["words"][0]
    for word, vector in zip(asked, told["vectors"], strict=True):
        if word in found:
            np.testing.assert_allclose(found[word], vector, atol=1e-6, rtol=0)
        else:
            assert not np.any(vector)
    near = found.most_similar("cat", topn=5)
    np.testing.assert_allclose([cosine for _, cosine in near], [cosine for cosine, _ in told["nearest"]], atol=1e-5)
    assert [word for word, _ in near] == [word for _, word in told["nearest"]]


def test_what_the_original_s_files_cannot_hold_is_refused():
    found = FastTextVectors(dim=7, min_count=1, epochs=1).fit([["New York", "is", "big"]] * 5)
    with pytest.raises(DataError, match="white space"):
        found.to_original()


def test_the_original_s_training_begins_with_vectors_as_the_original_does(tmp_path):
    """Words of the file join the dictionary; their own rows are its vectors, whatever ``dim`` says."""
    from erya.models.fasttext import making
    from erya.models.fasttext.arguments import Arguments

    (tmp_path / "t.txt").write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    (tmp_path / "v.vec").write_text("2 3\ntea 1 2 3\nzebra 3 2 1\n", encoding="utf-8")
    arguments = Arguments(model="skipgram", loss="ns", dim=9, min_count=1, buckets=50, min_n=2, max_n=3, sample=1.0)
    how = making.How(learning_rate=1e-9, pretrained=tmp_path / "v.vec")
    found = making.train(tmp_path / "t.txt", arguments, how)
    dictionary = found.dictionary
    plain = making.train(tmp_path / "t.txt", arguments, making.How(learning_rate=1e-9)).dictionary
    assert found.arguments.dim == 3
    assert set(dictionary.words) == {*plain.words, b"zebra"}
    assert dictionary.counts[dictionary.row_of(b"tea")] == plain.counts[plain.row_of(b"tea")] + 1
    assert dictionary.counts[dictionary.row_of(b"zebra")] == 1
    assert np.allclose(found.input[dictionary.row_of(b"tea")], [1, 2, 3], atol=1e-5)
    assert np.allclose(found.input[dictionary.row_of(b"zebra")], [3, 2, 1], atol=1e-5)


@pytest.mark.parametrize("lines", ["__label__a x y\n__label__a z\n", "__label__a\n__label__b\n" * 9])
def test_a_text_without_a_frequent_word_is_refused(lines, tmp_path):
    from erya.models.fasttext import making
    from erya.models.fasttext.arguments import Arguments

    (tmp_path / "t.txt").write_text(lines, encoding="utf-8")
    arguments = Arguments(model="skipgram", loss="ns", dim=3, min_count=50, buckets=50, min_n=2, max_n=3)
    with pytest.raises(DataError, match="no word"):
        making.train(tmp_path / "t.txt", arguments, making.How())
