"""Units of language models: nothing is lost, whatever the text holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError, UsageError
from erya.text import units
from erya.text.subwords import Subwords

ODD = "Über's  café\n\t第二天，他說：“不 行！” 3.14 𠮷野家 e\u0301 नमस्ते\u200d x_y\u3000z "
LOSSLESS = ["characters", "words"]
texts = st.text(alphabet=st.sampled_from(" \t\n\u3000aé9_.,'-中文𠮷\u0301\u200d\ud800\x00"), max_size=30)


@settings(deadline=None, max_examples=60)
@given(texts)
@pytest.mark.parametrize("name", LOSSLESS)
def test_nothing_is_lost(name, text):
    cutter = units.make(name, [])
    cut = cutter.cut(text)
    assert cutter.glue(cut) == text
    assert [text[start:end] for start, end in cutter.spans(text)] == cut
    assert all(cut)


def test_words_keep_the_blank_before_them():
    assert units.make("words", []).cut("The  cat's 2 cats, 他来。\n") == [
        *["The", " ", " cat", "'", "s", " 2", " cats", ",", " 他", "来", "。", "\n"]
    ]
    assert "".join(units.make("words", []).cut(ODD)) == ODD


def test_whitespace_units_come_back_with_one_blank():
    cutter = units.make("whitespace", [])
    assert cutter.cut(" the  <unk>\tN \n") == ["the", "<unk>", "N"]
    assert [" the  <unk>\tN \n"[slice(*span)] for span in cutter.spans(" the  <unk>\tN \n")] == ["the", "<unk>", "N"]
    assert cutter.glue(["a", "b"]) == "a b"


@pytest.fixture(scope="module")
def bpe():
    return units.make(Subwords.train([ODD, "the cat sees the dog"] * 20, "bpe", 300, lower=False), [])


def test_pieces_of_bytes_lose_nothing_either(bpe):
    for text in (ODD, "the cat", "", "unheard of ☃ 𠀀", "  two blanks", "\n\n"):
        assert bpe.glue(bpe.cut(text)) == text
        assert len(bpe.spans(text)) == len(bpe.cut(text))
        assert all(0 <= start <= end <= len(text) for start, end in bpe.spans(text))
    assert bpe.glue(bpe.cut("中")[:1]) == "\ufffd" or len(bpe.cut("中")) == 1
    assert bpe.name == "bpe"


def test_plain_data_there_and_back(bpe):
    for cutter in (*(units.make(name, []) for name in ("characters", "words", "whitespace")), bpe):
        again = units.from_plain(cutter.to_plain())
        assert again.cut(ODD) == cutter.cut(ODD)
        assert again.name == cutter.name
        assert units.make(cutter, []) is cutter


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {},
        [],
        "words",
        {"units": "magic"},
        {"units": "bpe"},
        {"units": "bpe", "subwords": 3},
        {"units": "words", "x": 1},
    ],
)
def test_strange_plain_data(plain):
    with pytest.raises(ValueError, match=r"\w"):
        units.from_plain(plain)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("春眠不觉晓，处处闻啼鸟。", "characters"),
        ("It was a dark night; he said so, didn't he? He did.", "words"),
        ("it was a <unk> night", "whitespace"),
        ("he said , it was so . she did , too . " * 30, "whitespace"),
        ("", "words"),
        ("英文 words with 中文 mixed in here and there", "words"),
    ],
)
def test_auto_looks_at_the_text(text, name):
    assert units.make("auto", [text]).name == name


def test_what_is_no_units(bpe):
    with pytest.raises(UsageError, match="words"):
        units.make("wordz", [])
    for strange in (3, None, Subwords.train(["a b c"], "bpe", 300, lower=True)):
        with pytest.raises(UsageError):
            units.make(strange, [])
    with pytest.raises(DataError):
        units.make("bpe", [""])
