"""The body that language models share: from texts to a stream of units, and from probabilities to answers.

A room writes how it learns from a stream (``_learn``), how probable documents are (``_log_probabilities``), and how it is asked step by
step (``_decoder``); see ``decoding.Decoder``. Everything else – units, vocabulary, writing, surprisal, scores – is here, once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import UsageError
from erya.language import say
from erya.parts import decoding, settings
from erya.parts.text_form import Form
from erya.progress import Report, quiet
from erya.state import Arrays
from erya.tasks import generate
from erya.tasks.generate import Surprisal
from erya.text import documents, unit_ids, units
from erya.text.unit_ids import BORDER, UNKNOWN, Stream, UnitVocabulary
from erya.trace import TokenHeat, Trace

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]
TOGETHER = 1 << 18  # units of documents that are scored at once


class LanguageModel(Model):
    """A model of running text. Its settings ``tokenizer``, ``documents``, ``min_count`` and ``max_vocabulary`` are read here.

    Attributes:
        units_: what cuts texts, see ``text.units``.
        vocabulary_: the V units.
    """

    tokenizer: Any
    documents: str
    min_count: int
    max_vocabulary: int | None
    units_: units.Units
    vocabulary_: UnitVocabulary

    # ---- what a room writes -----------------------------------------------------------------------------------

    def _check_settings(self) -> None:
        """Raises UsageError where a setting of the room makes no sense."""

    def _learn(self, stream: Stream, validation: Stream | None, report: Report) -> None:
        """Learn from a stream; ``vocabulary_`` stands."""
        raise NotImplementedError

    def _log_probabilities(self, texts: Sequence[Ids]) -> list[Floats]:
        """Of each document of T ids the natural logarithms (T + 1,) of the probability of each, and of the end."""
        raise NotImplementedError

    def _decoder(self) -> decoding.Decoder:
        """Asked step by step."""
        raise NotImplementedError

    # ---- learning -------------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Any:
        """Learn what comes next.

        Args:
            X: N documents, or a Path or a list of Paths; those of files are told apart as ``documents`` says.
            y: not looked at.
            sample_weight: none: every unit counts once.
            validation: documents or Paths, as ``X``.
            report: told how far it is.

        Raises:
            UsageError: a bad setting, weights, something else than texts.
            DataError: no text, or a file that cannot be read.
        """
        self._check_common()
        settings.no_weights(sample_weight, say("documents have no weights here", "此处文档没有权重"))
        if documents.paths_of(X) is None and not isinstance(X, list):
            X = list(X)  # read more than once
        held_out = self._held_out(validation)
        if self.tokenizer == "bpe":  # learns its pieces from all of the text
            cutter = units.make("bpe", (piece.text for piece in documents.pieces(X, self.documents)))
        else:
            cutter = units.make(self.tokenizer, documents.sample_of(X, self.documents))
        vocabulary, stream = unit_ids.learn(
            documents.pieces(X, self.documents), cutter, min_count=self.min_count, max_size=self.max_vocabulary
        )
        self.units_, self.vocabulary_ = cutter, vocabulary
        dev = None
        if held_out is not None:
            dev = unit_ids.encode(documents.pieces(held_out, self.documents), cutter, vocabulary)
        self._learn(stream, dev, report)
        return self

    def _check_common(self) -> None:
        documents.check_kind(self.documents)
        settings.whole("min_count", self.min_count)
        settings.whole("max_vocabulary", self.max_vocabulary, optional=True)
        self._check_settings()

    @staticmethod
    def _held_out(validation: Any) -> Any:
        """Texts or Paths; a pair of texts and None, as ``fit`` of other tasks takes it, too."""
        if isinstance(validation, tuple) and len(validation) == 2 and validation[1] is None:
            validation = validation[0]
        return validation

    # ---- how probable texts are -----------------------------------------------------------------------------------

    def surprisals(self, X: Iterable[str]) -> list[Surprisal]:
        """What each of N documents costs, unit by unit, in bits.

        Args:
            X: documents; never one bare string.

        Raises:
            UsageError: X is one string, or holds something else than texts.
        """
        self._check_fitted()
        texts = self._texts(X)
        found: list[Surprisal] = []
        held: list[list[str]] = []
        size = 0
        for text in texts:
            held.append(self.units_.cut(text))
            size += len(held[-1]) + 1
            if size >= TOGETHER:
                found += self._told(held, texts[len(found) : len(found) + len(held)])
                held, size = [], 0
        return found + self._told(held, texts[len(found) : len(found) + len(held)])

    def _told(self, held: list[list[str]], texts: list[str]) -> list[Surprisal]:
        """Of documents, and how they are cut."""
        if not held:
            return []
        ids = [self.vocabulary_.ids(cut) for cut in held]
        bits = np.clip(np.concatenate(self._log_probabilities(ids)) / -math.log(2), 0.0, generate.IMPOSSIBLE)
        unknown = np.concatenate(ids) == UNKNOWN
        spelling = np.zeros(len(unknown))
        missing = np.flatnonzero(unknown).tolist()
        if missing:
            every = [unit for cut in held for unit in cut]
            for place in missing:
                spelling[place] = generate.spelling_bits(every[place], self.vocabulary_.alphabet)
        found, end = [], 0
        for number, (cut, text) in enumerate(zip(held, texts, strict=True)):
            start, end = end, end + len(cut)
            ends = slice(start + number, end + number + 1)  # each document before has an end besides
            found.append(Surprisal(cut, bits[ends], unknown[start:end], spelling[start:end], len(text) + 1))
        return found

    @staticmethod
    def _texts(X: Any) -> list[str]:
        if isinstance(X, str | bytes):
            raise UsageError(
                "bare-string",
                say("X is one string; it should be a list of texts", "X 是单个字符串；应为文本列表"),
                help="[text]",
            )
        texts = list(X)
        for text in texts:
            if not isinstance(text, str):
                raise UsageError(
                    "not-text",
                    say(
                        f"a document is a text, not a {type(text).__name__}",
                        f"文档应为字符串，而不是 {type(text).__name__}",
                    ),
                )
        return texts

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the bits per character of documents, so that more is better."""
        settings.no_weights(sample_weight, say("documents have no weights here", "此处文档没有权重"))
        return -generate.headline(self.surprisals(X))

    def perplexity(self, X: Any) -> float:
        """Per unit, ends counted; comparable among models with the same units alone."""
        return generate.scores([self.surprisals(X)], resamples=100)["perplexity"].value

    # ---- writing -----------------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> list[str]:
        """Each text, and what the model writes behind it; see ``write`` for how."""
        return self.write(X)

    def write(
        self,
        X: Iterable[str],
        *,
        length: int = 100,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 0.95,
        beams: int = 1,
        stop: str | None = None,
        form: str | None = None,
        seed: int = 0,
    ) -> list[str]:
        """Continue N texts.

        Args:
            X: beginnings; an empty one begins a document.
            length: at most so many new units.
            temperature: 0: always the most probable unit.
            top_k: of so many units one is drawn; None: of all.
            top_p: of the fewest units that have so much probability together.
            beams: above 1: the best of so many beginnings at each length; nothing is drawn.
            stop: the text ends before this.
            form: such as ``"5，5。5，5。"`` or ``"五言绝句"``, see ``parts/text_form.py``.
            seed: same seed, same text, whatever else is asked for beside it.

        Returns:
            N texts, each with its beginning.

        Raises:
            UsageError: a setting makes no sense, or a beginning does not fit the form.
        """
        self._check_fitted()
        texts = self._texts(X)
        fixed = None if form is None else Form(form, self.vocabulary_.units, BORDER)
        if fixed is not None:
            for text in texts:
                fixed.check(text)
            length = max(length, len(fixed.slots) + 1)
        prefixes = [self._prefix(text) for text in texts]
        found = decoding.write(
            self._decoder(),
            prefixes,
            length=length,
            end=BORDER,
            never=[UNKNOWN],
            manner=decoding.Manner(temperature, top_k, top_p, beams),
            seed=seed,
            allowed=None if fixed is None else fixed.allowed,
            done=None if not stop else lambda ids: stop in self._text(ids),
        )
        return [self._joined(text, one.ids, stop) for text, one in zip(texts, found, strict=True)]

    def _prefix(self, text: str) -> list[int]:
        return [int(number) for number in self.vocabulary_.encode(text, self.units_)]

    def _text(self, ids: Sequence[int]) -> str:
        return self.units_.glue(self.vocabulary_.words(ids))

    def _joined(self, text: str, ids: Sequence[int], stop: str | None) -> str:
        new = self._text(ids)
        if stop:
            new = new.partition(stop)[0]
        between = " " if text and new and isinstance(self.units_, units.SpacedUnits) and not text[-1].isspace() else ""
        return text + between + new

    def next_units(self, text: str, most: int = 10) -> list[tuple[str, float]]:
        """The most probable units behind a text, with their probabilities; ``""`` is the end.

        Raises:
            UsageError: ``text`` is no text, or ``most`` is below 1.
        """
        self._check_fitted()
        settings.whole("most", most)
        (text,) = self._texts([text])
        _, rows = self._decoder().start([self._prefix(text)])
        order = np.argsort(-rows[0], kind="stable")[:most]
        names = ["" if number == BORDER else self.vocabulary_.units[number] for number in order.tolist()]
        return list(zip(names, np.exp(rows[0][order]).tolist(), strict=True))

    # ---- looking inside --------------------------------------------------------------------------------------------

    def explain(self, x: Any, label: Any = None) -> Trace:
        """The surprisal of each unit of a text, as a heat map.

        Raises:
            UsageError: ``x`` is no text, or a label is asked for.
        """
        if label is not None:
            raise UsageError("no-labels", say("a language model has no labels", "语言模型没有标签"))
        if not isinstance(x, str):
            raise UsageError("not-text", say("one text is explained at a time", "每次解释一条文本"))
        told = self.surprisals([x])[0]
        bits = told.bits[:-1] + told.spelling
        unknown = int(told.unknown.sum())
        note = say(
            f"{told.bits_per_character:.2f} bits a character, perplexity {told.perplexity:.1f} a unit, {unknown} unknown; "
            f"the end costs {told.bits[-1]:.1f} bits",
            f"每字符 {told.bits_per_character:.2f} 比特，每单元困惑度 {told.perplexity:.1f}，未知 {unknown} 个；"
            f"结尾 {told.bits[-1]:.1f} 比特",
        )
        heat = TokenHeat(
            say("Surprisal in bits", "惊异度（比特）"), x, self.units_.spans(x), bits, note, meaning=say("bits", "比特")
        )
        return Trace(self.id, x, {"bits": told.bits, "spelling": told.spelling}, [heat])

    # ---- what is saved ------------------------------------------------------------------------------------------------

    def _text_state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and data of the units and the vocabulary, for ``state``."""
        return self.vocabulary_.arrays(), {"units": self.units_.to_plain()}

    def _set_text_state(self, arrays: Arrays, data: dict[str, Any]) -> None:
        """The inverse. Raises ValueError or KeyError where they make no sense."""
        self.units_ = units.from_plain(data["units"])
        self.vocabulary_ = UnitVocabulary.from_arrays(arrays)
