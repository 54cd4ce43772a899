"""Tokens of many texts by a kernel: the same tokens as the tokenizers give, whatever the text holds."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.text import token_numbers
from erya.text.token_numbers import TokenNumbers, kinds_of
from erya.text.tokenizers import Characters, ChineseWords, Whitespace, Words, tokens_of

END = "</s>"
KNOWN = [Words(), Words(lower=False), Words(punctuation=False), Characters(), Characters(lower=False), Whitespace()]
KNOWN.append(Characters(punctuation=False))
ODD = (
    "aBz09_-.,! \t\n\x0b\x1c\x85\xa0\u2028\u3000éßẞK\u212aⒶⅧ٣हिक्षा\u0301\ufe0f\u200c\u200d好春〇々𠀀"
    "ΣσİıǅŒ🙂👩🇩🇪\U0001f3fb\ud800\udfff\uffff\U0003fffe\U000e0100\U0010ffff\x00"
)


def read(numbers: TokenNumbers, documents: list) -> list[list[str]]:
    found = numbers.number(documents)
    words = numbers.words()
    return [
        [words[number] for number in found.ids[a:b].tolist()]
        for a, b in zip(found.starts[:-1].tolist(), found.starts[1:].tolist(), strict=True)
    ]


def expected(tokenizer, documents: list) -> list[list[str]]:
    return [[*tokens_of(tokenizer, document), END] for document in documents]


TEXTS = st.text(st.sampled_from(ODD), max_size=24) | st.text(max_size=24)


@pytest.mark.parametrize("tokenizer", KNOWN, ids=str)
@settings(max_examples=150, deadline=None)
@given(documents=st.lists(TEXTS | st.tuples(TEXTS, TEXTS), max_size=8))
def test_the_same_tokens_as_in_python(tokenizer, documents):
    assert read(TokenNumbers(tokenizer, END), documents) == expected(tokenizer, documents)


@pytest.mark.parametrize("tokenizer", KNOWN, ids=str)
def test_every_code_point_alone_between_letters_and_after_a_mark(tokenizer):
    codes = [*range(0x3400), *range(0x9FF0, 0xA100), *range(0xD7FF, 0xE010), *range(0xF8F0, 0x10500)]
    codes += [*range(0x1F000, 0x1FB00), *range(0x1FFFE, 0x20010), *range(0xE0000, 0xE0200), 0x3FFFF, 0x40000, 0x10FFFF]
    documents = [form.format(chr(code)) for form in ("{0}", "a{0}B", "e\u0301{0}春") for code in codes]
    assert read(TokenNumbers(tokenizer, END), documents) == expected(tokenizer, documents)


def test_other_tokenizers_go_through_python():
    documents = ["我来到北京清华大学", "", ("plain text", "北京")]
    assert kinds_of(ChineseWords()) is None
    assert read(TokenNumbers(ChineseWords(), END), documents) == expected(ChineseWords(), documents)


def test_hard_texts_are_few():
    numbers = TokenNumbers(Words(), END)
    numbers._seen.clear()  # what goes through Python is remembered there
    read(numbers, ["Ordinary text, हिन्दी में, 中文也行。 naïve – 'quoted' 🙂", "نه می‌خواهم"])
    assert not numbers._seen
    read(numbers, ["ΟΔΟΣ"])
    assert set(numbers._seen) == {"οδος"}


def test_given_words_have_the_first_numbers():
    numbers = TokenNumbers(Words(), END, ["soup", "</s>", "a"])
    assert numbers.number(["A soup"]).ids.tolist() == [2, 0, 1]
    assert numbers.closing == 1
    assert numbers.number([]).starts.tolist() == [0]


def test_long_tokens_and_full_tables():
    numbers = TokenNumbers(Words(), END)
    documents = ["a" * 5000, "春" * 400, "é" * 700, "x" * 1024, "x" * 1025, "a" + "\u0301" * 900]
    documents += [" ".join(f"w{number}" for number in range(first, first + 100)) for first in range(0, 30_000, 100)]
    assert read(numbers, documents) == expected(Words(), documents)
    assert len(numbers.table) > 30_000


def test_what_is_not_lasting_is_forgotten_and_found_again(monkeypatch):
    monkeypatch.setattr(token_numbers, "SPARE_WORDS", 50)
    numbers = TokenNumbers(Words(), END, ["known", END])
    many = " ".join(f"w{number}" for number in range(60))
    assert not numbers.forget()
    read(numbers, [many, "Σ hard"])
    assert numbers.forget()
    assert len(numbers.table) == numbers.lasting
    assert read(numbers, ["w3 known Σ", many]) == expected(Words(), ["w3 known Σ", many])
    assert numbers.number(["known"]).ids.tolist() == [0, 1]


def test_threads_share_a_table_under_its_lock():
    numbers, wrong = TokenNumbers(Words(), END), list[int]()

    def work(seed: int) -> None:
        documents = [f"word{seed} word{number} of {number % 7}" for number in range(2000)]
        for _ in range(3):
            with numbers.lock:
                found = read(numbers, documents)
            if found != expected(Words(), documents):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_ids_are_small():
    assert TokenNumbers(Words(), END).number(["a b"]).ids.dtype == np.int32
