"""The corpus scan against the tokenizers it stands in for, word by word, whatever the text and however it is cut."""

from __future__ import annotations

import gzip
import itertools
import lzma
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from erya.errors import DataError, Interrupted, UsageError
from erya.progress import Report
from erya.text import Characters, ChineseWords, Whitespace, Words, corpus_kernels
from erya.text.corpus import encode, lines_of
from erya.text.corpus_forms import forms_of
from erya.text.corpus_reading import Limits, Piece
from erya.text.corpus_scan import _Worker

TINY = Limits(block=7, round=3, spill=5, local=2)
ODD = "Don't café 北京大学 👍🏽👨\u200d👩\u200d👧 🇨🇳x ❤️ a_b\0 \u202e می\u200cخواهم ΑΣ'Α İx 葛\U000e0100城 𠮷野家 e\u0301 \u200d\U0003fffdx"
PIECES = st.one_of(
    st.characters(exclude_categories=("Cs",)),
    st.sampled_from(
        "aZ09ΣσİßǅȺ\u0301\u200d\u200c👍\U0001f3fd🇨北京\U00020bb7\U0003fffd\0 \t\n\r\u3000\x1c\u0085_.,'ก\u0e34न\u093f"
    ),
)
TEXTS = st.text(PIECES, max_size=60)
TOKENIZERS = [
    Words(punctuation=False),
    Words(lower=False, punctuation=False),
    Characters(punctuation=False),
    Whitespace(),
]


def naive(lists, *, min_count=1):
    """words, counts, ids and tokens of token lists, as the docstring of ``Encoded`` promises them."""
    seen = Counter(itertools.chain.from_iterable(lists))
    words = sorted((word for word in seen if seen[word] >= min_count), key=lambda word: (-seen[word], word))
    index = {word: number for number, word in enumerate(words)}
    ids = []
    for tokens in lists:
        line = [index[token] for token in tokens if token in index]
        ids += [*line, -1] if line else []
    return words, [seen[word] for word in words], ids, sum(map(len, lists))


def seen_in(encoded):
    return encoded.words, encoded.counts.tolist(), encoded.ids.tolist(), encoded.tokens


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
@settings(max_examples=300)
@given(texts=st.lists(TEXTS, max_size=4), threads=st.integers(1, 3))
@example(texts=[ODD, ODD.upper()], threads=2)
@example(texts=["Σ"], threads=1)
def test_texts_give_what_the_tokenizer_gives(tokenizer, texts, threads):
    texts = [*texts, "word"]
    found = encode(texts, tokenizer=tokenizer, min_count=1, threads=threads, _limits=TINY)
    assert seen_in(found) == naive([tokenizer.tokens(text) for text in texts])
    assert found.lines == len(texts)
    assert found.tokenizer == tokenizer


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
@settings(max_examples=200)
@given(text=TEXTS, block=st.integers(3, 30), ending=st.sampled_from(["", "\n", "\r\n", "\r"]))
@example(text=ODD * 3, block=5, ending="\n")
@example(text="\r\n\r\r\n\n\na\r", block=3, ending="")
def test_files_give_what_their_lines_give(tmp_path_factory, tokenizer, text, block, ending):
    data = (text + ending + "x x" + ending).encode()
    path = tmp_path_factory.mktemp("corpus") / "t.txt"
    path.write_bytes(data)
    found = encode(path, tokenizer=tokenizer, min_count=1, threads=2, _limits=Limits(block=block, round=2, spill=4))
    lines = [line.decode() for line in data.removeprefix(b"\xef\xbb\xbf").splitlines()]
    assert seen_in(found) == naive([tokenizer.tokens(line) for line in lines])
    assert found.lines == len(lines)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
