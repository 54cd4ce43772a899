"""Word vectors are scored by the definitions: Spearman as SciPy has it, analogies as a plain loop finds them."""

from __future__ import annotations

import gzip
import time

import numpy as np
import pytest

from erya.errors import DataError, UsageError
from erya.scoring import bootstrap
from erya.tasks import vectors
from erya.tasks._analogies import solve
from erya.tasks.vectors import Pair, Question


class Table:
    """The least that scoring asks for."""

    def __init__(self, words, matrix, parts=None):
        self.words_, self.matrix, self.parts = list(words), np.asarray(matrix, dtype=np.float32), parts or {}

    def rows(self, ids):
        return self.matrix[ids]

    def vector_of(self, word):
        return self.parts[word] if word in self.parts else self.matrix[self.words_.index(word)]

    def __contains__(self, word):
        return word in self.parts or word in self.words_


def table(words, width=7, seed=0):
    return Table(words, np.random.default_rng(seed).normal(size=(len(words), width)))


# ---- files ----------------------------------------------------------------------------------------------------------


def test_reads_pairs_with_header_comments_and_packed(tmp_path):
    text = "word1\tword2\tscore\n# judged 2002\ntiger\tcat\t7.35\textra\r\n\n 老虎\t老虎\t4.9\n"
    plain, packed = tmp_path / "set.tsv", tmp_path / "set.tsv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    assert vectors.read_pairs(plain) == [Pair("tiger", "cat", 7.35), Pair("老虎", "老虎", 4.9)]
    assert vectors.read_pairs(packed) == vectors.read_pairs(plain)
    assert vectors.set_name(packed) == "set"


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"a\tb\t1\na\tb\n", "bad-line", "s.tsv:2"),
        (b"a\tb\t1\na\tb\tnan\n", "bad-line", "s.tsv:2"),
        (b"a\tb\t1\n\xff\tb\t2\n", "bad-encoding", "s.tsv:2"),
        (b"a b 1\n", "bad-line", "s.tsv:1"),
        (b"a\tb\t1\n" + b"x" * 20_000 + b"\n", "not-a-word-list", "s.tsv:2"),
        (b"", "empty-file", None),
        (b"word1\tword2\tscore\n", "empty-file", None),
    ],
)
def test_refuses_bad_pairs_and_says_where(tmp_path, content, code, place):
    path = tmp_path / "s.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        vectors.read_pairs(path)
    assert caught.value.code == code
    assert place is None or caught.value.where == place
    assert caught.value.help


def test_reads_analogies_and_their_groups(tmp_path):
    path = tmp_path / "q.txt"
    path.write_text(": family\nboy girl king queen\n: gram1-plural\ncat cats dog dogs\n", encoding="utf-8")
    assert vectors.read_analogies(path) == [
        Question("semantic", "family", "boy", "girl", "king", "queen"),
        Question("syntactic", "gram1-plural", "cat", "cats", "dog", "dogs"),
    ]
    path.write_text(": family\nboy girl king\n", encoding="utf-8")
    with pytest.raises(DataError, match="has 3") as caught:
        vectors.read_analogies(path)
    assert caught.value.where == "q.txt:2"
    with pytest.raises(DataError, match="no file"):
        vectors.read_analogies(tmp_path / "none.txt")


def test_bundled_questions():
    english, chinese = vectors.bundled_analogies("en"), vectors.bundled_analogies("zh")
    assert len(english) == 19_544
    assert len({question.section for question in english}) == 14
    assert sum(question.group == "semantic" for question in english) == 8_869
    groups = [question.group for question in chinese]
    assert [groups.count(name) for name in ("morphological", "semantic", "translated")] == [10_177, 7_636, 953]
    with pytest.raises(UsageError, match="fr"):
        vectors.bundled_analogies("fr")


# ---- similarity -----------------------------------------------------------------------------------------------------


def test_spearman_is_scipys_with_ties_and_on_resamples():
    from scipy import stats

    generator = np.random.default_rng(0)
    first = generator.integers(0, 9, size=211).astype(float)
    second = first + generator.normal(size=211).round(1) * 4
    measure = vectors.spearman_measure(first, second)
    for rows in (np.arange(211), *generator.integers(0, 211, size=(20, 211))):
        assert measure(rows) == pytest.approx(stats.spearmanr(first[rows], second[rows]).statistic, abs=1e-12)
    assert vectors.spearman_measure(np.ones(5), np.arange(5.0))(np.arange(5)) == 0.0


