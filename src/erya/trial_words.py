"""A comparison of word vectors: all learn from one corpus, all are asked the same analogies and similarity judgements."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya import catalog
from erya.contestants import Contestant, write_json
from erya.errors import UsageError
from erya.language import say
from erya.run_corpus import Corpus, read_corpus
from erya.scoring import Score, holm, paired
from erya.tasks import vectors
from erya.tasks._analogies import solve

QUERIES = 200  # words whose neighbours are asked for, to time it
METHOD = "add"


class WordsTrial:
    """One corpus; bundled analogies in the language of the vectors, and similarity sets.

    Args:
        corpus: what the models are trained on.
        similarity: files of judgements, ``word1<TAB>word2<TAB>score`` a line.

    Raises:
        DataError: a similarity file that cannot be read.
    """

    task = "vectors"
    takes_predictions = False

    def __init__(self, corpus: Corpus, similarity: Sequence[str | Path] = ()) -> None:
        self.corpus = corpus
        self.digest = corpus.digest
        self.tokenizer = corpus.tokenizer
        self.files = [str(path) for path in similarity]
        self.sets = {vectors.set_name(Path(path)): vectors.read_pairs(path) for path in similarity}
        self.columns = (vectors.HEADLINE, *(f"spearman_{name}" for name in self.sets))
        self.questions: list[vectors.Question] | None = None  # chosen by the first model's language
        self.language = ""
        self._hits: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}  # model → known, right (first seed)
        self._reports: dict[str, dict[str, Any]] = {}

    def refusal(self, id: str) -> str | None:
        """Every model of vectors learns from any corpus: None."""
        return None

    def facts(self) -> dict[str, Any]:
        """The document's ``"data"``."""
        return {
            "source": self.corpus.source,
            "task": self.task,
            **self.corpus.facts(),
            "rejected": self.corpus.reading.rejected,
            "similarity": {name: len(pairs) for name, pairs in self.sets.items()},
            "similarity_files": self.files,
        }

    # ---- how they answer --------------------------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """Where the corpus is, for the processes of the contestants; texts themselves, where there are no files."""
        files = [str(file.expanduser().resolve()) for file in self.corpus.files]
        write_json(path, {"files": files} if files else {"texts": self.corpus.inputs})

    def answers(self, job_folder: Path) -> Any:
        """The vectors that a contestant's process left there, or opened."""
        return catalog.load((job_folder / "opened").read_text(encoding="utf-8"))

    def fit(self, estimator: Any) -> None:
        """Train a model object here."""
        estimator.fit(self.corpus.inputs)

    def ask(self, estimator: Any) -> tuple[Any, int]:
        """The vectors themselves; the neighbours of some words, to time it."""
        return estimator, ask(estimator)

    def predictions(self, path: Path) -> Any:
        """Vectors are no answers in a file. Raises UsageError."""
        raise UsageError("other-task", say(f"{path} holds no word vectors", f"{path} 里没有词向量"))

    # ---- what becomes of the answers --------------------------------------------------------------------------

    def scores(self, contestant: Contestant) -> dict[str, Any]:
        """Every score with its interval, the mean over seeds, and each seed's own."""
        models = contestant.runs
        if self.questions is None:
            self.language = vectors.language_of(models[0])
            self.questions = vectors.bundled_analogies(self.language)
        found: dict[str, dict[str, Any]] = {
            name: {**score.to_plain()}
            for name, score in vectors.scores(models, similarity=self.sets, analogies=self.questions).items()
        }
        each = self._each(models) if len(models) > 1 else []
        for name in found:
            alone = [found[name]["value"]]
            found[name]["per_seed"] = [one[name].value for one in each if name in one] if each else alone
        solved = solve(models[0], self.questions, methods=[METHOD])
        self._hits[contestant.model] = solved.known, solved.right[METHOD]
        report = vectors.analogy_scores(models, self.questions, methods=[METHOD])[METHOD]
        self._reports[contestant.model] = {
            "vocabulary": len(models[0].words_),
            "dim": int(models[0].vectors_.shape[1]),
            "analogies": report.to_plain(),
            "similarity": [
                vectors.similarity_score(models, pairs, name=name).to_plain() for name, pairs in self.sets.items()
            ],
        }
        return found

    def _each(self, models: list[Any]) -> list[dict[str, Score]]:
        """Each seed's scores; their intervals are not asked for."""
        return [vectors.scores(model, similarity=self.sets, analogies=self.questions, resamples=1) for model in models]

    def document(self, scored: list[Contestant], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What only this kind of comparison says: the questions by section, pairs on the questions that both know."""
        return {
            "language_of_questions": self.language,
            "words": {contestant.model: self._reports[contestant.model] for contestant in scored},
            "pairs": self._pairs(scored),
        }

    def _pairs(self, scored: list[Contestant]) -> list[dict[str, Any]]:
        """Every pair of models on the analogies that both know (first seed); significant together, by Holm's correction."""
        tests = []
        for a, b in combinations(scored, 2):
            (known_a, right_a), (known_b, right_b) = self._hits[a.model], self._hits[b.model]
            both = known_a & known_b
            if both.any():
                tests.append((a, b, int(both.sum()), paired(right_a[both], right_b[both])))
        significant = holm([test.p_value for *_, test in tests])
        return [
            {
                "a": a.model,
                "b": b.model,
                "questions": questions,
                "difference": test.difference,
                "low": test.low,
                "high": test.high,
                "p_value": test.p_value,
                "significant": is_significant,
            }
            for (a, b, questions, test), is_significant in zip(tests, significant, strict=True)
        ]


def ask(model: Any) -> int:
    """Neighbours of the most frequent words, one word at a time; how many were asked for."""
    words = list(model.words_[:QUERIES])
    for word in words:
        model.most_similar(word, topn=10)
    return len(words)


def queries_per_second(model: Any) -> float:
    """Words whose ten neighbours are found in a second, once the vectors are warm."""
    model.most_similar(model.words_[0], topn=10)
    started = perf_counter()
    return ask(model) / max(perf_counter() - started, 1e-9)


def corpus_of(data: Any, task: str) -> Corpus:
    """A corpus, from whatever names or holds one.

    Raises:
        DataError: a file that is missing or empty.
    """
    if isinstance(data, Corpus):
        return data
    if isinstance(data, str | Path):
        return read_corpus(str(data), {"task": task})
    texts = list(data)
    digest = hashlib.sha256()
    size = 0
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw) + raw)
        size += len(raw)
    return Corpus(say("texts", "文本"), texts, digest.hexdigest(), bytes=size, rows=len(texts))
