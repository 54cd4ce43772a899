"""The original's dictionary: words first, then labels, both by count; lines of text become rows and labels.

    data ─learn→ words, labels, counts          data ─encode→ Lines: rows, labels and where each line begins

White space separates tokens; the end of a line is the token ``</s>``; labels stand anywhere in a line. A token that is in the
dictionary is what it is there; another one is a label where it begins with the label prefix, and is left out. Every other
token gives its row (where it has one), its character n-grams and its share in word n-grams.

After Joulin et al. 2016 and Bojanowski et al. 2017; the hashes and the order are those of the original program's files. The
loops are in ``line_kernels.py``. Not here: files of models (``binary.py``), vectors.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError
from erya.language import say
from erya.models.fasttext import line_kernels as kernels
from erya.models.fasttext.arguments import LABEL_PREFIX, Arguments
from erya.models.fasttext.line_collection import Collection
from erya.models.fasttext.line_kernels import ALL, DONE, LONG, NAMES, NONE, PAD, PRUNED
from erya.models.fasttext.lines import Lines, Room
from erya.models.fasttext.name_counts import END as END  # whoever has a dictionary wants it
from erya.models.fasttext.name_counts import count_names, power_above
from erya.models.fasttext.text_pieces import Piece, pieces_of_bytes, pieces_of_file, share_out

SPACES = b" \n\r\t\v\f\0"
_PADDING = "\0" * PAD
LABEL_CLASH = "a name occurs twice"

Bytes = NDArray[np.uint8]
Ids = NDArray[np.int32]
Longs = NDArray[np.int64]


class Dictionary:
    """V words and C labels.

    Args:
        names: the bytes of all V + C names, in any order, PAD more at the end.
        starts: (V + C,) where each begins; words first.
        lengths: (V + C,) in bytes.
        counts: (V + C,).
        size: V.
        arguments: the settings.
        tokens: of the training text.
        prune: after a cutoff: bucket → row, counted from V on; None: every bucket has its row.
        label_prefix: with which labels begin.

    Raises:
        ValueError: a name occurs twice, or a bucket.
    """

    def __init__(
        self,
        names: Bytes,
        starts: Longs,
        lengths: Ids,
        counts: Longs,
        size: int,
        arguments: Arguments,
        *,
        tokens: int,
        prune: tuple[Longs, Longs] | None = None,
        label_prefix: bytes = LABEL_PREFIX.encode(),
    ) -> None:
        self.arena, self.name_starts, self.name_lengths, self.all_counts = names, starts, lengths, counts
        self.size, self.tokens, self.arguments, self.label_prefix = size, tokens, arguments, label_prefix
        self.prune_pairs = prune
        self.hashes = np.zeros(len(starts), dtype=np.int32)
        self._found: kernels.Names | None = None
        self._lock = threading.Lock()
        self._fill()
        self._grams = self._learned_grams()
        self._words: list[bytes] | None = None
        self._labels: list[bytes] | None = None

    @classmethod
    def of(
        cls,
        words: Sequence[bytes],
        counts: Sequence[int] | Longs,
        labels: Sequence[bytes],
        label_counts: Sequence[int] | Longs,
        arguments: Arguments,
        *,
        tokens: int | None = None,
        prune: dict[int, int] | None = None,
        label_prefix: bytes = LABEL_PREFIX.encode(),
    ) -> Dictionary:
        """A dictionary of given words and labels, each in the order of their numbers; see the class."""
        both = [*words, *labels]
        lengths = np.array([len(name) for name in both], dtype=np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        arena = np.frombuffer(b"".join(both) + bytes(PAD), dtype=np.uint8).copy()
        all_counts = np.array([*counts, *label_counts], dtype=np.int64)
        pairs = None
        if prune is not None:
            pairs = np.array(list(prune), dtype=np.int64), np.array(list(prune.values()), dtype=np.int64)
        total = int(all_counts.sum()) if tokens is None else tokens
        return cls(
            arena,
            starts,
            lengths,
            all_counts,
            len(words),
            arguments,
            tokens=total,
            prune=pairs,
            label_prefix=label_prefix,
        )

    @classmethod
    def learn(
        cls,
        source: Path | str | bytes,
        arguments: Arguments,
        min_count_label: int = 0,
        label_prefix: str = LABEL_PREFIX,
        threads: int = 1,
    ) -> Dictionary:
        """Count the names of a text; those seen often enough stay, by count and then by where they were met first.

        Args:
            source: the path of a file, or the text itself as bytes.
            arguments: the settings; ``min_count`` is that of words.
            min_count_label: a label seen less often is no label.
            label_prefix: with which labels begin.
            threads: how many count at once; the answer does not depend on it.

        Raises:
            DataError: no name is seen often enough, or the file cannot be read.
        """
        prefix = label_prefix.encode()
        table = count_names(source, threads)
        size, arena = int(table.used[NAMES]), table.counts.arena
        starts, lengths = table.counts.starts[:size], table.counts.lengths[:size]
        counts, firsts = table.counts.counts[:size], table.counts.firsts[:size]
        labels = np.zeros(size, dtype=np.bool_)
        kernels.begin_with(arena, starts, lengths, np.frombuffer(prefix, dtype=np.uint8).copy(), labels)
        order = np.lexsort((firsts, -counts, labels))
        enough = counts[order] >= np.where(labels[order], min_count_label, arguments.min_count)
        chosen = order[enough]
        if not len(chosen):
            raise _no_words(arguments.min_count)
        found = np.zeros(int(lengths[chosen].sum()) + PAD, dtype=np.uint8)
        found_starts = np.zeros(len(chosen), dtype=np.int64)
        kernels.gather(arena, starts, lengths, chosen, found, found_starts)
        lengths, counts, size, tokens = lengths[chosen], counts[chosen], int((~labels[chosen]).sum()), table.tokens
        del (
            table,
            arena,
            starts,
            firsts,
            order,
            enough,
            chosen,
            labels,
        )  # beside the dictionary they would be the most memory
        return cls(found, found_starts, lengths, counts, size, arguments, tokens=tokens, label_prefix=prefix)

    # ---- what is in it --------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.name_starts)

    def name(self, number: int) -> bytes:
        """A word, or from V on a label."""
        start = int(self.name_starts[number])
        return self.arena[start : start + int(self.name_lengths[number])].tobytes()

    @property
    def words(self) -> list[bytes]:
        """All words by number."""
        if self._words is None:
            self._words = self._listed(0, self.size)
        return self._words

    @property
    def labels(self) -> list[bytes]:
        """All labels by number."""
        if self._labels is None:
            self._labels = self._listed(self.size, len(self))
        return self._labels

    def _listed(self, first: int, last: int) -> list[bytes]:
        whole = self.arena.tobytes()
        starts, lengths = self.name_starts[first:last].tolist(), self.name_lengths[first:last].tolist()
        return [whole[start : start + length] for start, length in zip(starts, lengths, strict=True)]

    @property
    def counts(self) -> Longs:
        """(V,) how often each word was seen."""
        return self.all_counts[: self.size]

    @property
    def label_counts(self) -> Longs:
        """(C,) how often each label was seen."""
        return self.all_counts[self.size :]

    @property
    def target_counts(self) -> Longs:
        """The counts of what is predicted: labels, or words."""
        return self.label_counts if self.arguments.supervised else self.counts

    @property
    def prune(self) -> dict[int, int] | None:
        """Bucket → row, counted from V on; None: nothing was cut."""
        if self.prune_pairs is None:
            return None
        return dict(zip(self.prune_pairs[0].tolist(), self.prune_pairs[1].tolist(), strict=True))

    @property
    def rows(self) -> int:
        """How many input rows there are: words, then buckets."""
        return self.size + (self.arguments.buckets if self.prune_pairs is None else len(self.prune_pairs[0]))

    @property
    def grams(self) -> kernels.Grams:
        """Which n-grams there are, for kernels."""
        return self._grams

    @property
    def _names(self) -> kernels.Names:
        """The names and the table by which they are found, for kernels."""
        found = self._found
        if found is None:
            with self._lock:
                found = self._found or self._fill()
        return found

    def _fill(self) -> kernels.Names:
        starts, lengths = self.name_starts, self.name_lengths
        slots = np.zeros((power_above(2 * len(starts)), 2), dtype=np.uint64)
        if kernels.fill_slots(slots, self.arena, starts, lengths, self.hashes) >= 0:
            raise ValueError(LABEL_CLASH)
        prefix = np.frombuffer(self.label_prefix, dtype=np.uint8).copy()
        names = kernels.Names(slots, self.arena, starts, lengths, self.hashes, prefix, self.size, -1)
        padded = np.frombuffer(END + bytes(PAD), dtype=np.uint8).copy()
        self._found = names._replace(end=int(kernels.look_up(names, padded, 0, len(END))))
        return self._found

    def rest(self) -> None:
        """Forget how names are found; the table is made again when somebody asks."""
        self._found = None

    def number_of(self, name: bytes) -> int:
        """The number of a word, or V + the number of a label; −1: unknown."""
        padded = np.frombuffer(name + bytes(PAD), dtype=np.uint8).copy()
        return int(kernels.look_up(self._names, padded, 0, len(name)))

    def row_of(self, word: bytes) -> int:
        """The row of a word; −1: unknown."""
        number = self.number_of(word)
        return number if number < self.size else -1

    def label_number(self, label: bytes) -> int:
        """The number of a label; −1: unknown."""
        number = self.number_of(label)
        return number - self.size if number >= self.size else -1

    def bucket_of(self, piece: bytes) -> int:
        """The bucket of one n-gram."""
        padded = np.frombuffer(piece + bytes(PAD), dtype=np.uint8).copy()
        return int(kernels.fnv1a(padded, 0, len(piece))) % max(1, self.arguments.buckets)

    def is_label(self, token: bytes) -> bool:
        """What the original takes a token for: as the dictionary says, or else by its beginning."""
        number = self.number_of(token)
        return number >= self.size if number >= 0 else token.startswith(self.label_prefix)

    def with_arguments(self, arguments: Arguments) -> Dictionary:
        """The same names under other settings."""
        return Dictionary(
            self.arena,
            self.name_starts,
            self.name_lengths,
            self.all_counts,
            self.size,
            arguments,
            tokens=self.tokens,
            prune=self.prune_pairs,
            label_prefix=self.label_prefix,
        )

    # ---- n-grams --------------------------------------------------------------------------------------------------

    def _learned_grams(self) -> kernels.Grams:
        arguments, kept, rows = self.arguments, ALL, np.zeros(1, dtype=np.int64)
        if self.prune_pairs is not None:
            buckets, numbers = self.prune_pairs
            kept = PRUNED if len(buckets) else NONE
            rows = np.zeros(power_above(2 * len(buckets)), dtype=np.int64)
            if kernels.keep_buckets(buckets, numbers, rows) >= 0:
                raise ValueError("a bucket is kept twice")
        return kernels.Grams(arguments.word_ngrams, arguments.min_n, arguments.max_n, arguments.buckets, kept, rows)

    def subwords(self, word: bytes) -> tuple[list[bytes], Ids]:
        """The pieces of a word and their rows: the word itself first, where it is known, then its character n-grams.

        An n-gram whose bucket was cut away has no row and is left out (the original names it, so that its two lists
        disagree).
        """
        number, texts = self.row_of(word), list[bytes]()
        rows = list[int]()
        if number >= 0:
            texts.append(word)
            rows.append(number)
        for piece in pieces_of(word, self.arguments.min_n, self.arguments.max_n):
            row = self.bucket_row(self.bucket_of(piece)) if self.arguments.buckets > 0 else -1
            if row >= 0:
                texts.append(piece)
                rows.append(row)
        return texts, np.array(rows, dtype=np.int32)

    def bucket_row(self, bucket: int) -> int:
        """The input row of a bucket; −1: it was cut away."""
        if self.prune_pairs is None:
            return self.size + bucket
        at = np.flatnonzero(self.prune_pairs[0] == bucket)
        return self.size + int(self.prune_pairs[1][at[0]]) if len(at) else -1

    def rows_of(self, words: Sequence[bytes]) -> tuple[Ids, Longs]:
        """The rows of many words as ``subwords`` has them, and where each word's begin (M + 1,)."""
        lengths = np.array([len(word) for word in words], dtype=np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        arena = np.frombuffer(b"".join(words) + bytes(PAD), dtype=np.uint8).copy()
        numbers = np.array([self.row_of(word) for word in words], dtype=np.int64)
        return self._rows_of(arena, starts, lengths, numbers)

    def rows_of_known(self, first: int, last: int) -> tuple[Ids, Longs]:
        """The same for the words with these numbers, ``last`` exclusive."""
        return self._rows_of(
            self.arena,
            self.name_starts[first:last],
            self.name_lengths[first:last],
            np.arange(first, last, dtype=np.int64),
        )

    def _rows_of(self, arena: Bytes, starts: Longs, lengths: Ids, numbers: Longs) -> tuple[Ids, Longs]:
        sizes = lengths.astype(np.int64) + 2
        spread = max(0, self.arguments.max_n - max(1, self.arguments.min_n) + 1)
        room = int((sizes * np.minimum(sizes, spread) + 1).sum())
        out, ends = np.empty(room, dtype=np.int32), np.zeros(len(starts) + 1, dtype=np.int64)
        kernels.rows_of_names(arena, starts, lengths, numbers, self._grams, self.size, out, ends)
        return out[: int(ends[-1])].copy(), ends

    # ---- lines ----------------------------------------------------------------------------------------------------

    def encode(self, data: bytes, threads: int = 1, *, whole: bool = False) -> Lines:
        """A text as lines of rows and labels; for word vectors, of word numbers.

        Args:
            data: the text. A last line without a line end has no ``</s>``.
            threads: how many work at once; the answer does not depend on it.
            whole: a ``</s>`` that is written out hides the rest of its line, so that lines stay one for one; else the rest is a
                line of its own, as the original reads files.
        """
        return self._encode(pieces_of_bytes(data, threads), threads, whole)

    def encode_file(self, path: Path | str, threads: int = 1) -> Lines:
        """The lines of a file, never held in memory as text.

        Raises:
            DataError: it cannot be read.
        """
        return self._encode(pieces_of_file(Path(path)), threads, False)

    def encode_texts(self, texts: Sequence[str], *, folded: bool = False, room: Room | None = None) -> Lines:
        """One line for each text, which must hold no line end; each gets its ``</s>``.

        Args:
            texts: any number.
            folded: a known word gives its own row alone, its character n-grams are left to the reader.
            room: used again and again, where the lines are done with before the next call.

        Raises:
            UsageError: a line end within a text.
        """
        data = "\n".join([*texts, _PADDING]).encode()
        piece = Piece(0, 0, np.frombuffer(data, dtype=np.uint8), len(data) - PAD)
        found = self._encode_piece(piece, True, folded, room)
        if self.arguments.supervised and len(found) != len(texts):
            raise _line_end()
        return found

    def blocks(self, path: Path | str, *, folded: bool = False) -> Iterator[Lines]:
        """The lines of a file, some megabytes of text at a time; ``folded`` as in ``encode_texts``."""
        for piece in pieces_of_file(Path(path)):
            yield self._encode_piece(piece, False, folded)

    def _encode(self, pieces: Iterator[Piece], threads: int, whole: bool) -> Lines:
        """The pieces' lines in the text's order: what is done too early waits."""
        found, collected, rooms = dict[int, Lines](), Collection(), dict[int, Room]()
        lock = threading.Lock()
        next_one = 0

        def work(piece: Piece) -> None:
            nonlocal next_one
            lines = self._encode_piece(piece, whole, room=rooms.setdefault(threading.get_ident(), Room()))
            with lock:
                if piece.number != next_one:
                    found[piece.number] = lines.copy()
                    return
                collected.append(lines)
                next_one += 1
                while next_one in found:
                    collected.append(found.pop(next_one))
                    next_one += 1

        share_out(pieces, threads, work)
        return collected.whole()

    def _encode_piece(self, piece: Piece, whole: bool, folded: bool = False, room: Room | None = None) -> Lines:
        """The lines of a piece: views of the room, where one is given."""
        own = Room() if room is None else room
        own.suit(piece.size // 5 + 16, self.arguments.word_ngrams)
        state = np.zeros(4, dtype=np.int64)
        while True:
            if not self.arguments.supervised:
                status = kernels.encode_words(piece.data, piece.size, self._names, own.out, state)
            else:
                status = kernels.encode(piece.data, piece.size, self._names, self._grams, whole, folded, own.out, state)
            if status == DONE:
                break
            own.double(only_hashes=status == LONG)
        return own.lines(state)


def pieces_of(word: bytes, min_n: int, max_n: int) -> list[bytes]:
    """The character n-grams of ``<word>``, as the original cuts them; none for END."""
    if word == END or max_n < 1:
        return []
    marked = b"<" + word + b">"
    begins = [place for place, byte in enumerate(marked) if byte & 0xC0 != 0x80]
    ends = [*begins[1:], len(marked)]
    found = []
    for first, start in enumerate(begins):
        for size, end in enumerate(ends[first : first + max_n], 1):
            if size >= min_n and not (size == 1 and (start == 0 or end == len(marked))):
                found.append(marked[start:end])
    return found


def tokens_of(text: bytes) -> list[bytes]:
    """The tokens of a text, ``</s>`` for each line end."""
    spaced = text.translate(_BLANKED).replace(b"\n", b" </s> ")
    return [token for token in spaced.split(b" ") if token]


_BLANKED = bytes(32 if byte in b"\r\t\v\f\0" else byte for byte in range(256))


def _no_words(min_count: int) -> DataError:
    return DataError(
        "no-words",
        say(
            f"no word or label occurs often enough (min_count is {min_count})",
            f"没有任何词或标签出现得足够多（min_count 为 {min_count}）",
        ),
        help="-minCount 1",
    )


def _line_end() -> UsageError:
    return UsageError(
        "line-end",
        say("predict processes one line at a time (remove '\\n')", "predict 每次只处理一行（请去掉 '\\n'）"),
        help="text.replace('\\n', ' ')",
    )