def test_similarity_counts_unknown_words():
    words = [f"w{number}" for number in range(30)]
    known = table(words)
    generator = np.random.default_rng(1)
    pairs = [Pair(words[a], words[b], float(s)) for a, b, s in zip(*generator.integers(0, 30, (3, 50)), strict=True)]
    score = vectors.similarity_score(known, pairs, name="s")
    assert (score.pairs, score.known, score.missing) == (50, 50, ())
    assert score.spearman == score.spearman_all
    more = [*pairs, Pair("w1", "nowhere", 9.0), Pair("gone", "nowhere", 1.0)]
    lossy = vectors.similarity_score(known, more, name="s")
    assert (lossy.pairs, lossy.known, lossy.missing) == (52, 50, ("nowhere", "gone"))
    assert lossy.spearman.value == pytest.approx(score.spearman.value)
    assert lossy.spearman_all.value != pytest.approx(score.spearman.value)
    assert lossy.spearman_all.low <= lossy.spearman_all.value <= lossy.spearman_all.high
    assert lossy.to_plain()["missing"] == ["nowhere", "gone"]
    nothing = vectors.similarity_score(known, more[-1:])
    assert nothing.spearman is None
    assert nothing.spearman_all.value == 0.0


def test_similarity_takes_the_most_frequent_case_and_built_words():
    known = Table(["Apple", "apple", "pear"], [[1, 0], [0, 1], [1, 0.1]], parts={"pears": np.array([0, 1.0])})
    pairs = [Pair("APPLE", "pear", 2.0), Pair("pear", "pears", 1.0), Pair("apple", "pears", 0.0)]
    folded = vectors.similarity_score(known, pairs)
    assert folded.known == 3
    assert folded.spearman.value == pytest.approx(1.0)  # Apple, the more frequent, lies beside pear
    exact = vectors.similarity_score(known, pairs, case_insensitive=False)
    assert exact.missing == ("APPLE",)
    assert vectors.similarity_score(known, pairs, restrict=2).missing == ("pear", "pears")


def test_spearman_intervals_are_fast():
    words = [f"w{number}" for number in range(500)]
    generator = np.random.default_rng(2)
    pairs = [Pair(words[a], words[b], float(a % 7)) for a, b in generator.integers(0, 500, (3000, 2))]
    start = time.perf_counter()
    vectors.similarity_score(table(words), pairs)
    assert time.perf_counter() - start < 5  # 0.2 s on a machine with nothing else to do


# ---- analogies ------------------------------------------------------------------------------------------------------


def by_a_loop(words, matrix, questions, method, restrict):
    """word2vec's compute-accuracy, written as it is defined."""
    words, matrix = words[:restrict], matrix[:restrict].astype(np.float64)
    unit = matrix / np.linalg.norm(matrix, axis=1)[:, None]
    first = {word.upper(): row for row, word in reversed(list(enumerate(words)))}
    answers = []
    for question in questions:
        forms = [word.upper() for word in question[2:]]
        if any(form not in first for form in forms):
            answers.append(None)
            continue
        a, b, c = (unit[first[form]] for form in forms[:3])
        if method == "add":
            scores = unit @ (b - a + c)
        else:
            scores = (1 + unit @ b) / 2 * (1 + unit @ c) / 2 / ((1 + unit @ a) / 2 + 1e-6)
        for row, word in enumerate(words):
            if word.upper() in forms[:3]:
                scores[row] = -np.inf
        answers.append(words[int(scores.argmax())].upper() == forms[3])
    return answers


@pytest.fixture(scope="module")
def world():
    """613 words – some in two cases – in which b − a + c is often, not always, near d; 900 questions, some unknown."""
    generator = np.random.default_rng(3)
    stems = [f"s{number}" for number in range(300)]
    base, shift = generator.normal(size=(300, 23)), generator.normal(size=23)
    words, rows = [], []
    for stem, vector in zip(stems, base, strict=True):
        words += [stem, f"{stem}es"]
        rows += [vector, vector + 0.6 * shift + generator.normal(size=23) * 0.75]
    words += [f"S{number}" for number in range(13)]
    rows += list(base[:13] + generator.normal(size=(13, 23)) * 0.3)
    order = generator.permutation(len(words))
    words, matrix = [words[row] for row in order], np.array(rows, dtype=np.float32)[order]
    questions = []
    for number, (one, two) in enumerate(generator.integers(0, 320, size=(900, 2)).tolist()):
        questions.append(Question("syntactic", f"part{number % 3}", f"s{one}", f"S{one}es", f"s{two}", f"s{two}es"))
    return Table(words, matrix), questions


