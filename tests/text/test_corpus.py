"""The corpus scan against the tokenizers it stands in for, word by word, whatever the text and however it is cut."""

from __future__ import annotations

import gzip
import itertools
import lzma
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from erya.errors import DataError, Interrupted, UsageError
from erya.progress import Report
from erya.text import Characters, ChineseWords, Whitespace, Words, corpus_kernels
from erya.text.corpus import encode, lines_of
from erya.text.corpus_forms import TEXT_END, forms_of
from erya.text.corpus_reading import Limits

TINY = Limits(block=7, round=3, spill=5, local=2, longest=12)
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


def naive(lines, tokenizer, *, min_count=1, longest=1 << 16):
    """words, counts, ids, tokens as the docstring of ``Encoded`` promises them."""
    lists = [tokenizer if isinstance(line, list) else tokenizer.tokens(line) for line in lines]
    short = [[token for token in tokens if len(token.encode("utf-8", "surrogatepass")) <= longest] for tokens in lists]
    seen = Counter(itertools.chain.from_iterable(short))
    words = sorted((word for word in seen if seen[word] >= min_count), key=lambda word: (-seen[word], word))
    index = {word: number for number, word in enumerate(words)}
    ids = []
    for tokens in short:
        line = [index[token] for token in tokens if token in index]
        ids += [*line, -1] if line else []
    return words, [seen[word] for word in words], ids, sum(map(len, lists))


def seen_in(encoded):
    return encoded.words, encoded.counts.tolist(), encoded.ids.tolist(), encoded.tokens


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
@settings(max_examples=300)
@given(texts=st.lists(TEXTS, max_size=4), threads=st.integers(1, 3))
@example(texts=[ODD, ODD.upper()], threads=2)
def test_texts_give_what_the_tokenizer_gives(tokenizer, texts, threads):
    texts = [*texts, "word"]
    if any(len(token.encode()) > TINY.longest for text in texts for token in tokenizer.tokens(text)):
        limits = Limits(block=7, round=3, spill=5, local=2)
    else:
        limits = TINY
    found = encode(texts, tokenizer=tokenizer, min_count=1, threads=threads, _limits=limits)
    assert seen_in(found) == naive(texts, tokenizer)
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
    assert seen_in(found) == naive(lines, tokenizer)
    assert found.lines == len(lines)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=repr)
@settings(max_examples=150)
@given(text=st.text(st.sampled_from("aB1Ⱥé北\u0301\u200d👍 .\n\U00020bb7"), max_size=200), block=st.integers(2, 9))
@example(text="a" * 50 + "北" + "\u0301" * 40 + "b\u0301" * 9 + " x" + "\u200d" * 30 + "y", block=4)
def test_giant_tokens_are_counted_and_left_out(tmp_path_factory, tokenizer, text, block):
    path = tmp_path_factory.mktemp("corpus") / "t.txt"
    path.write_text(text + " end", encoding="utf-8")
    found = encode(path, tokenizer=tokenizer, min_count=1, threads=2, _limits=Limits(block=block, round=2, longest=8))
    lists = [tokenizer.spans(line) for line in (text + " end").splitlines()]
    lines = (text + " end").split("\n")
    kept = []
    for line in lines:
        spans = tokenizer.spans(line)
        forms = tokenizer.tokens(line)
        kept.append([form for form, (start, end) in zip(forms, spans, strict=True) if len(line[start:end].encode()) <= 8])
    assert (found.words, found.counts.tolist(), found.ids.tolist()) == naive_lists(kept)
    assert found.tokens == sum(len(tokenizer.tokens(line)) for line in lines)


def naive_lists(lists):
    class Same:
        def tokens(self, line):
            return line

    return naive_of([tuple(tokens) for tokens in lists], Same())


def naive_of(lists, same):
    words, counts, ids, _ = naive(lists, same)
    return words, counts, ids
