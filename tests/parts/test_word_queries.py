"""Every question to word vectors is answered as its definition says, in every storage, alone and in a batch."""

from __future__ import annotations

import copy
import pickle
import sys
import time

import numpy as np
import pytest

from erya.errors import DataError, ResourceError, UsageError
from erya.parts import nearest, word_movers
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.unknown_word import UnknownWordError
from erya.tasks.vectors import bundled_analogies

V, D = 157, 7


def made(storage="float32"):
    """157 words, among them equal vectors, opposite ones, and one of zeros."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(V, D)).astype(np.float32)
    matrix[90:97] = matrix[20]
    matrix[100] = -matrix[20]
    matrix[110] = 0
    words = [f"w{number}" for number in range(V)]
    return KeyedVectors.of(words, matrix, np.arange(V, 0, -1), storage=storage)


@pytest.fixture(params=["float32", "float16", "int8"])
def table(request):
    return made(request.param)


def units(table):
    wide = table.vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)


def ranking(scores, without, count):
    """The definition: sorted by score, equals by row, without the rows that were asked."""
    order = sorted((row for row in range(len(scores)) if row not in without), key=lambda row: (-scores[row], row))
    return order[:count]


def check(answers, table, scores, without, count):
    rows = ranking(np.round(scores, 12), without, count)  # equal vectors may differ in the last bit of a product
    assert [word for word, _ in answers] == [table.words_[row] for row in rows]
    np.testing.assert_allclose([score for _, score in answers], scores[rows], atol=1e-12)


# ---- neighbours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 10, V, 2 * V])
def test_most_similar_is_the_sorted_cosine(table, count):
    unit = units(table)
    for row in (0, 20, 92, 110, 156):
        check(table.most_similar(f"w{row}", topn=count), table, unit @ unit[row], {row}, count)


def test_sums_differences_weights_and_vectors(table):
    unit, vector = units(table), np.arange(D) - 2.5
    target = 2 * unit[3] + unit[4] + vector - unit[5] - 0.5 * unit[6]
    scores = unit @ (target / np.linalg.norm(target))
    answers = table.most_similar([("w3", 2), "w4", vector], ["w5", ("w6", -0.5)])
    check(answers, table, scores, {3, 4, 5, 6}, 10)
    check(
        table.most_similar(["w4"], ["w5"], 5, 60),
        table,
        (unit @ (unit[4] - unit[5]))[:60] / np.linalg.norm(unit[4] - unit[5]),
        {4, 5},
        5,
    )
    check(table.similar_by_vector(vector), table, unit @ vector / np.linalg.norm(vector), set(), 10)
    assert (
        table.similar_by_word("w3") == table.similar_by_key("w3") == table.most_similar("w3") == table.most_similar(3)
    )
    np.testing.assert_allclose(table.most_similar("w3", topn=None), unit @ unit[3], atol=1e-6)


def test_three_cos_mul(table):
    unit = units(table)
    shifted = [(1 + unit @ unit[row]) / 2 for row in (3, 4, 5)]
    scores = shifted[0] * shifted[1] / (shifted[2] + 1e-6)
    rows = ranking(scores, {3, 4, 5}, 10)
    answers = table.most_similar_cosmul(["w3", "w4"], ["w5"])
    assert [word for word, _ in answers] == [f"w{row}" for row in rows]
    np.testing.assert_allclose([score for _, score in answers], scores[rows], rtol=1e-6)
    assert table.analogy("w5", "w3", "w4", method="mul") == answers
    assert table.analogy("w5", "w3", "w4") == table.most_similar(["w3", "w4"], ["w5"])


def test_a_batch_gives_the_same_bits_as_one_by_one(table, monkeypatch):
    words = [f"w{row}" for row in range(0, V, 2)]
    alone = [table.most_similar(word, topn=12) for word in words]
    assert table.most_similar_batch(words, topn=12) == alone
    monkeypatch.setattr(nearest, "_QUERIES", 5)
    monkeypatch.setattr(nearest, "_WIDENED", 64 * D)
    monkeypatch.setattr(nearest, "BLOCK", 13)
    assert table.most_similar_batch(words, topn=12) == alone
    assert [table.most_similar(word, topn=12) for word in words] == alone
    assert table.most_similar_batch([]) == []
    assert [word for word, _ in table.most_similar("w20", topn=7)] == [f"w{row}" for row in range(90, 97)]


def test_a_rising_tide_of_better_words_is_not_lost(monkeypatch):
    """Each block is nearer than the last, so that the limit rises all the time."""
    monkeypatch.setattr(nearest, "_WIDENED", 64 * 2)
    angles = np.linspace(np.pi, 0, 1000)
    table = KeyedVectors.of([f"w{n}" for n in range(1000)], np.stack([np.cos(angles), np.sin(angles)], axis=1))
    answers = table.similar_by_vector(np.array([1.0, 0.0]), topn=70)
    assert [word for word, _ in answers] == [f"w{n}" for n in range(999, 929, -1)]


def test_faint_and_huge_vectors_are_vectors_too():
    plain = made()
    stretched = plain.vectors.copy()
    stretched[::3] *= np.float32(2.0**124)
    stretched[1::3] *= np.float32(2.0**-120)
    table = KeyedVectors.of(plain.words_, stretched)
    with np.errstate(all="raise"):
        for word in ("w1", "w2", "w3"):
            assert dict(table.most_similar(word)) == pytest.approx(dict(plain.most_similar(word)))
            assert table.rank(word, "w50") == plain.rank(word, "w50")


def test_ranks_and_the_odd_one_out(table):
    unit = units(table)
    for one, two in ((0, 5), (20, 95), (7, 110), (3, 3)):
        cosines = np.round(unit @ unit[one], 12)
        closer = [f"w{row}" for row in range(V) if cosines[row] > cosines[two] and row != one]
        assert table.closer_than(f"w{one}", f"w{two}") == closer
        assert table.rank(f"w{one}", f"w{two}") == len(closer) + 1
    chosen = [4, 9, 11, 35]
    centre = unit[chosen].mean(axis=0)
    odd = chosen[int(np.argmin(unit[chosen] @ centre))]
    assert table.doesnt_match([f"w{row}" for row in chosen]) == f"w{odd}"
    assert table.most_similar_to_given("w4", ["w9", "w11"]) == max(
        ["w9", "w11"], key=lambda w: table.similarity("w4", w)
    )


def test_cosines_and_means(table):
    unit, wide = units(table), table.vectors.astype(np.float64)
    assert table.similarity("w1", "w2") == pytest.approx(unit[1] @ unit[2], abs=1e-12)
    assert table.distance("w1", "w2") == pytest.approx(1 - unit[1] @ unit[2], abs=1e-12)
    np.testing.assert_allclose(table.distances("w1"), 1 - unit @ unit[1], atol=1e-6)
    np.testing.assert_allclose(table.distances("w1", ["w2", "w110"]), [1 - unit[1] @ unit[2], 1], atol=1e-6)
    one, two = wide[[1, 2]].mean(axis=0), wide[[3, 4, 5]].mean(axis=0)
    expected = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    assert table.n_similarity(["w1", "w2"], ["w3", "w4", "w5"]) == pytest.approx(expected, abs=1e-9)
    mean = (2 * unit[1] - unit[2]) / 3
    np.testing.assert_allclose(table.get_mean_vector(["w1", "nowhere", "w2"], [2, 9, -1]), mean, atol=1e-6)
    plain = table.get_mean_vector(["w1", "w2"], pre_normalize=False, post_normalize=True)
    np.testing.assert_allclose(plain, one / np.linalg.norm(one), atol=1e-6)
    assert not table.get_mean_vector(["nowhere"]).any()
    with pytest.raises(UnknownWordError):
        table.get_mean_vector(["w1", "nowhere"], ignore_missing=False)
    np.testing.assert_allclose(table.cosine_similarities(wide[1], wide[:9]), unit[:9] @ unit[1], atol=1e-6)


# ---- the table ------------------------------------------------------------------------------------------------------


def test_the_table(table):
    assert len(table) == V
    assert table.vector_size == D
    assert table
    assert "w5" in table
    assert "nowhere" not in table
    assert table.index_to_key[5] == "w5"
    assert table.key_to_index["w5"] == 5
    assert list(table)[:2] == ["w0", "w1"]
    assert table.get_vecattr("w5", "count") == V - 5
    np.testing.assert_array_equal(table["w5"], table.vectors[5])
    np.testing.assert_array_equal(table[["w5", "w9"]], table.vectors[[5, 9]])
    np.testing.assert_array_equal(table.transform(np.array(["w5", "w9"])), table.vectors[[5, 9]])
    assert table.transform([]).shape == (0, D)
    assert np.linalg.norm(table.get_vector("w5", norm=True)) == pytest.approx(1)
    assert table["w5"].dtype == table.vectors.dtype == np.float32
    assert (table.get_index("w5"), table.get_index("nowhere", -1), table.has_index_for("nowhere")) == (5, -1, False)


@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table["nowhere"],
        lambda table: table.most_similar("nowhere"),
        lambda table: table.most_similar_batch(["w1", "nowhere"]),
        lambda table: table.similarity("w1", "nowhere"),
        lambda table: table.doesnt_match(["w1", "nowhere"]),
        lambda table: table.rank("w1", "nowhere"),
        lambda table: table.get_vecattr("nowhere", "count"),
        lambda table: table[V],
        lambda table: table.transform(["w1", "nowhere"]),
    ],
)
def test_an_unknown_word_is_named(ask):
    with pytest.raises(UnknownWordError) as caught:
        ask(made())
    assert caught.value.code == "unknown-word"
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, KeyError)


def test_the_nearest_known_words_are_named():
    words = ["the", "king", "queen", "kingdom", "北京", "北京市", "BMW", *(f"filler{n}" for n in range(5000))]
    table = KeyedVectors.of(words, np.ones((len(words), 2)))
    for asked, meant in (
        ("kingdoom", "'kingdom'"),
        ("kign", "'king'"),
        ("King", "'king'"),
        ("bmw", "'BMW'"),
        ("北京城", "'北京'"),
    ):
        with pytest.raises(KeyError) as caught:
            table.vector_of(asked)
        assert meant in caught.value.help
        assert meant in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.help, again.code) == (caught.value.help, "unknown-word")
    with pytest.raises(KeyError) as caught:
        table["\x1b[31m"]
    assert "\x1b" not in str(caught.value)


def test_naming_them_is_quick_for_a_large_vocabulary():
    generator = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlu"))
    words = list(dict.fromkeys("".join(row) for row in letters[generator.integers(0, 12, size=(400_000, 7))]))
    error = UnknownWordError("x" * 3 + "etaoins" * 3, words, {})
    start = time.perf_counter()
    assert error.help
    assert UnknownWordError("etaoinsh", words, {}).help
    assert time.perf_counter() - start < 2  # 0.1 s each on a machine with nothing else to do


@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table.doesnt_match("w1 w2"),
        lambda table: table.transform("w1"),
        lambda table: table.most_similar_batch("w1"),
        lambda table: table.wmdistance("w1", ["w2"]),
        lambda table: table.most_similar(),
        lambda table: table.most_similar([]),
        lambda table: table.most_similar("w1", topn=-1),
        lambda table: table.most_similar("w1", restrict_vocab=2.5),
        lambda table: table.most_similar(np.zeros(D + 1)),
        lambda table: table.most_similar(np.full(D, np.nan)),
        lambda table: table.most_similar("w1", index=True),
        lambda table: table.get_vecattr("w1", "colour"),
        lambda table: table.analogy("w1", "w2", "w3", method="div"),
        lambda table: table.get_mean_vector(["w1"], [1, 2]),
        lambda table: table.project(method="umap"),
        lambda table: table.doesnt_match([]),
    ],
)
def test_wrong_questions(ask):
    with pytest.raises(UsageError) as caught:
        ask(made())
    assert caught.value.code != "unknown-word"


def test_a_copy_answers_alike():
    table = made("int8")
    before = table.most_similar("w1")
    for copied in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert copied.most_similar("w1") == before
    assert b"_cache" not in pickle.dumps(table)


def test_what_was_worked_out_is_forgotten_with_the_matrix():
    table = made()
    before = table.most_similar("w1")
    table.vectors_ = table.vectors_[::-1].copy()
    assert table.most_similar("w1") != before
    table.words_ = [f"v{number}" for number in range(V)]
    assert "v1" in table
    assert "w1" not in table
    table.vectors_[:] = np.eye(V, D)
    table._vectors_changed()
    assert table.similarity("v0", "v0") == 1.0
    assert table.most_similar("v0", topn=1)[0][1] == 0.0


# ---- documents, maps, index -----------------------------------------------------------------------------------------


def all_routes(first, second, apart):
    """The linear program as the paper writes it, words of both documents and all."""
    from scipy.optimize import linprog

    one, two = sorted(set(first)), sorted(set(second))
    rules, totals = [], []
    for word in one:
        rules.append([float(a == word) for a in one for _ in two])
        totals.append(first.count(word) / len(first))
    for word in two[:-1]:
        rules.append([float(b == word) for _ in one for b in two])
        totals.append(second.count(word) / len(second))
    costs = [apart[a, b] for a in one for b in two]
    return linprog(costs, A_eq=np.array(rules), b_eq=totals).fun


def test_word_movers_distance_is_the_paper_s():
    table = made()
    generator = np.random.default_rng(5)
    unit = units(table)
    for norm, points in ((True, unit), (False, table.vectors.astype(float))):
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        for size in (1, 3, 5, 8):
            first = generator.integers(0, 40, size=size).tolist()
            second = generator.integers(0, 40, size=8).tolist()
            found = table.wmdistance([f"w{n}" for n in first], [f"w{n}" for n in second], norm=norm)
            assert found == pytest.approx(all_routes(first, second, apart), abs=1e-6)
            back = table.wmdistance([f"w{n}" for n in second], [f"w{n}" for n in first], norm=norm)
            assert found == pytest.approx(back, abs=1e-6)
    assert table.wmdistance(["w1", "w2"], ["w2", "w1", "nowhere"]) == 0.0
    assert table.wmdistance(["nowhere"], ["w1"]) == float("inf")


def test_word_movers_distance_has_a_limit(monkeypatch):
    monkeypatch.setattr(word_movers, "MOST_ROUTES", 5)
    with pytest.raises(UsageError, match="too many"):
        made().wmdistance(["w1", "w2", "w3"], ["w4", "w5", "w6"])


def test_principal_components():
    from sklearn.decomposition import PCA

    table = made()
    words = [f"w{row}" for row in range(40)]
    plane = table.project(words)
    fitted = PCA(n_components=2, svd_solver="full").fit(table.transform(words).astype(np.float64))
    np.testing.assert_allclose(np.abs(plane.points), np.abs(fitted.transform(table.transform(words))), atol=1e-6)
    np.testing.assert_allclose(plane.share, fitted.explained_variance_ratio_, atol=1e-6)
    flipped = KeyedVectors.of(table.words_, table.vectors * np.float32(2.0))
    np.testing.assert_allclose(flipped.project(words).points, 2 * plane.points, atol=1e-5)
    assert table.project().points.shape == (V, 2)
    alone = table.project(["w1"])
    assert not alone.points.any()
    assert not alone.share.any()


def test_t_sne_where_it_is_installed():
    pytest.importorskip("openTSNE")
    plane = made().project([f"w{row}" for row in range(12)], method="tsne")
    assert plane.points.shape == (12, 2)
    assert plane.share is None


def test_index_and_its_recall():
    pytest.importorskip("usearch")
    table = made()
    built = table.build_index(sample=50)
    assert built.sample == 50
    assert built.recall > 0.9
    exact, quick = table.most_similar(["w1", "w2"], ["w3"]), table.most_similar(["w1", "w2"], ["w3"], index=True)
    assert len({word for word, _ in quick} & {word for word, _ in exact}) >= 8
    assert not {"w1", "w2", "w3"} & {word for word, _ in quick}
    again = made()
    assert again.build_index(sample=50).recall == built.recall
    assert again.most_similar(["w1", "w2"], ["w3"], index=True) == quick
    assert [score for _, score in quick] == sorted((score for _, score in quick), reverse=True)
    assert dict(quick).items() >= {item for item in exact if item[0] in dict(quick)}
    table.vectors_ = table.vectors_.copy()
    with pytest.raises(UsageError, match="no index"):
        table.most_similar("w1", index=True)


@pytest.mark.parametrize("orthogonal", [True, False])
def test_a_rotation_of_the_space_is_found_from_pairs(orthogonal):
    here = made()
    generator = np.random.default_rng(7)
    turned = here.vectors @ np.linalg.qr(generator.normal(size=(D, D)))[0].astype(np.float32)
    there = KeyedVectors.of([f"v{number}" for number in range(V)], turned * generator.uniform(1, 2, (V, 1)))
    pairs = [(f"w{number}", f"v{number}") for number in range(30)]
    found = here.translation_to(there, [*pairs, ("nowhere", "v3")], orthogonal=orthogonal)
    assert found.pairs == 30
    assert [answers[0][0] for answers in found.translate(["w50", "w60", "w70"])] == ["v50", "v60", "v70"]
    np.testing.assert_allclose(found.matrix @ found.matrix.T, np.eye(D), atol=1e-5)
    with pytest.raises(DataError, match="pair"):
        here.translation_to(there, [("nowhere", "v3")])


def test_a_translation_between_widths():
    here, there = made(), KeyedVectors.of(["a", "b", "c"], np.eye(3, 9))
    found = here.translation_to(there, [("w1", "a"), ("w2", "b"), ("w3", "c")], orthogonal=False)
    assert found.matrix.shape == (D, 9)
    assert [answers[0][0] for answers in found.translate(["w1", "w2", "w3"], topn=1)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("module", "ask"),
    [
        ("usearch.index", lambda table: table.build_index()),
        ("openTSNE", lambda table: table.project(method="tsne")),
    ],
)
def test_a_missing_extra_is_told_with_the_command_that_brings_it(monkeypatch, module, ask):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ResourceError, match="not installed") as caught:
        ask(made())
    assert caught.value.help.startswith("pip install")


# ---- in gensim's form -----------------------------------------------------------------------------------------------


def test_evaluation_in_gensims_form(tmp_path):
    questions = bundled_analogies("en")[:300]
    words = list(dict.fromkeys(word.lower() for question in questions for word in question[2:]))
    table = KeyedVectors.of(words, np.random.default_rng(1).normal(size=(len(words), 3)))
    path = tmp_path / "q.txt"
    path.write_text(
        ": one\n"
        + "".join(" ".join(question[2:]) + "\n" for question in questions)
        + ": two\nAthens Greece Oslo Nowhere\n",
        encoding="utf-8",
    )
    for method, ask in (("most_similar", table.most_similar), ("most_similar_cosmul", table.most_similar_cosmul)):
        accuracy, sections = table.evaluate_word_analogies(path, similarity_function=method)
        right = [
            question[2:]
            for question in questions
            if ask([question.b.lower(), question.c.lower()], [question.a.lower()], 1)[0][0] == question.d.lower()
        ]
        assert [section["section"] for section in sections] == ["one", "two", "Total accuracy"]
        assert sections[-1]["correct"] == [tuple(word.upper() for word in four) for four in right]
        assert accuracy == pytest.approx(len(right) / 300)
    assert right
    strict, _ = table.evaluate_word_analogies(path, dummy4unknown=True)
    assert strict < table.evaluate_word_analogies(path)[0]
    with pytest.raises(UsageError, match="most_similar"):
        table.evaluate_word_analogies(path, similarity_function="nearest")


def test_pairs_in_gensims_form(tmp_path):
    from scipy import stats

    table = made()
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"W{n}\tw{n + 1}\t{n % 4}\n" for n in range(30)) + "w1\tnowhere\t3\n", encoding="utf-8")
    linear, ranked, unknown = table.evaluate_word_pairs(path)
    cosines = [table.similarity(f"w{n}", f"w{n + 1}") for n in range(30)]
    judged = [n % 4 for n in range(30)]
    assert linear == pytest.approx(tuple(stats.pearsonr(judged, cosines)))
    assert ranked == pytest.approx(tuple(stats.spearmanr(judged, cosines)))
    assert unknown == pytest.approx(100 / 31)
    _, zero, _ = table.evaluate_word_pairs(path, dummy4unknown=True)
    assert zero == pytest.approx(tuple(stats.spearmanr([*judged, 3], [*cosines, 0.0])))
