"""The dictionary and the encoding of lines, held against plain loops and against the original's own answers."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError
from erya.models.fasttext import text_pieces as module
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.dictionary import END, Dictionary, pieces_of, tokens_of
from erya.models.fasttext.line_kernels import END_HASH, LONGEST_LINE

SUPERVISED = Arguments(model="supervised", loss="softmax", min_count=1, min_n=0, max_n=0, buckets=0)


# ---- the same in plain loops ---------------------------------------------------------------------------------------


def fnv(text: bytes) -> int:
    value = 2166136261
    for byte in text:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) % 2**32
    return value


def plain_words(data: bytes) -> list[tuple[bytes, int]]:
    """Tokens, and how far one has read when a token is known: the blank behind it is taken, a line end is not."""
    tokens, word = [], b""
    for place, byte in enumerate(data):
        if byte in b" \n\r\t\v\f\0":
            if word:
                tokens.append((word, place + (byte != 10)))
                word = b""
            if byte == 10:
                tokens.append((END, place + 1))
        else:
            word += bytes([byte])
    return [*tokens, (word, len(data))] if word else tokens


def plain_tokens(data: bytes) -> list[bytes]:
    return [token for token, _ in plain_words(data)]


def plain_lines(dictionary: Dictionary, data: bytes) -> list[tuple[list[int], list[int], int]]:
    lines, tokens, read = [], [], 0
    for token, place in plain_words(data):
        tokens.append(token)
        if token == END:
            lines.append(plain_line(dictionary, tokens))
            tokens, read = [], place
    if read < len(data):  # even where only blanks are left
        lines.append(plain_line(dictionary, tokens))
    return lines


def plain_line(dictionary: Dictionary, tokens: list[bytes]) -> tuple[list[int], list[int], int]:
    arguments, words, labels = dictionary.arguments, dictionary.words, dictionary.labels
    rows, found, hashes = [], [], []
    for token in tokens:
        if token in labels:
            found.append(labels.index(token))
        elif token in words or not token.startswith(b"__label__"):
            rows += [words.index(token)] if token in words else []
            rows += [plain_row(dictionary, fnv(piece)) for piece in pieces_of(token, arguments.min_n, arguments.max_n)]
            value = fnv(token)
            hashes.append(value - 2**32 if value >= 2**31 else value)
    for i, value in enumerate(hashes):
        for other in hashes[i + 1 : i + arguments.word_ngrams]:
            value = (value * 116049371 + other) % 2**64
            rows.append(plain_row(dictionary, value))
    return [row for row in rows if row >= 0], found, len(tokens)


def plain_row(dictionary: Dictionary, value: int) -> int:
    bucket = value % dictionary.arguments.buckets
    row = bucket if dictionary.prune is None else dictionary.prune.get(bucket, -1)
    return len(dictionary.words) + row if row >= 0 else -1


def listed(lines) -> list[tuple[list[int], list[int], int]]:
    return [
        (
            lines.rows[lines.starts[i] : lines.starts[i + 1]].tolist(),
            lines.labels[lines.label_starts[i] : lines.label_starts[i + 1]].tolist(),
            int(lines.tokens[i]),
        )
        for i in range(len(lines))
    ]


def some_dictionary(word_ngrams=1, min_n=0, max_n=0, buckets=0, prune=None) -> Dictionary:
    words = [END, b"the", "löwe".encode(), b"abcdefgh", b"abcdefghi", b"abcdefghij", "米饭".encode(), b"a", b"x" * 300]
    arguments = Arguments(
        dim=3, model="supervised", loss="softmax", word_ngrams=word_ngrams, min_n=min_n, max_n=max_n, buckets=buckets
    )
    labels = [b"__label__a", b"__label__b", b"odd"]
    return Dictionary.of(words, range(20, 11, -1), labels, [5, 4, 3], arguments, prune=prune)


PIECES = [
    b"the",
    b"a",
    b"abcdefgh",
    b"abcdefghi",
    b"abcdefghijk",
    b"unknown",
    b"x" * 300,
    "löwe".encode(),
    "米".encode(),
]
PIECES += [b"__label__a", b"__label__b", b"__label__zz", b"odd", b"__label_", END, b"\xff\xfe", b"\x80"]
SPACE = [b" ", b"\n", b"\t", b"\r\n", b"\0", b"\v", b"\f", b"  "]
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(SPACE)), max_size=40).map(
    lambda pairs: b"".join(word + space for word, space in pairs)
)
KINDS = [
    {},
    {"word_ngrams": 3, "buckets": 11},
    {"min_n": 2, "max_n": 4, "buckets": 13},
    {"word_ngrams": 2, "min_n": 1, "max_n": 3, "buckets": 17},
    {"word_ngrams": 2, "min_n": 1, "max_n": 3, "buckets": 17, "prune": {4: 1, 9: 0, 16: 2}},
    {"word_ngrams": 2, "max_n": 3, "buckets": 17, "prune": {}},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=150)
@given(text=TEXTS, cut=st.integers(0, 3))
def test_lines_are_those_of_plain_loops(kind, text, cut):
    dictionary = some_dictionary(**kind)
    data = text[: len(text) - cut]
    assert listed(dictionary.encode(data)) == plain_lines(dictionary, data)


@given(text=st.binary(max_size=60))
def test_tokens_are_those_of_plain_loops(text):
    assert tokens_of(text) == plain_tokens(text)


def test_threads_and_pieces_change_nothing(monkeypatch, tmp_path):
    dictionary = some_dictionary(word_ngrams=2, min_n=2, max_n=3, buckets=101)
    generator = np.random.default_rng(1)
    text = b"".join(PIECES[i] + SPACE[j] for i, j in generator.integers(0, [len(PIECES), len(SPACE)], (3000, 2)))
    whole = listed(dictionary.encode(text))
    assert whole == plain_lines(dictionary, text)
    path = tmp_path / "text.txt"
    path.write_bytes(text)
    for size in (1, 7, 100):
        monkeypatch.setattr(module, "PIECE", size)
        assert listed(dictionary.encode(text, threads=3)) == whole
        assert listed(dictionary.encode_file(path, threads=2)) == whole
        assert [line for block in dictionary.blocks(path) for line in listed(block)] == whole
        learned = Dictionary.learn(path, SUPERVISED, threads=3)
        assert learned.words == Dictionary.learn(text, SUPERVISED).words


def test_texts_stay_one_for_one():
    dictionary = some_dictionary()
    lines = listed(dictionary.encode_texts(["the </s> a a a", "", "a", " __label__b"]))
    assert lines == [([1, 0], [], 2), ([0], [], 1), ([7, 0], [], 2), ([0], [1], 2)]
    assert len(dictionary.encode_texts([])) == 0


def test_unsupervised_lines_hold_known_words_and_are_cut():
    arguments = Arguments(dim=3, model="cbow", min_count=1, max_n=0, min_n=0, buckets=0)
    dictionary = Dictionary.of([END, b"a"], [3, 2], [b"__label__x"], [1], arguments)
    lines = dictionary.encode(b"a zz a __label__x\n\n" + b"a " * 2500 + b"\nzz")
    assert lines.tokens.tolist() == [4, 1, LONGEST_LINE + 1, LONGEST_LINE + 1, 451, 0]
    assert np.diff(lines.starts).tolist() == [3, 1, LONGEST_LINE + 1, LONGEST_LINE + 1, 451, 0]
    assert lines.rows[:4].tolist() == [1, 1, 0, 0]


def test_a_line_larger_than_any_guess():
    dictionary = some_dictionary(word_ngrams=5, min_n=1, max_n=9, buckets=7)
    text = b"abcdefghijk " * 5000
    rows, labels, tokens = listed(dictionary.encode(text))[0]
    assert tokens == 5000
    assert len(rows) == 5000 * len(pieces_of(b"abcdefghijk", 1, 9)) + 4 * 5000 - 10
    assert labels == []


# ---- learning --------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(text=TEXTS, least=st.integers(1, 3), least_label=st.integers(0, 3))
def test_learned_names_are_counted_and_ranked(text, least, least_label):
    counts = Counter(plain_tokens(text))  # in the order in which they are met
    ranked = sorted(counts, key=lambda token: (token.startswith(b"__label__"), -counts[token]))
    words = [token for token in ranked if not token.startswith(b"__label__") and counts[token] >= least]
    labels = [token for token in ranked if token.startswith(b"__label__") and counts[token] >= least_label]
    arguments = Arguments(model="supervised", min_count=least)
    if not words and not labels:
        with pytest.raises(DataError, match="often enough"):
            Dictionary.learn(text, arguments, least_label)
        return
    found = Dictionary.learn(text, arguments, least_label)
    assert (found.words, found.labels, found.tokens) == (words, labels, sum(counts.values()))
    assert found.counts.tolist() == [counts[word] for word in words]
    assert found.label_counts.tolist() == [counts[label] for label in labels]


def test_many_names():
    text = "".join(f"w{i * 7919 % 50000} __label__{i % 3000}\n" for i in range(60000)).encode()
    found = Dictionary.learn(text, SUPERVISED, threads=2)
    assert (found.size, len(found)) == (50001, 53001)
    assert found.words[0] == END
    for name in (b"w77", b"w49999"):
        assert found.words[found.row_of(name)] == name
    assert found.labels[found.label_number(b"__label__2999")] == b"__label__2999"
    assert found.row_of(b"__label__2999") == -1
    assert found.label_number(b"w77") == -1
    assert found.row_of(b"w50000") == -1


def test_label_prefix():
    found = Dictionary.learn(b"#a x #b #a\n", SUPERVISED, label_prefix="#")
    assert found.labels == [b"#a", b"#b"]
    assert [labels for _, labels, _ in listed(found.encode(b"x #b #unknown\n"))] == [[1]]


def test_missing_file(tmp_path):
    with pytest.raises(DataError) as caught:
        Dictionary.learn(tmp_path / "none.txt", SUPERVISED)
    assert caught.value.code.startswith("file-")


# ---- names and n-grams -------------------------------------------------------------------------------------------------


def test_names_twice_are_refused():
    with pytest.raises(ValueError, match="twice"):
        Dictionary.of([b"a", b"b"], [1, 1], [b"a"], [1], SUPERVISED)
    with pytest.raises(ValueError, match="twice"):
        Dictionary.of([b"longer than eight", b"longer than eight"], [1, 1], [], [], SUPERVISED)


def test_hash_of_the_line_end():
    assert fnv(END) in (END_HASH, END_HASH + 2**32)


@pytest.mark.parametrize(
    ("word", "least", "most", "pieces"),
    [
        ("ab", 1, 2, ["<a", "a", "ab", "b", "b>"]),
        ("ab", 3, 6, ["<ab", "<ab>", "ab>"]),
        ("米饭", 2, 2, ["<米", "米饭", "饭>"]),
        ("a", 1, 1, ["a"]),
        ("", 1, 2, ["<>"]),
        ("</s>", 1, 3, []),
        ("ab", 3, 2, []),
    ],
)
def test_pieces(word, least, most, pieces):
    assert pieces_of(word.encode(), least, most) == [piece.encode() for piece in pieces]


@given(word=st.binary(max_size=12), least=st.integers(0, 3), most=st.integers(0, 5))
def test_rows_of_words_are_those_of_their_pieces(word, least, most):
    dictionary = some_dictionary(min_n=least, max_n=most, buckets=19)
    rows, ends = dictionary.rows_of([b"the", word, word])
    texts, expected = dictionary.subwords(word)
    assert rows[ends[1] : ends[2]].tolist() == expected.tolist() == rows[ends[2] :].tolist()
    known = [number for number in [dictionary.row_of(word)] if number >= 0]
    assert expected.tolist() == known + [dictionary.size + fnv(piece) % 19 for piece in pieces_of(word, least, most)]
    assert len(texts) == len(expected)


def test_pruned_buckets():
    dictionary = some_dictionary(min_n=1, max_n=2, buckets=19, prune={3: 1, 7: 0})
    assert dictionary.rows == dictionary.size + 2
    assert dictionary.bucket_row(7) == dictionary.size
    assert dictionary.bucket_row(8) == -1
    assert dictionary.prune == {3: 1, 7: 0}
    with pytest.raises(ValueError, match="twice"):
        Dictionary(
            dictionary.arena,
            dictionary.name_starts,
            dictionary.name_lengths,
            dictionary.all_counts,
            dictionary.size,
            dictionary.arguments,
            tokens=1,
            prune=(np.array([5, 5]), np.array([0, 1])),
        )


def test_one_long_line_takes_memory_of_its_own_order():
    """Room for the words of a line is not room for lines."""
    arguments = Arguments(model="supervised", word_ngrams=2, min_n=0, max_n=0, buckets=100)
    dictionary = Dictionary.of([b"a", b"b"], [3, 2], [b"__label__x"], [1], arguments)
    text = "a b " * 150_000
    dictionary.encode_texts([text[:1000]])
    tracemalloc.start()
    found = dictionary.encode_texts([text])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert int(found.tokens[0]) == 300_001
    assert most < 40 * len(text)
