"""Subwords learned from text: BPE (Sennrich 2016, over bytes), WordPiece (Schuster 2012, as BERT uses it) and Unigram
(Kudo 2018), all by the ``tokenizers`` library.

Only the learned pieces are kept (vocabulary, merges or scores); the pipeline around them is built here, so that a file
can never bring a pipeline of its own.
"""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say

KINDS = ("bpe", "wordpiece", "unigram")
UNKNOWN = "[UNK]"
_LONGEST = 200_000  # characters handed over at once; longer texts go in pieces cut at white space


@dataclass(frozen=True, slots=True)
class Subwords:
    """A trained subword tokenizer. Make one with ``Subwords.train``.

    Args:
        kind: ``"bpe"``, ``"wordpiece"`` or ``"unigram"``.
        definition: the learned pieces as canonical JSON; its form is this file's own business.
        lower: whether text is lower-cased first.
    """

    kind: str
    definition: str
    lower: bool = True

    @classmethod
    def train(cls, texts: Iterable[str], kind: str = "bpe", size: int = 8000, *, lower: bool = True) -> Subwords:
        """Learn ``size`` pieces from texts.

        BPE and WordPiece: same texts, same pieces. Unigram: the library adds up in a random order, so of pieces that are
        worth the same now one is kept and now the other; what is trained once does not change.

        Args:
            texts: strings. BPE reads them once, streamed; the other two twice, so that an iterator is kept in memory.
            kind: ``"bpe"``, ``"wordpiece"`` or ``"unigram"``.
            size: the greatest number of pieces; a small corpus gives fewer. WordPiece and Unigram give up to a third of
                it to single characters, the most frequent ones; rarer characters are unknown to them.

        Raises:
            UsageError: no such kind, or a size below 300 (BPE starts from 256 bytes).
            DataError: the texts are empty.
        """
        _check_usage(texts, kind, size)
        if kind != "bpe" and iter(texts) is texts:
            texts = list(texts)
        alphabet = [] if kind == "bpe" else _alphabet(_prepared(texts, lower), size // 3)
        engine = _engine(kind, None)
        seen = _Seen()
        engine.train_from_iterator(seen.watch(_prepared(texts, lower), set(alphabet)), _trainer(kind, size, alphabet))
        if not seen.anything:
            raise DataError("empty", say("no subwords can be learned from empty texts", "空文本学不到子词"))
        model = json.loads(engine.to_str())["model"]
        learned = {name: model[name] for name in ("vocab", "merges") if name in model}
        if kind == "unigram":  # the library adds up in any order: the last digits of a score are chance
            pieces = [[piece, round(score, 6)] for piece, score in model["vocab"][1:]]
            learned["vocab"] = [[UNKNOWN, 0.0], *sorted(pieces, key=lambda entry: (-entry[1], entry[0]))]
        return cls(kind, json.dumps(learned, ensure_ascii=True, separators=(",", ":")), lower)

    @property
    def name(self) -> str:
        """``"subwords"``."""
        return "subwords"

    def __len__(self) -> int:
        return int(_loaded(self.kind, self.definition).get_vocab_size())

    def __repr__(self) -> str:  # the definition is hundreds of kilobytes
        return f"Subwords(kind={self.kind!r}, pieces={len(self)}, lower={self.lower})"

    def tokens(self, text: str) -> list[str]:
        """The pieces of ``text``. BPE pieces are bytes in GPT-2's printable alphabet: a space is ``Ġ``."""
        engine = _loaded(self.kind, self.definition)
        found: list[str] = []
        for _, piece in _pieces(_clean(text, self.lower)):
            found.extend(engine.encode(piece).tokens)
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where they stand in ``text``, white space at the ends left out; pieces of one character share its span."""
        engine = _loaded(self.kind, self.definition)
        found: list[tuple[int, int]] = []
        for shift, piece in _pieces(_clean(text, self.lower)):
            for start, end in engine.encode(piece).offsets:
                start, end = start + shift, end + shift
                while start < end and text[start].isspace():
                    start += 1
                while start < end and text[end - 1].isspace():
                    end -= 1
                found.append((start, end))
        return found

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "subwords", "algorithm": …, "lower": …, "learned": …}``."""
        return {
            "kind": "subwords",
            "algorithm": self.kind,
            "lower": self.lower,
            "learned": json.loads(self.definition),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Subwords:
        """The inverse of ``to_plain``.

        Raises:
            ValueError: the data is not that of a subword tokenizer.
        """
        kind, lower, learned = plain.get("algorithm"), plain.get("lower"), plain.get("learned")
        if kind not in KINDS or not isinstance(lower, bool) or not isinstance(learned, dict):
            raise ValueError("not a subword tokenizer")
        definition = json.dumps(_checked(kind, learned), ensure_ascii=True, separators=(",", ":"))
        _loaded(kind, definition)
        return cls(kind, definition, lower)


# ---- training ------------------------------------------------------------------------------------------------------


def _check_usage(texts: Iterable[str], kind: str, size: int) -> None:
    if isinstance(texts, str):
        raise UsageError("one-string", say("texts must be a list of strings", "texts 应是字符串列表"))
    if kind not in KINDS:
        guess = nearest(kind, KINDS)
        raise UsageError(
            "unknown-tokenizer",
            say(f"there is no kind of subwords '{quoted(kind)}'", f"没有 '{quoted(kind)}' 这种子词"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join(KINDS),
        )
    if size < 300:
        raise UsageError("bad-size", say("size must be at least 300", "size 至少为 300"), help="size=8000")


def _alphabet(texts: Iterable[str], most: int) -> list[str]:
    """The most frequent characters, in the order of their code points."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    frequent = sorted((item for item in counts.items() if not item[0].isspace()), key=lambda item: (-item[1], item[0]))
    return sorted(character for character, _ in frequent[:most])


def _trainer(kind: str, size: int, alphabet: list[str]) -> Any:
    from tokenizers import pre_tokenizers, trainers

    if kind == "bpe":
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        return trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet)
    if (
        kind == "wordpiece"
    ):  # left alone, it numbers the inner characters, and so breaks ties, in the order of a hash map
        inner = [f"##{character}" for character in alphabet]
        return trainers.WordPieceTrainer(
            vocab_size=size, show_progress=False, special_tokens=[UNKNOWN, *alphabet, *inner]
        )
    return trainers.UnigramTrainer(vocab_size=size, show_progress=False, special_tokens=[UNKNOWN], unk_token=UNKNOWN)


class _Seen:
    """Whether there was anything to learn from."""

    anything = False

    def watch(self, texts: Iterable[str], alphabet: set[str]) -> Iterator[str]:
        """The same texts, without characters that are not of the alphabet, if there is one."""
        for text in texts:
            if alphabet:
                text = "".join(character if character in alphabet else " " for character in text)
            self.anything = self.anything or bool(text.strip())
            yield text


# ---- the pipeline around the pieces ------------------------------------------------------------------------------


def _engine(kind: str, learned: dict[str, Any] | None) -> Any:
    """The library's tokenizer: splitting, and the pieces if they are known already."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    if kind == "bpe":
        merges = [(first, second) for first, second in learned["merges"]] if learned else None
        engine = Tokenizer(models.BPE(vocab=learned["vocab"], merges=merges) if learned else models.BPE())
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.post_processor = processors.ByteLevel(trim_offsets=True)
    elif kind == "wordpiece":
        vocabulary = learned["vocab"] if learned else {UNKNOWN: 0}
        engine = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=UNKNOWN))
        engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        pieces = [(piece, score) for piece, score in learned["vocab"]] if learned else None
        engine = Tokenizer(models.Unigram(pieces, 0) if pieces else models.Unigram())
        engine.pre_tokenizer = pre_tokenizers.Metaspace()
    return engine


@functools.lru_cache(maxsize=16)
def _loaded(kind: str, definition: str) -> Any:
    try:
        return _engine(kind, json.loads(definition))
    except Exception as error:
        raise ValueError(f"not a subword tokenizer: {error}") from error


def _checked(kind: str, learned: dict[str, Any]) -> dict[str, Any]:
    """The learned pieces, every value of the type it must have. Raises ValueError."""
    vocabulary = learned.get("vocab")
    if kind == "unigram":
        if not isinstance(vocabulary, list) or not vocabulary:
            raise ValueError("not a vocabulary")
        for entry in vocabulary:
            if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
                raise ValueError("not a vocabulary")
            if isinstance(entry[1], bool) or not isinstance(entry[1], int | float) or not math.isfinite(entry[1]):
                raise ValueError("a score is not a number")
        return {"vocab": vocabulary}
    if not isinstance(vocabulary, dict) or not all(type(value) is int for value in vocabulary.values()):
        raise ValueError("not a vocabulary")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError("ids have gaps")
    if kind == "wordpiece":
        if UNKNOWN not in vocabulary:
            raise ValueError("no piece for the unknown")
        return {"vocab": vocabulary}
    merges = learned.get("merges")
    if not isinstance(merges, list):
        raise ValueError("no merges")
    for merge in merges:
        if not (isinstance(merge, list) and len(merge) == 2 and all(isinstance(piece, str) for piece in merge)):
            raise ValueError("not a merge")
        if not {merge[0], merge[1], merge[0] + merge[1]} <= vocabulary.keys():
            raise ValueError("a merge makes a piece that is not in the vocabulary")
    return {"vocab": vocabulary, "merges": merges}


def _clean(text: str, lower: bool) -> str:
    """Ready for the library, character for character: it cannot take lone surrogates, and İ must stay one character."""
    if lower:
        text = text.replace("\u0130", "i").lower()
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """``(offset, piece)``: a very long text in pieces, since the library's memory is a hundred times its input."""
    start = 0
    while len(text) - start > _LONGEST:
        cut = text.rfind(" ", start + 1, start + _LONGEST)
        cut = cut if cut > start else start + _LONGEST
        yield start, text[start:cut]
        start = cut
    if start < len(text):
        yield start, text[start:] if start else text


def _prepared(texts: Iterable[str], lower: bool) -> Iterator[str]:
    for text in texts:
        for _, piece in _pieces(_clean(text, lower)):
            yield piece
