"""Questions to word vectors, with the names that gensim's users know: neighbours, analogies, odd ones out.

A class that has ``words_``, ``counts_`` and ``vectors_`` becomes askable by inheriting ``WordQueries``. Answers are
exact, come from NumPy alone, and in blocks, so that a matrix in float16 or int8, or one that is mapped from a file, is
never widened or copied whole. Written from the definitions in the papers; of equally near words the one with the
smaller row comes first, alone or in a batch.

Not here: how the vectors came about, and how they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.parts import nearest
from erya.parts.nearest import Doubles, Ids
from erya.parts.word_table import Floats, Key, Wish, WordTable, listed
from erya.progress import Report, quiet

if TYPE_CHECKING:
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.parts.nearest_index import NearestIndex
    from erya.parts.projection import Plane
    from erya.parts.translation import Translation

Answers = list[tuple[str, float]]

EPSILON = 1e-6  # keeps 3CosMul's denominator from 0


class WordQueries(WordTable):
    """What can be asked of V word vectors of width D.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen; None where unknown.
        vectors_: (V, D) as stored.
    """

    _index_cache: tuple[NDArray[Any], NearestIndex] | None = None  # and the matrix that it is of

    # ---- neighbours ---------------------------------------------------------------------------------------------

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
        *,
        index: bool = False,
    ) -> Any:
        """The words nearest to Σ positive − Σ negative, by cosine (3CosAdd: Mikolov, Yih and Zweig 2013).

        Args:
            positive: a word, a vector, or a list of words, vectors and (either, weight). Words count at length 1,
                vectors as they are.
            negative: likewise; their weight is −1 unless given.
            topn: how many; None: the cosines (V,) of all words.
            restrict_vocab: only the first, most frequent so many words.
            index: ask the index that ``build_index`` made: approximate, far faster beyond 250,000 words. Not used
                together with ``restrict_vocab``.

        Returns:
            (word, cosine), the nearest first; without the words that were asked.
        """
        target, given = self._target(positive, negative)
        size = self._size(restrict_vocab)
        if topn is None:
            return nearest.cosines(self.rows, self._inverse, target, size).astype(np.float32)
        if index and restrict_vocab is None:
            return self._indexed(target, given, _whole("topn", topn))
        return self._search(target[None], [given], _whole("topn", topn), size)[0]

    def most_similar_batch(
        self, words: Sequence[Wish], topn: int = 10, restrict_vocab: int | None = None
    ) -> list[Answers]:
        """``most_similar`` of each word or vector, from one product of matrices a block: the same answers, sooner."""
        found = [self._target(word, None) for word in listed(words)]
        if not found:
            return []
        targets = np.stack([target for target, _ in found])
        return self._search(targets, [given for _, given in found], _whole("topn", topn), self._size(restrict_vocab))

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The words nearest to a word."""
        return self.most_similar([word], None, topn, restrict_vocab)

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The words nearest to a word."""
        return self.most_similar([key], None, topn, restrict_vocab)

    def similar_by_vector(self, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The words nearest to a vector (D,)."""
        return self.most_similar([np.asarray(vector)], None, topn, restrict_vocab)

    def analogy(self, a: Wish, b: Wish, c: Wish, topn: int = 10, *, method: str = "add") -> Answers:
        """What c is to, as a is to b: ``analogy("man", "king", "woman")``.

        Args:
            a, b, c: words or vectors.
            topn: how many answers.
            method: "add": nearest to b − a + c (3CosAdd); "mul": 3CosMul.
        """
        if method not in ("add", "mul"):
            raise UsageError(
                "bad-setting",
                say(
                    f"method={quoted(method, 20)}: 'add' or 'mul'", f"method={quoted(method, 20)}：应为 'add' 或 'mul'"
                ),
            )
        ask = self.most_similar if method == "add" else self.most_similar_cosmul
        answers: Answers = ask([b, c], [a], topn)
        return answers

    def most_similar_cosmul(
        self, positive: Any = None, negative: Any = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The words x with the largest Π (1 + cos(x, positive))/2 ÷ (Π (1 + cos(x, negative))/2 + ε).

        3CosMul: Levy and Goldberg 2014, equation 4. Arguments as in ``most_similar``, without weights; ε is 10⁻⁶.
        """
        sides = [[self._resolved(wish) for wish in _wishes(some)] for some in (positive, negative)]
        if not any(sides):
            raise _nothing_asked()
        size = self._size(restrict_vocab)
        above, below = np.ones(size), np.ones(size)
        for side, product in zip(sides, (above, below), strict=True):
            for vector, _ in side:
                product *= (1 + nearest.cosines(self.rows, self._inverse, nearest.unit(vector), size)) / 2
        scores = above / (below + EPSILON)
        if topn is None:
            return scores.astype(np.float32)
        given = np.array([row for side in sides for _, row in side], dtype=np.int64)
        ids = np.setdiff1d(np.arange(size), given)
        return self._named(*nearest.best(ids, scores[ids], _whole("topn", topn)))

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """The one of ``keys_list`` that is nearest to ``key1``; of equals the first."""
        keys = listed(keys_list)
        if not keys:
            raise _nothing_asked()
        return keys[int(np.argmax([self.similarity(key1, key) for key in keys]))]

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """All words that are nearer to ``key1`` than ``key2`` is, by row."""
        cosines = nearest.cosines(self.rows, self._inverse, self._unit(key1), len(self.words_))
        own, other = self.get_index(key1, -1), self.get_index(key2, -1)
        closer = np.flatnonzero(cosines > (cosines[other] if other >= 0 else self.similarity(key1, key2)))
        return [self.words_[row] for row in closer.tolist() if row != own]

    def rank(self, key1: Key, key2: Key) -> int:
        """The place of ``key2`` among the neighbours of ``key1``; 1 is the nearest."""
        return len(self.closer_than(key1, key2)) + 1

    # ---- how near -----------------------------------------------------------------------------------------------

    def similarity(self, w1: Key, w2: Key) -> float:
        """The cosine of two words."""
        return float(np.clip(self._unit(w1) @ self._unit(w2), -1, 1))

    def distance(self, w1: Key, w2: Key) -> float:
        """1 − the cosine of two words."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Wish, other_words: Sequence[Key] = ()) -> Floats:
        """(n,) 1 − the cosines of a word or vector with these words; with all (V,) where none are given."""
        target = self._unit(word_or_vector)
        if len(other_words):
            return np.array([1 - float(self._unit(word) @ target) for word in listed(other_words)], dtype=np.float32)
        return (1 - nearest.cosines(self.rows, self._inverse, target, len(self.words_))).astype(np.float32)

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """The cosine of the mean vectors of two sets of words. Unknown words are an error."""
        means = [self._mean(listed(words), None, False, False) for words in (ws1, ws2)]
        return float(np.clip(nearest.unit(means[0]) @ nearest.unit(means[1]), -1, 1))

    @staticmethod
    def cosine_similarities(vector_1: NDArray[Any], vectors_all: NDArray[Any]) -> Floats:
        """(n,) the cosines of one vector (D,) with others (n, D)."""
        others = np.asarray(vectors_all, dtype=np.float64)
        shrink = nearest.inverse(np.sqrt(np.einsum("nd,nd->n", others, others)))
        return np.asarray(others @ nearest.unit(vector_1) * shrink, dtype=np.float32)

    def doesnt_match(self, words: Sequence[Key]) -> Key:
        """The word that is farthest, by cosine, from the mean of all these words' unit vectors; of equals the first."""
        keys = listed(words)
        if not keys:
            raise _nothing_asked()
        units = np.stack([self._unit(key) for key in keys])
        return keys[int(np.argmin(units @ nearest.unit(units.mean(axis=0))))]

    def wmdistance(self, document1: Sequence[str], document2: Sequence[str], norm: bool = True) -> float:
        """Word Mover's Distance of two lists of words (Kusner et al. 2015), exact.

        Args:
            document1: words; unknown ones are left out, as the paper does. Nothing left: infinity.
            document2: likewise.
            norm: take vectors at length 1.

        Raises:
            UsageError: a bare string, or too many distinct words.
        """
        from erya.parts.word_movers import distance

        documents = [[word for word in listed(words) if word in self] for words in (document1, document2)]
        if not all(documents):
            return float("inf")
        distinct = list(dict.fromkeys(word for document in documents for word in document))
        number = {word: place for place, word in enumerate(distinct)}
        vectors = np.stack([self._unit(word) if norm else self.vector_of(word).astype(np.float64) for word in distinct])
        first, second = ([number[word] for word in document] for document in documents)
        return distance(first, second, vectors)

    # ---- many words ---------------------------------------------------------------------------------------------

    def project(self, words: Sequence[Key] | None = None, *, method: str = "pca", seed: int = 0) -> Plane:
        """Words as points of the plane.

        Args:
            words: which; None: the 200 most frequent.
            method: "pca" (principal components, with each axis' share of the variance) or "tsne" (needs openTSNE).
            seed: for t-SNE.
        """
        from erya.parts import projection

        vectors = self.transform(self.words_[:200] if words is None else words)
        if not len(vectors):
            raise _nothing_asked()
        ways = {
            "pca": lambda: projection.principal(vectors),
            "tsne": lambda: projection.neighbourly(vectors, seed=seed),
        }
        plane: Plane = _one_of("method", method, ways)()
        return plane

    def build_index(
        self, *, sample: int = 1000, seed: int = 0, threads: int = 1, report: Report = quiet
    ) -> NearestIndex:
        """Build an approximate index for ``most_similar(…, index=True)``; worth it beyond 250,000 words.

        Args:
            sample: words on which its recall is measured.
            seed: which words.
            threads: with one, the same vectors give the same index; more are sooner done, and differ every time.
            report: told about the progress and the recall.

        Returns:
            the index; its ``recall`` was measured on ``sample`` words.

        Raises:
            ResourceError: usearch is not installed.
        """
        from erya.parts.nearest_index import build

        built = build(
            self.rows, self._inverse, len(self.words_), sample=sample, seed=seed, threads=threads, report=report
        )
        self._index_cache = self.vectors_, built
        return built

    def translation_to(
        self, target: WordQueries, pairs: Sequence[tuple[str, str]], *, orthogonal: bool = True
    ) -> Translation:
        """A linear map from these vectors to another table's, learned from pairs of words that mean the same.

        Args:
            target: vectors of another language, or of another training.
            pairs: (word here, word there); those that one side does not know are left out.
            orthogonal: a rotation (Xing et al. 2015); False: least squares (Mikolov, Le and Sutskever 2013).

        Raises:
            DataError: not one pair is known.
        """
        from erya.parts.translation import learn

        return learn(self, target, pairs, orthogonal=orthogonal)

    def quantized(self, storage: str = "int8") -> KeyedVectors:
        """These vectors in "float32", "float16" or "int8": a half, or a quarter, of the size."""
        from erya.parts.keyed_vectors import KeyedVectors

        return KeyedVectors.of(self.words_, self.vectors, self.counts_, storage=storage)

    # ---- scores -------------------------------------------------------------------------------------------------

    def evaluate_word_analogies(
        self,
        analogies: str | Path | None = None,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Accuracy on analogy questions, in gensim's form; ``tasks.vectors.analogy_scores`` gives intervals too.

        Args:
            analogies: a file of questions; None: those that come with Erya for these vectors' language.
            restrict_vocab: only the first so many words.
            case_insensitive: words that differ in case only are one word.
            dummy4unknown: a question with an unknown word is wrong; False: it does not count.
            similarity_function: "most_similar" or "most_similar_cosmul".

        Returns:
            the accuracy, and for each section, the total last, ``{"section", "correct", "incorrect"}`` with the questions.
        """
        from erya.tasks import vectors

        return vectors.gensim_analogies(
            self,
            analogies,
            restrict=restrict_vocab,
            case_insensitive=case_insensitive,
            unknown_is_wrong=dummy4unknown,
            method=_one_of(
                "similarity_function", similarity_function, {"most_similar": "add", "most_similar_cosmul": "mul"}
            ),
        )

    def evaluate_word_pairs(
        self,
        pairs: str | Path,
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """Agreement with people on a similarity set, in gensim's form: (Pearson's r, p), (Spearman's ρ, p), % unknown.

        ``tasks.vectors.similarity_score`` gives intervals too. Files are UTF-8.
        """
        from erya.tasks import vectors

        return vectors.gensim_pairs(
            self,
            vectors.read_pairs(pairs, delimiter),
            restrict=restrict_vocab,
            case_insensitive=case_insensitive,
            unknown_is_zero=dummy4unknown,
        )

    # ---- within -------------------------------------------------------------------------------------------------

    def _size(self, restrict_vocab: int | None) -> int:
        return len(self.words_) if restrict_vocab is None else min(_whole("restrict_vocab", restrict_vocab), len(self))

    def _target(self, positive: Any, negative: Any) -> tuple[Doubles, Ids]:
        """The direction (D,) that was asked for, and the rows of the words that were named."""
        total, given = np.zeros(self.vector_size), []
        asked = [(wish, 1.0) for wish in _wishes(positive)] + [(wish, -1.0) for wish in _wishes(negative)]
        if not asked:
            raise _nothing_asked()
        for wish, sign in asked:
            if isinstance(wish, tuple) and len(wish) == 2:
                wish, sign = wish[0], float(wish[1])
            vector, row = self._resolved(wish)
            total += sign * (vector if isinstance(wish, np.ndarray) else nearest.unit(vector))
            given.append(row)
        return nearest.unit(total), np.array(given, dtype=np.int64)

    def _vectors_changed(self) -> None:
        super()._vectors_changed()
        self._index_cache = None

    def _search(self, targets: Doubles, given: Sequence[Ids], count: int, size: int) -> list[Answers]:
        found = nearest.search(self.rows, self._inverse, targets, count=count, size=size, excluded=given)
        return [self._named(ids, cosines) for ids, cosines in found]

    def _indexed(self, target: Doubles, given: Ids, count: int) -> Answers:
        if self._index_cache is None or self._index_cache[0] is not self.vectors_:
            raise UsageError("no-index", say("there is no index yet", "还没有建立索引"), help="vectors.build_index()")
        ids = np.setdiff1d(self._index_cache[1].candidates(target, count + len(given)), given)
        return self._named(*nearest.best(ids, nearest.rescored(self.rows, self._inverse, target, ids), count))

    def _named(self, ids: Ids, scores: Doubles) -> Answers:
        return [(self.words_[row], score) for row, score in zip(ids.tolist(), scores.tolist(), strict=True)]


def _wishes(some: Any) -> list[Wish]:
    """Words and vectors, of which there may be none or one by itself."""
    if some is None:
        return []
    if isinstance(some, str | int | np.integer) or (isinstance(some, np.ndarray) and some.ndim == 1):
        return [some]
    return list(some)


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise UsageError(
            "bad-setting", say(f"{name}={quoted(value, 20)}: must be ≥ 0", f"{name}={quoted(value, 20)}：应满足 ≥ 0")
        )
    return int(value)


def _one_of(name: str, value: str, choices: dict[str, Any]) -> Any:
    if value not in choices:
        allowed = ", ".join(choices)
        raise UsageError(
            "bad-setting",
            say(f"{name}={quoted(value, 20)}: one of {allowed}", f"{name}={quoted(value, 20)}：应为 {allowed} 之一"),
        )
    return choices[value]


def _nothing_asked() -> UsageError:
    return UsageError("nothing-asked", say("no word was given", "没有给出任何词"), help='most_similar("king")')