@pytest.mark.parametrize("restrict", [None, 400])
def test_analogies_are_those_of_a_loop(world, restrict):
    known, questions = world
    solved = solve(known, questions, restrict=restrict)
    for method in ("add", "mul"):
        expected = by_a_loop(known.words_, known.matrix, questions, method, restrict)
        assert solved.known.tolist() == [answer is not None for answer in expected]
        assert solved.right[method].tolist() == [bool(answer) for answer in expected]
        assert 0.2 < solved.right[method].sum() / solved.known.sum() < 0.95


def test_analogies_by_section_with_unknown_ones_apart(world):
    known, questions = world
    report = vectors.analogy_scores(known, questions, restrict=None)["add"]
    assert [section.name for section in report.sections] == ["part0", "part1", "part2"]
    for field in ("asked", "known", "right"):
        assert sum(getattr(section, field) for section in report.sections) == getattr(report.total, field)
    assert report.total.asked == 900 > report.total.known
    assert report.total.accuracy.value == pytest.approx(report.total.right / report.total.known)
    assert report.total.accuracy_all.value == pytest.approx(report.total.right / 900)
    assert [group.name for group in report.groups] == ["syntactic"]
    assert report.to_plain()["total"]["asked"] == 900
    strange = vectors.analogy_scores(table(["x", "y"]), questions)["mul"].total
    assert (strange.accuracy, strange.known, strange.accuracy_all.value) == (None, 0, 0.0)


def test_case_counts_where_asked(world):
    known, questions = world
    solved = solve(known, questions, case_insensitive=False)
    assert not solved.known.any()  # every question has a word in a case that the table does not have


def test_the_interval_is_the_bootstraps(world):
    known, questions = world
    score = vectors.analogy_scores(known, questions, restrict=None, resamples=20_000)["add"].total
    hits = np.zeros(score.known)
    hits[: int(score.right)] = 1
    plain = bootstrap({"a": lambda rows: float(hits[rows].mean())}, len(hits), resamples=20_000)["a"]
    assert score.accuracy.value == pytest.approx(plain.value)
    assert score.accuracy.low == pytest.approx(plain.low, abs=2e-3)
    assert score.accuracy.high == pytest.approx(plain.high, abs=2e-3)


def test_scores_of_one_model_and_the_mean_of_several(world):
    known, questions = world
    pairs = [Pair(known.words_[row], known.words_[row + 1], float(row % 5)) for row in range(60)]
    other = Table(known.words_, known.matrix + np.random.default_rng(4).normal(size=known.matrix.shape))
    sets = {"s": pairs, "lossy": [*pairs, Pair("nowhere", "s1", 3.0)]}
    one, two, both = (
        vectors.scores(models, similarity=sets, analogies=questions) for models in (known, [other], [known, other])
    )
    assert list(one) == [
        "analogy_accuracy",
        "analogy_accuracy_mul",
        "spearman_s",
        "spearman_lossy",
        "spearman_lossy_all",
    ]
    for name, score in both.items():
        assert score.value == pytest.approx((one[name].value + two[name].value) / 2)
        assert score.low <= score.value <= score.high
    assert vectors.scores(known, analogies=questions) == vectors.scores(known, analogies=questions)
    assert vectors.scores(table(["x", "y"])) == {}
    with pytest.raises(DataError, match="nothing to score"):
        vectors.analogy_scores(known, [])


def test_the_language_follows_the_words():
    assert vectors.language_of(table(["the", "of", "中"])) == "en"
    assert vectors.language_of(table(["的", "北京", "the"])) == "zh"


# ---- what scikit-learn and the battery ask --------------------------------------------------------------------------


def test_toy_tells_vectors_that_learned_from_those_that_did_not():
    texts, targets = vectors.toy(seed=1)
    assert targets is None
    assert vectors.toy(seed=1)[0] == texts != vectors.toy(seed=2)[0]
    words = sorted({word for text in texts for word in text.split()})
    number = {word: row for row, word in enumerate(words)}
    together = np.zeros((len(words), len(words)))
    for text in texts:
        rows = [number[word] for word in text.split()]
        together[np.ix_(rows, rows)] += 1
    assert vectors.toy_check(Table(words, together)) > 0
    assert vectors.toy_check(table(words)) < 0


def test_tags_and_headline():
    tags = vectors.sklearn_tags()
    assert tags.transformer_tags is not None
    assert not tags.target_tags.required
    assert vectors.headline(["queen", "dogs"], ["queen", "cats"]) == 0.5
    assert vectors.headline(["queen", "dogs"], ["queen", "cats"], [3, 1]) == 0.75
    assert vectors.HEADLINE in vectors.SCORE_NAMES


def test_measured_sets_are_readable(shared_data):
    for path in sorted((shared_data / "word_similarity").glob("*/*.tsv")):
        assert len(vectors.read_pairs(path)) >= 30
