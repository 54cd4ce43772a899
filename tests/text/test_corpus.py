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
