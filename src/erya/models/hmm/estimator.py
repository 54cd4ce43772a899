"""A hidden Markov model: tags follow one another, and each says a word; the tags are what is hidden.

Baum and Petrie 1966; for parts of speech Church 1988; unknown words by their endings as in Brants 2000. For a sentence x with tags y

    p(x, y) = p(y_1) Π_t p(y_t | y_{t−1}) Π_t p(x_t | y_t) · p(end | y_T)

What is counted and how counts become probabilities is in ``counts.py``; paths and marginals in ``parts/crf.py``. Not here: tags that look
two back (trigrams), numbers as observations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain as joined
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import Interrupted
from erya.language import say
from erya.parts import settings
from erya.progress import Report, quiet
from erya.state import State, pack_strings, unpack_strings
from erya.tasks import tag
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.parts.crf import Chain
    from erya.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TOKENS_AT_ONCE = 50_000
DECODINGS = ("viterbi", "posterior")


class HMM(Model):
    """Hidden Markov model of tags and words.

    Args:
        smoothing: how many sightings the prior is worth: of a word's tag by its looks, of a tag after a tag.
        rare: words seen at most this often teach what endings and shapes mean.
        back_off: how many sightings a shorter ending is worth when a longer one is judged.
        decoding: ``"viterbi"``, the most probable sequence, or ``"posterior"``, the most probable tag of each token.
        constrained: whether sequences keep to the rules of their scheme (with ``"viterbi"``).
        epochs: rounds of Baum and Welch over untagged text, see ``partial_fit``.
        untagged_weight: what an expected sighting in untagged text counts, where a tagged one counts 1.
        scheme: ``"data"``, or the scheme to learn in; answers are in that of the data.
        tokenizer: for raw text; ``"auto"``: by the tokens given.

    Attributes:
        classes_: (C,) tags, sorted, in ``scheme_``.
        scheme_: what the model learned in.
        data_scheme_: of the answers.
        tokenizer_: the tokenizer used for raw text.
        words_: V words.
        counts_: of tagged text.
        expected_: of untagged text, nothing before ``partial_fit``.
        guess_: tags by the looks of a word.
        curve_: a row a round of Baum and Welch: epoch, loss (−ln p a token of the untagged text).

    Example:
        >>> model = HMM().fit([["they", "can", "fish"], ["the", "can"]], [["PRON", "VERB", "NOUN"], ["DET", "NOUN"]])
        >>> model.predict([["the", "fish"]])
        [['DET', 'NOUN']]
    """

    id: ClassVar[str] = "tag/hmm"

    def __init__(
        self,
        *,
        smoothing: float = 1.0,
        rare: int = 10,
        back_off: float = 5.0,
        decoding: str = "viterbi",
        constrained: bool = True,
        epochs: int = 5,
        untagged_weight: float = 0.1,
        scheme: str = "data",
        tokenizer: Any = "auto",
    ) -> None:
        self.smoothing = smoothing
        self.rare = rare
        self.back_off = back_off
        self.decoding = decoding
        self.constrained = constrained
        self.epochs = epochs
        self.untagged_weight = untagged_weight
        self.scheme = scheme
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Count.

        Args:
            X: N lists of tokens, or texts.
            y: N lists of tags, one a token; for texts spans.
            sample_weight: N weights; a sentence of weight 2 is that sentence twice.
            validation: not used: there is nothing to stop.
            report: told when it is done.

        Raises:
            DataError: no sentences, one tag only, lengths that differ.
            UsageError: a setting out of its range; no tags (untagged text goes to ``partial_fit``).
        """
        from erya.models.hmm.counts import Counts, Guess

        self._check_settings()
        tokenizer = tag.tokenizer_for(self.tokenizer, X)
        examples = tag.examples(
            X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=self.scheme, report=report
        )
        words = sorted(set(joined.from_iterable(examples.sentences)))
        numbers = {word: number for number, word in enumerate(words)}
        ids = np.array([numbers[word] for sentence in examples.sentences for word in sentence], dtype=np.int64)
        classes = len(examples.classes)
        counts = Counts.of(ids, examples.tags, examples.starts, examples.weights, len(words), classes)
        self.classes_, self.scheme_, self.data_scheme_ = examples.classes, examples.scheme, examples.data_scheme
        self.tokenizer_, self.words_, self.counts_ = tokenizer, words, counts
        self.expected_ = Counts.nothing(len(words), classes)
        self.guess_ = Guess.of(words, counts.words, int(self.rare), float(self.back_off))
        self.curve_: list[dict[str, Any]] = []
        self._ready()
        report.progress(epoch=1, epochs=1, done=1.0)
        return self

    def partial_fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, report: Report = quiet) -> Self:
        """Learn from untagged text (``y`` None), by Baum and Welch's rounds; or count more tagged sentences.

        Untagged text: ``epochs`` times the model asks itself what it would count there, and believes it, each sighting
        ``untagged_weight`` times. What earlier untagged text said is forgotten; what was tagged never is.

        Args:
            X: N lists of tokens, or texts.
            y: None, or N lists of tags that were all seen in ``fit``; others are an error.
            sample_weight: N weights.
            report: told about every round.

        Raises:
            UsageError: the model has not been fitted, a tag that ``fit`` did not see.
            Interrupted: the report asked for it; the rounds so far are kept.
        """
        self._check_fitted()
        self._check_settings()
        if y is None:
            return self._from_untagged(X, sample_weight, report)
        from erya.models.hmm.counts import Counts, Guess

        told = tag.examples(
            X,
            y,
            tokenizer=self.tokenizer_,
            sample_weight=sample_weight,
            scheme=self.scheme_,
            classes=self.classes_,
            report=report,
        )
        settings.require(bool((told.tags >= 0).all()), "y", "…", say("tags that fit has seen", "fit 见过的标签"))
        ids = self._numbered(told.sentences)
        more = Counts.of(ids, told.tags, told.starts, told.weights, len(self.words_), len(self.classes_))
        self.counts_ = self.counts_.plus(more)
        self.guess_ = Guess.of(self.words_, self.counts_.words, int(self.rare), float(self.back_off))
        self._ready()
        return self

    def _from_untagged(self, X: Any, sample_weight: Any, report: Report) -> Self:
        from erya.models.hmm.counts import Counts, expected

        sentences = tag.sentences(X, self.tokenizer_)
        weights = np.ones(len(sentences)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        full = np.array([bool(sentence) for sentence in sentences], dtype=bool)
        sentences, weights = [sentence for sentence in sentences if sentence], weights[full]
        ids = self._numbered(sentences)
        starts = np.concatenate([[0], np.cumsum([len(sentence) for sentence in sentences])]).astype(np.int64)
        self.expected_ = Counts.nothing(len(self.words_), len(self.classes_))
        self._ready()
        for epoch in range(1, int(self.epochs) + 1 if len(ids) else 1):
            found, likelihood = expected(ids, starts, self._parameters, weights, len(self.words_))
            self.expected_ = Counts.nothing(*self.counts_.words.shape).plus(found, float(self.untagged_weight))
            self._ready()
            row = {"epoch": epoch, "loss": -likelihood / max(1e-300, float(weights @ np.diff(starts)))}
            self.curve_.append(row)
            report.record(dict(row))
            report.progress(epoch=epoch, epochs=int(self.epochs), done=epoch / int(self.epochs), loss=row["loss"])
            wish = report.stopping()
            if wish == "interrupt":
                raise Interrupted("interrupted", say("stopped between two rounds", "在两轮之间停止"))
            if wish == "budget":
                break
        return self

    def _numbered(self, sentences: Sequence[Sequence[str]]) -> Ints:
        """(L,) numbers of words; new ones are added, never seen with any tag."""
        numbers = self._numbers
        for word in sorted(set(joined.from_iterable(sentences)) - numbers.keys()):
            numbers[word] = len(self.words_)
            self.words_.append(word)
        return np.array([numbers[word] for sentence in sentences for word in sentence], dtype=np.int64)

    def _ready(self) -> None:
        """Probabilities from counts."""
        from erya.models.hmm.counts import Counts, parameters

        self._numbers = {word: number for number, word in enumerate(self.words_)}
        empty = Counts.nothing(len(self.words_), len(self.classes_))
        self.counts_, self.expected_ = self.counts_.plus(empty), self.expected_.plus(empty)
        guesses = self.guess_.table(self.words_)
        self._parameters = parameters(self.counts_.plus(self.expected_), guesses, float(self.smoothing))

    def _check_settings(self) -> None:
        settings.number("smoothing", self.smoothing, 0, 1e9, closed=False)
        settings.number("back_off", self.back_off, 0, 1e9, closed=False)
        settings.number("untagged_weight", self.untagged_weight, 0, 1e9)
        settings.whole("rare", self.rare)
        settings.whole("epochs", self.epochs, 0)
        settings.require(self.decoding in DECODINGS, "decoding", self.decoding, " / ".join(DECODINGS))

    # ---- answering --------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> list[tag.Tagging]:
        """The tags of each sentence, as ``decoding`` says.

        Args:
            X: N lists of tokens, or texts.
        """
        from erya.parts import crf

        self._check_fitted()
        sentences, chain = tag.sentences(X, self.tokenizer_), self._chain()
        paths: list[Ints] = []
        for scores, starts in self._emissions(sentences):
            if self.decoding == "posterior":
                path = crf.posterior(scores, starts, chain).tags.argmax(axis=1)
            else:
                path = crf.viterbi(scores, starts, chain)[0]
            paths += [path[low:high] for low, high in pairwise(starts.tolist())]
        return tag.answers(sentences, paths, self.classes_, self.scheme_, self.data_scheme_)

    def predict_marginals(self, X: Any) -> list[Floats]:
        """For each sentence (T, C) p(tag at a token | sentence), within the rules where these hold; rows sum to 1."""
        from erya.parts import crf

        self._check_fitted()
        found: list[Floats] = []
        for scores, starts in self._emissions(tag.sentences(X, self.tokenizer_)):
            shares = crf.posterior(scores, starts, self._chain()).tags
            found += [shares[low:high] for low, high in pairwise(starts.tolist())]
        return found

    def _chain(self) -> Chain:
        chain = self._parameters.chain
        if not self.constrained:
            return chain
        rules = tag.allowed(self.classes_.tolist(), self.scheme_)
        return chain.bent_to(rules.first, rules.following, rules.last)

    def _emissions(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[Floats, Ints]]:
        """Scores (L, C) and starts of some thousand tokens at a time."""
        begin = tokens = 0
        for place, sentence in enumerate(sentences):
            tokens += len(sentence)
            if tokens >= TOKENS_AT_ONCE or place == len(sentences) - 1:
                some = sentences[begin : place + 1]
                sizes = [len(one) for one in some]
                yield (
                    self._scores(list(joined.from_iterable(some))),
                    np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
                )
                begin, tokens = place + 1, 0

    def _scores(self, words: Sequence[str]) -> Floats:
        """(L, C) ln p(word | tag), the words one after the other."""
        known, model = self._numbers, self._parameters
        fresh = {word: place for place, word in enumerate(dict.fromkeys(w for w in words if w not in known))}
        ids = np.array([known[word] if word in known else len(known) + fresh[word] for word in words], dtype=np.int64)
        table = model.words
        if fresh:
            table = np.concatenate([table, np.log(self.guess_.table(fresh)) - model.floor])
        return table[ids].reshape(len(words), len(self.classes_))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The lattice of one sentence: ln p(word | tag), transitions, Viterbi step by step, marginals, runners-up, the path."""
        from erya.models.hmm.views import trace

        self._check_fitted()
        (sentence,) = tag.sentences([x], self.tokenizer_)
        (path,) = self.predict([sentence])
        return trace(self, sentence, self._scores(sentence), self._chain(), path)

    def tag_counts(self, word: str) -> Floats | None:
        """(C,) how often a word was seen with each tag, untagged text included; None: never."""
        self._check_fitted()
        number = self._numbers.get(word)
        return None if number is None else self.counts_.words[number] + self.expected_.words[number]

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, counts, looks; tags and tokenizer."""
        self._check_fitted()
        arrays = {
            **pack_strings("words", self.words_),
            **pack_strings("classes", self.classes_.tolist()),
            **pack_strings("looks", self.guess_.looks),
            "looks": self.guess_.counts,
        }
        for name, counts in (("counts", self.counts_), ("expected", self.expected_)):
            arrays |= {f"{name}.{part}": getattr(counts, part) for part in ("words", "steps", "first", "last")}
        data = {
            "scheme": self.scheme_,
            "data_scheme": self.data_scheme_,
            "tokenizer": self.tokenizer_.to_plain(),
            "curve": self.curve_,
        }
        return State(arrays, data)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        from erya.models.hmm.counts import Counts, Guess
        from erya.parts.tagger_features import checked_tags

        data, arrays = state.data, state.arrays
        classes, schemes = checked_tags(arrays, data)
        words, looks, number = unpack_strings("words", arrays), unpack_strings("looks", arrays), len(classes)
        if not words or len(set(words)) != len(words) or not looks or looks[0] != "":
            raise ValueError("there are no words, or one twice")
        shapes = {"words": (len(words), number), "steps": (number, number), "first": (number,), "last": (number,)}
        parts = {name: {part: arrays[f"{name}.{part}"] for part in shapes} for name in ("counts", "expected")}
        checked = [(array, shapes[part]) for kind in parts.values() for part, array in kind.items()]
        for array, shape in [*checked, (arrays["looks"], (len(looks), number))]:
            if array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all() or (array < 0).any():
                raise ValueError("counts that are none, or do not fit words and tags")
        self._check_settings()
        self.classes_, (self.scheme_, self.data_scheme_), self.words_ = classes, schemes, words
        self.counts_, self.expected_ = Counts(**parts["counts"]), Counts(**parts["expected"])
        self.guess_ = Guess(looks, arrays["looks"], float(self.back_off))
        self.tokenizer_ = tokenizers.from_plain(data["tokenizer"])
        self.curve_ = [dict(row) for row in data["curve"]]
        self._ready()