@settings(max_examples=150)
@given(text=st.text(st.sampled_from("aB1Ⱥé北\u0301\u200d👍 .\n\U00020bb7"), max_size=200), block=st.integers(2, 9))
@example(text="a" * 50 + "北" + "\u0301" * 40 + "b\u0301" * 9 + " x" + "\u200d" * 30 + "y", block=4)
def test_giant_tokens_are_counted_and_left_out(tmp_path_factory, tokenizer, text, block):
    path = tmp_path_factory.mktemp("corpus") / "t.txt"
    path.write_text(text + " end", encoding="utf-8")
    found = encode(path, tokenizer=tokenizer, min_count=1, threads=2, _limits=Limits(block=block, round=2, longest=8))
    tokens, kept = 0, []
    for line in (text + " end").split("\n"):
        forms, spans = tokenizer.tokens(line), tokenizer.spans(line)
        tokens += len(forms)
        kept.append(
            [form for form, (start, end) in zip(forms, spans, strict=True) if len(line[start:end].encode()) <= 8]
        )
    assert seen_in(found)[:3] == naive(kept)[:3]
    assert found.tokens == tokens


# ---- what X may be -----------------------------------------------------------------------------------------------


def test_token_lists_are_taken_as_they_are():
    lists = [["New York", "!", "", "a\nb"], ("!", "New York"), np.array(["é", "\ud800"])]
    found = encode(lists, min_count=1, threads=2, _limits=Limits(block=3, round=2))
    assert seen_in(found) == naive([[token for token in tokens if token] for tokens in lists])
    assert found.tokenizer == Whitespace()


def test_a_series_and_a_generator():
    pandas = pytest.importorskip("pandas")
    texts = ["Ein Wort", "ein anderes"]
    expected = seen_in(encode(texts, min_count=1))
    assert seen_in(encode(pandas.Series(texts, index=[5, 9]), min_count=1)) == expected
    assert seen_in(encode((text for text in texts), min_count=1)) == expected


def test_surrogates_in_texts_are_no_words():
    assert encode(["a\ud800b \udc00"], min_count=1).words == ["a", "b"]
    assert encode(["a\ud800b"], tokenizer="whitespace", min_count=1).words == ["a\ud800b"]
    assert encode(["北京\ud800"], tokenizer="chinese_words", min_count=1).words == ["北京"]


def test_auto_looks_at_the_text(tmp_path):
    path = tmp_path / "zh.txt"
    path.write_text("我们在北京大学学习 NLP，很开心\n", encoding="utf-8")
    for corpus in (path, ["我们在北京大学学习 NLP，很开心"]):
        found = encode(corpus, min_count=1)
        assert found.tokenizer == ChineseWords(punctuation=False)
        assert "北京大学" in found.words
        assert "，" not in found.words
    assert encode(["only words"], min_count=1).tokenizer == Words(punctuation=False)


class Letters:
    """A tokenizer that nobody knows."""

    name = "letters"

    def tokens(self, text):
        return list(text)

    def spans(self, text):
        return [(place, place + 1) for place in range(len(text))]

    def to_plain(self):
        return {}


