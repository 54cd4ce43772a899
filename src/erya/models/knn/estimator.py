"""k nearest neighbours: the training texts most like this one, and a vote among them.

Cover and Hart 1967, "Nearest Neighbor Pattern Classification" (Fix and Hodges 1951). There is nothing to fit: the training
texts are the model.
How neighbours are found is in ``search.py``, what they look like in ``views.py``.

More texts are added to those that are there (``partial_fit``). Not here: approximate search, learned metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.models.knn.search import Index, nearest, unit, voices
from erya.parts import held_out_folds, label_thresholds, settings
from erya.parts.going_on import grown, more_examples, unharmed
from erya.parts.ngram_evidence import counted, tokenized
from erya.parts.tfidf import Tfidf, check_settings
from erya.progress import Report, quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import classify
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.parts.ngrams import Counts
    from erya.trace import Trace

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")
WEIGHTINGS = ("uniform", "distance")
MOST_ASKED = 5000  # training texts whose neighbours the thresholds are learnt from


class KNN(Model):
    """k nearest neighbours by the cosine of tf-idf over word n-grams and pieces of words.

    Args:
        neighbors: k, how many are asked; fewer where fewer have anything in common with the text.
        weighting: ``"distance"``: a neighbour's vote counts 1 / (1 − cosine); ``"uniform"``: all alike.
        smoothing: votes of the labels' frequencies, added to those of the neighbours: no probability is 0.
        word_ngrams: most words (for Chinese: characters, see ``tokenizer``) of an n-gram; 1: words alone.
        min_n: fewest characters of a piece of a word; ``<`` and ``>`` at its ends count.
        max_n: most; 0: no pieces.
        character_weight: the length of a text's pieces as a vector, where its words have length 1.
        min_count: a word of fewer documents is left out.
        min_count_ngrams: likewise for word n-grams and pieces.
        keep_texts: keep the training texts in the model, so that it can show them. False where they are private; note that the
            index can still be read.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        tokenizer: a name or a tokenizer; ``"auto"``: words, and each Chinese character by itself.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the share of votes from which each label is answered, learnt by asking each text's neighbours about it;
            (0,) where texts have one label.
        tokenizer_: the tokenizer used.
        features_: the V features and their idf.
        index_: which of the N texts have which features.
        row_weights_: (N,) what each text's vote counts.
        starts_: (N + 1,) text n has the labels ``starts_[n]`` to ``starts_[n + 1]`` of ``labels_``.
        labels_: (L,) numbers of labels.
        shares_: (L,) 1; of soft labels their shares.
        prior_: (C,) the labels' frequencies.
        texts_: N texts or pairs, or none.

    Example:
        >>> KNN().fit(["a fine film", "a dull film"], ["good", "bad"]).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/knn"
    thresholds_: Floats
    several_: bool
    features_: Tfidf
    index_: Index
    row_weights_: Floats
    starts_: Rows
    labels_: Rows
    shares_: Floats
    texts_: list[classify.Document]

    def __init__(
        self,
        *,
        neighbors: int = 15,
        weighting: str = "distance",
        smoothing: float = 0.5,
        word_ngrams: int = 2,
        min_n: int = 2,
        max_n: int = 4,
        character_weight: float = 0.5,
        min_count: int = 1,
        min_count_ngrams: int = 2,
        keep_texts: bool = True,
        class_weight: str | dict[Any, float] | None = None,
        tokenizer: Any = "auto",
    ) -> None:
        self.neighbors = neighbors
        self.weighting = weighting
        self.smoothing = smoothing
        self.word_ngrams = word_ngrams
        self.min_n = min_n
        self.max_n = max_n
        self.character_weight = character_weight
        self.min_count = min_count
        self.min_count_ngrams = min_count_ngrams
        self.keep_texts = keep_texts
        self.class_weight = class_weight
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Keep the texts, by feature.

        Args:
            X: N texts or pairs of texts.
            y: N labels; or lists of labels; or dicts ``{label: share}``.
            sample_weight: N weights; what a text's vote counts.
            validation: ``(X, y)``; of several labels the thresholds are learnt from it, else from the training texts, each asked
                about by the others.
            report: asked whether to stop.

        Raises:
            DataError: no rows, one class, lengths that differ.
            UsageError: a setting out of its range.
            Interrupted: the report asked for it.
        """
        self._check_settings()
        given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
        self._learn(classify.examples(X, y, **given, kinds=KINDS), validation, report)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        classes: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        report: Report = quiet,
    ) -> Self:
        """Add more texts to those that are asked; their new words and n-grams join the features.

        What an n-gram is worth (its idf) stays as the first texts had it; that of a new one is taken over all. So the answers are not
        to the last digit those of one ``fit`` on all texts. Of several labels the thresholds stay, unless there is validation data.

        Args:
            X: as ``fit``.
            y: as ``fit``, and of the same kind; not every label need occur.
            classes: in the first call, all labels that will occur; later nothing new.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a label that the model does not know; targets of another kind; as ``fit``.
            DataError, Interrupted: as ``fit``; the model is then as it was.
        """
        self._check_settings()
        if not self.__sklearn_is_fitted__():
            given = {"sample_weight": sample_weight, "class_weight": self.class_weight}
            self._learn(classify.examples(X, y, **given, kinds=KINDS, classes=classes), validation, report)
            return self
        examples = more_examples(self, X, y, classes=classes, sample_weight=sample_weight, kinds=KINDS)
        with unharmed(self):
            tokens = tokenized(self.tokenizer_, examples.documents, report)
            features, counts, places = grown(self.features_, tokens, examples.weights, self)
            index = self.index_.and_more(places, Index.of(counts, unit(counts, features.values(counts))))
            keeps_texts = len(self.texts_) == self.index_.size
            self.features_, self.index_ = features, index
            self.row_weights_ = np.concatenate([self.row_weights_, examples.weights])
            self.starts_ = np.concatenate([self.starts_, self.starts_[-1] + examples.starts[1:]])
            self.labels_ = np.concatenate([self.labels_, examples.labels])
            self.shares_ = np.concatenate([self.shares_, examples.shares])
            self.texts_ = [*self.texts_, *examples.documents] if keeps_texts else []
            self._count_labels()
            if self.several_:
                found = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
                if found is not None:
                    self.thresholds_ = found
            report.progress(epoch=1, epochs=1, done=1.0)
        return self

    def _count_labels(self) -> None:
        """How frequent each label is among the texts."""
        votes = np.repeat(self.row_weights_, np.diff(self.starts_)) * self.shares_
        self.prior_ = np.bincount(self.labels_, votes, len(self.classes_)) / self.row_weights_.sum()

    def _learn(self, examples: classify.Examples, validation: Any, report: Report) -> None:
        tokenizer = tokenizers.make(self.tokenizer)
        features, counts = Tfidf.learn(tokenized(tokenizer, examples.documents, report), examples.weights, self)
        values = unit(counts, features.values(counts))
        self.classes_, self.tokenizer_, self.features_ = examples.classes, tokenizer, features
        self.several_, self.index_ = examples.kind == "several", Index.of(counts, values)
        self.row_weights_, self.starts_ = examples.weights, examples.starts
        self.labels_, self.shares_ = examples.labels, examples.shares
        self.texts_ = list(examples.documents) if self.keep_texts else []
        self.neighbors_, self.weighting_, self.smoothing_ = self.neighbors, self.weighting, float(self.smoothing)
        self._count_labels()
        self.thresholds_ = np.zeros(0)
        if self.several_:
            given_rows = held_out_folds.thresholds_from(validation, self.classes_, self.predict_proba)
            self.thresholds_ = self._own_thresholds(counts, values, examples) if given_rows is None else given_rows
        report.progress(epoch=1, epochs=1, done=1.0)

    def _own_thresholds(self, counts: Counts, values: Floats, examples: classify.Examples) -> Floats:
        """(C,) from what the other texts say about each one, or about some of them, evenly spread, where they are many."""
        asked = np.unique(np.linspace(0, len(examples) - 1, min(len(examples), MOST_ASKED)).astype(np.int64))
        found = np.zeros((len(asked), len(self.classes_)))
        for place, row in enumerate(asked.tolist()):
            entries = slice(*counts.offsets[row : row + 2].tolist())
            cosines = self.index_.cosines(counts.features[entries], values[entries])
            cosines[row] = 0.0  # all but itself
            found[place] = self._voted(nearest(cosines, self.neighbors_), cosines)
        lengths = np.diff(examples.starts)[asked]
        labels = [examples.labels[slice(*examples.starts[row : row + 2].tolist())] for row in asked.tolist()]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return label_thresholds.drawn_together(found, starts, np.concatenate(labels))

    def _check_settings(self) -> None:
        check_settings(self)
        settings.whole("neighbors", self.neighbors)
        settings.require(self.weighting in WEIGHTINGS, "weighting", self.weighting, " | ".join(WEIGHTINGS))
        settings.number("smoothing", self.smoothing, 0, 1e6)
        settings.require(isinstance(self.keep_texts, bool), "keep_texts", self.keep_texts, "true | false")

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Floats:
        """(N, C) the share of the votes for each label; rows sum to 1 unless texts have several labels.

        A text that has nothing in common with any other gets the labels' frequencies.
        """
        self._check_fitted()
        documents = classify.documents(X)
        found = np.zeros((len(documents), len(self.classes_)))
        for place, (features, values) in enumerate(self._vectors(documents)):
            cosines = self.index_.cosines(features, values)
            found[place] = self._voted(nearest(cosines, self.neighbors_), cosines)
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the label with the most votes; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _vectors(self, documents: list[classify.Document]) -> Iterator[tuple[Rows, Floats]]:
        """Features and values, of length 1, of each document."""
        for counts in counted(self.features_.ngrams, self.tokenizer_, documents):
            values = unit(counts, self.features_.values(counts))
            for place in range(len(counts)):
                entries = slice(*counts.offsets[place : place + 2].tolist())
                yield counts.features[entries], values[entries]

    def _voted(self, rows: Rows, cosines: Floats) -> Floats:
        """(C,) the answer of the neighbours ``rows`` (k,): their votes as shares, k of them, and the smoothing's."""
        votes = self.votes(rows, cosines[rows])
        total = float(votes.sum())
        if not total > 0:
            return np.array(self.prior_)
        shares = (votes[:, None] * np.stack([self.members(row) for row in rows.tolist()])).sum(axis=0) / total
        return np.asarray((len(rows) * shares + self.smoothing_ * self.prior_) / (len(rows) + self.smoothing_))

    def votes(self, rows: Rows, cosines: Floats) -> Floats:
        """(k,) what the vote of each neighbour counts: its closeness × its weight."""
        return voices(cosines, self.weighting_) * self.row_weights_[rows]

    def members(self, row: int) -> Floats:
        """(C,) the labels of one training text."""
        entries = slice(*self.starts_[row : row + 2].tolist())
        found: Floats = np.zeros(len(self.classes_))
        found[self.labels_[entries]] = self.shares_[entries]
        return found

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text: features (m,), values (m,), neighbours (k,), cosines (k,), votes (k,), labels (k, C), probabilities (C,)."""
        from erya.models.knn.views import trace

        self._check_fitted()
        (document,) = classify.documents([x])
        return trace(self, document)

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: the neighbours, and what the text shares with those that have it.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the most probable one.

        Raises:
            UsageError: no such label.
        """
        from erya.models.knn.views import explain

        self._check_fitted()
        (document,) = classify.documents([x])
        return explain(self, document, label)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """The index, the texts' labels and weights, the texts themselves; features, classes, tokenizer."""
        self._check_fitted()
        features = self.features_.state()
        pairs = [text for text in self.texts_ if not isinstance(text, str)]
        arrays = {
            "index.starts": self.index_.starts,
            "index.rows": self.index_.rows,
            "index.values": self.index_.values,
            "row_weights": self.row_weights_,
            "starts": self.starts_,
            "labels": self.labels_,
            "shares": self.shares_,
            "prior": self.prior_,
            "thresholds": self.thresholds_,
            "is_pair": np.array([not isinstance(text, str) for text in self.texts_], dtype=np.bool_),
            **pack_strings("texts", [text if isinstance(text, str) else text[0] for text in self.texts_]),
            **pack_strings("seconds", [pair[1] for pair in pairs]),
        }
        data = {
            "classes": self.classes_.tolist(),
            "several": self.several_,
            "tokenizer": self.tokenizer_.to_plain(),
            "neighbors": self.neighbors_,
            "weighting": self.weighting_,
            "smoothing": self.smoothing_,
        }
        return State({**arrays, **features.arrays}, {**data, **features.data})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        from erya.models.knn.checking import checked_index, checked_texts, checked_votes

        data, arrays = state.data, state.arrays
        features, classes = Tfidf.from_state(state), held_out_folds.checked_classes(data["classes"])
        size = len(arrays["row_weights"])
        index = checked_index(arrays, len(features), size)
        checked_votes(arrays, data, len(classes), size)
        firsts, seconds = unpack_strings("texts", arrays), iter(unpack_strings("seconds", arrays))
        checked_texts(arrays["is_pair"], len(firsts), arrays["seconds.offsets"], size)
        self.classes_, self.features_, self.index_ = classes, features, index
        self.row_weights_, self.starts_ = arrays["row_weights"], arrays["starts"]
        self.labels_, self.shares_, self.prior_ = arrays["labels"], arrays["shares"], arrays["prior"]
        self.several_, self.thresholds_ = data["several"], arrays["thresholds"]
        self.neighbors_, self.weighting_, self.smoothing_ = data["neighbors"], data["weighting"], data["smoothing"]
        self.texts_ = [
            (first, next(seconds)) if pair else first
            for first, pair in zip(firsts, arrays["is_pair"].tolist(), strict=True)
        ]
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])