def test_a_tokenizer_of_ones_own(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("ab, é\r\nb\xff".encode())
    found = encode(path, tokenizer=Letters(), min_count=1)
    assert seen_in(found) == naive([list("ab, é"), list("b\xff")])
    assert found.lines == 2


def test_several_files_a_folder_and_a_pattern(tmp_path):
    for name, text in (("train-0.txt", "a b"), ("train-1.txt", "b c\n"), ("valid.txt", "unseen")):
        (tmp_path / name).write_text(text)
    expected = naive([["a", "b"], ["b", "c"]])
    for corpus in (tmp_path, tmp_path / "train-*.txt", [tmp_path / "train-0.txt", tmp_path / "train-1.txt"]):
        assert seen_in(encode(corpus, min_count=1)) == expected
    assert list(lines_of(tmp_path)) == ["a b", "b c"]


def test_packed_files_are_the_same_corpus(tmp_path):
    text = "".join(f"line {number} of é text 北\n" for number in range(3000)).encode()
    plain, packed, xz = tmp_path / "t.txt", tmp_path / "t.txt.gz", tmp_path / "t.txt.xz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    xz.write_bytes(lzma.compress(text))
    first, *others = [encode(path, _limits=Limits(block=1000)) for path in (plain, packed, xz)]
    for other in others:
        assert seen_in(other) == seen_in(first)
        assert other.digest == first.digest


@pytest.mark.parametrize("bad", ["one string", b"bytes", 5, [5], [["a"], "a"], ["a", ["a"]], [["a", 1]], [Letters()]])
def test_what_is_no_corpus(bad):
    with pytest.raises(UsageError):
        encode(bad, min_count=1)


# ---- settings ----------------------------------------------------------------------------------------------------

TEXT = ["b b b a a a c c d"]


def test_order_and_bounds():
    assert encode(TEXT, min_count=2).words == ["a", "b", "c"]
    assert encode(TEXT, min_count=1, max_size=2).words == ["a", "b"]
    found = encode(TEXT, min_count=1, order="word", max_size=3)
    assert (found.words, found.counts.tolist()) == (["a", "b", "c"], [3, 3, 2])
    assert found.ids.tolist() == [1, 1, 1, 0, 0, 0, 2, 2, -1]


def test_a_vocabulary_learns_nothing():
    found = encode([*TEXT, "x"], vocabulary=["d", "zebra", "a"], threads=2, _limits=TINY)
    assert found.words == ["d", "zebra", "a"]
    assert found.counts.tolist() == [1, 0, 3]
    assert found.ids.tolist() == [2, 2, 2, 0, -1]
    assert found.tokens == 10


@pytest.mark.parametrize(
    "bad",
    [
        {"min_count": 0},
        {"max_size": 0},
        {"order": "size"},
        {"threads": 0},
        {"vocabulary": ["a", "a"]},
        {"tokenizer": "word"},
    ],
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(UsageError):
        encode(TEXT, **bad)


@settings(max_examples=30)
@given(texts=st.lists(st.text("abcdefgh ", max_size=60), min_size=1, max_size=20), most=st.integers(2, 12))
def test_forgetting_rare_words_does_not_depend_on_threads(texts, most):
    limits = Limits(block=20, round=2, spill=4, most=most)
    results = []
    for threads in (1, 2, 3):
        try:
            found = encode([*texts, "word " * 9], min_count=1, threads=threads, _limits=limits)
        except DataError as error:  # all were forgotten
            results.append(error.code)
            continue
        results.append(seen_in(found))
        kept = np.bincount(found.ids[found.ids >= 0], minlength=len(found.words))
        assert kept.tolist() == found.counts.tolist()
    assert results[0] == results[1] == results[2]


def test_forgetting_is_said():
    notes = []

    class Listen(Report):
        def note(self, sentence):
            notes.append(sentence)

    words = [f"w{number} often" for number in range(100)]
    found = encode(words, min_count=2, report=Listen(), _limits=Limits(block=64, round=1, most=50))
    assert found.words[0] == "often"
    assert found.counts[0] == 100
    assert "forgotten" in notes[-1]


def test_many_words_and_long_ones():
    """The tables grow; words that share a beginning, a length and even NULs stay apart."""
    words = [f"{'x' * (number % 40)}{number}" for number in range(60_000)] + [
        "a",
        "a\0",
        "a\0\0",
        "a" * 255,
        "a" * 256,
        "a" * 300,
    ]
    found = encode([words, words[::-1]], min_count=1)
    assert found.words == sorted(words)
    assert found.counts.tolist() == [2] * len(words)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
def test_no_word_is_entered_twice(tokenizer):
    data = f"{ODD} ".encode() * 50
    worker = _Worker(forms_of(tokenizer, b"\n\r"), Limits(), 3 * (1 << 16) // 16 + 8)
    worker.scan(Piece(data, None, 0))
    assert len(worker.words) == len(set(tokenizer.tokens(data.decode())))


# ---- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["words", "whitespace", "characters", "chinese_words"])
@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        (b"ok\r\nok\rok \xe5\x8c\xa0 \xff x\n", 3, 14),
        (b"ok\nab\xe5\x8c", 2, 5),
        (b"\xc0\xaf", 1, 0),
        (b"x\n\xed\xa0\x80", 2, 2),
        (b"x\n\n\xf4\x90\x80\x80 x", 3, 3),
        (b"x" * 100 + b"\x80" * 100, 1, 100),
        (b"\xef\xbb\xbfa \xe9t\xe9", 1, 5),
    ],
)
@pytest.mark.parametrize("block", [4, 1 << 20])
def test_bytes_that_are_not_utf8(tmp_path, tokenizer, data, line, byte, block):
    path = tmp_path / "bad.txt"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        encode(path, tokenizer=tokenizer, min_count=1, threads=2, _limits=Limits(block=block, longest=30, round=2))
    assert caught.value.code == "bad-encoding"
    assert caught.value.where == f"bad.txt:{line}, byte {byte}"


@settings(max_examples=300)
@given(st.binary(max_size=40))
def test_validity_is_what_python_says(data):
    expected = -1
    try:
        data.decode()
    except UnicodeDecodeError as error:
        expected = error.start
    assert corpus_kernels.first_invalid(np.frombuffer(data, dtype=np.uint8)) == expected


def test_utf16_with_a_mark_and_without(tmp_path):
    path = tmp_path / "wide.txt"
    path.write_bytes("ein Wört\nein".encode("utf-16"))
    assert seen_in(encode(path, min_count=1)) == naive([["ein", "wört"], ["ein"]])
    path.write_bytes("ein Wort noch ein Wort".encode("utf-16-le"))
    with pytest.raises(DataError) as caught:
        encode(path, min_count=1)
    assert caught.value.code == "bad-encoding"


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n", b"., !\n"])
def test_nothing_to_read(tmp_path, data):
    path = tmp_path / "t.txt"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        encode(path, tokenizer="words")
    assert caught.value.code == "empty-corpus"
    with pytest.raises(DataError):
        encode([])


def test_tokens_that_are_all_too_long_are_the_reason(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"x" * 100_000)
    with pytest.raises(DataError) as caught:
        encode(path, min_count=1)
    assert caught.value.code == "empty-corpus"
    assert "65,536" in str(caught.value)


def test_too_few_of_each():
    with pytest.raises(DataError) as caught:
        encode(TEXT, min_count=4)
    assert caught.value.code == "min-count"
    assert "b 3" in caught.value.where


def test_no_such_file(tmp_path):
    with pytest.raises(DataError) as caught:
        encode(tmp_path / "none.txt")
    assert caught.value.code == "file-missing"


def test_it_stops_when_asked_and_says_how_far_it_is(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("some words\n" * 300_000)
    done = []

    class Stop(Report):
        def progress(self, **where):
            done.append(where["done"])

        def stopping(self):
            return "interrupt" if len(done) == 3 else None

    with pytest.raises(Interrupted):
        encode(path, report=Stop(), _limits=Limits(block=100_000, round=2))
    assert 0 < done[0] <= done[2] < 1


def test_the_temporary_file_goes(tmp_path):
    found = encode(["a b c d"], min_count=1, folder=tmp_path, _limits=Limits(spill=2))
    assert isinstance(found.ids, np.memmap)
    found.close()
    del found
    assert list(tmp_path.iterdir()) == []


# ---- Chinese words -----------------------------------------------------------------------------------------------


def test_chinese_words_in_processes_are_those_of_one():
    texts = [f"第{number}次在北京大学学习自然语言处理，很开心！NLP" for number in range(400)]
    small = Limits(block=2000)
    alone, many = (encode(texts, tokenizer="chinese_words", threads=threads, _limits=small) for threads in (1, 2))
    assert (
        seen_in(alone)
        == seen_in(many)
        == naive([ChineseWords(punctuation=False).tokens(text) for text in texts], min_count=5)
    )


# ---- memory ------------------------------------------------------------------------------------------------------

PEAK = """
import sys, resource
from pathlib import Path
from erya.text.corpus import encode
from erya.text.corpus_forms import forms_of
from erya.text.corpus_reading import Limits, Piece
from erya.text.corpus_scan import _Worker
encode(["a b"], min_count=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = encode(Path(sys.argv[1]), min_count=1, tokenizer="words", threads=2, _limits=Limits(spill=1 << 20))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, found.tokens, len(found.words))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is POSIX only")
def test_a_line_of_300_megabytes_with_a_giant_token_is_never_held(tmp_path):
    path = tmp_path / "line.txt"
    with path.open("wb") as file:
        file.write(b"begin " + b"x" * 10_000_000 + b" ")
        for _ in range(300):
            file.write(b"some words \xe5\x8c\x97 of a line that never ends; " * 24_000)
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    megabytes, tokens, words = map(int, done.stdout.split())
    assert (tokens, words) == (2 + 300 * 24_000 * 9, 10)
    assert megabytes < 150
