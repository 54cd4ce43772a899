"""Tokenizers: what they cut, that nothing but white space is lost, and that every span points at its token."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from erya.errors import DataError, UsageError
from erya.text import (
    SEPARATOR,
    Characters,
    ChineseWords,
    Subwords,
    Tokenizer,
    Words,
    from_plain,
    located,
    make,
    read,
    tokens_of,
)

SIMPLE = [Words(), Words(lower=False), Characters(), Characters(lower=False), ChineseWords(), ChineseWords(lower=False)]
ODD = "Don't café 北京大学 👍🏽👨\u200d👩\u200d👧 🇨🇳x ❤️ a_b\0 \ud800 \u202e می\u200cخواهم ΑΣ'Α İx 葛\U000e0100城 𠮷野家 e\u0301"
# All planes, lone surrogates too, with more than their share of what breaks tokenizers.
TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "aΣσİ\u0301\u200d\u200c👍\U0001f3fd🇨🇳北京大学\U00020bb7\ud800\udc00\0 \t\n\u3000\x1c\u0085_.,'"
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Play some JAZZ, now!", ["play", "some", "jazz", ",", "now", "!"]),
        ("我喜欢NLP2号", ["我", "喜", "欢", "nlp2", "号"]),
        ("don't", ["don", "'", "t"]),
        ("snake_case", ["snake", "_", "case"]),
        ("cafe\u0301 नमस्ते", ["cafe\u0301", "नमस्ते"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("很好👍🏽👍", ["很", "好", "👍🏽", "👍"]),
        ("🇨🇳🇫🇷", ["🇨🇳", "🇫🇷"]),
        ("ひらがなカタカナ", ["ひらがなカタカナ"]),
        ("a\0b", ["a", "\0", "b"]),
        ("", []),
        (" \t\n\u3000", []),
    ],
)
def test_words(text, expected):
    assert Words().tokens(text) == expected


def test_words_keep_case_when_asked():
    assert Words(lower=False).tokens("Hi THERE é É") == ["Hi", "THERE", "é", "É"]


def test_characters():
    assert Characters().tokens("  De  La\nCruz ") == list("de la cruz")
    assert Characters().tokens("e\u0301É") == ["e\u0301", "é"]
    assert Characters().tokens("春眠，") == ["春", "眠", "，"]


def test_chinese_words():
    tokens = ChineseWords().tokens("王小明在北京大学学习NLP，很开心")
    assert "".join(tokens) == "王小明在北京大学学习nlp，很开心"
    assert {"北京大学", "学习", "nlp"} <= set(tokens)
    assert ChineseWords().tokens("no Chinese") == ["no", "chinese"]


@pytest.mark.parametrize("tokenizer", SIMPLE, ids=repr)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
@example(text=ODD)
def test_spans_point_at_the_tokens_and_nothing_is_lost(tokenizer, text):
    tokens, spans = tokenizer.tokens(text), tokenizer.spans(text)
    written = [text[start:end] for start, end in spans]
    assert [form.lower() if tokenizer.lower else form for form in written] == tokens or isinstance(
        tokenizer, Characters
    )
    if isinstance(tokenizer, Characters):
        assert [" " if form.isspace() else form.lower() if tokenizer.lower else form for form in written] == tokens
    assert all(start < end for start, end in spans)
    assert all(end <= after for (_, end), (after, _) in itertools.pairwise(spans))
    assert "".join("".join(written).split()) == "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="ascii")))
def test_the_fast_way_for_ascii_gives_the_same(text):
    assert Words().tokens(text) == Words().tokens(text + "\u3000é")[:-1]


@pytest.mark.parametrize("tokenizer", SIMPLE, ids=repr)
@pytest.mark.parametrize(
    "text", ["a" + "\u0301" * 300_000, "👍\u200d" * 100_000, "\u200d" * 300_000, "a" * 500_000, "\u0301" * 300_000]
)
def test_time_is_linear_in_the_length(tokenizer, text):
    begin = time.perf_counter()
    tokenizer.tokens(text)
    tokenizer.spans(text)
    assert time.perf_counter() - begin < 5  # some 0.1 s; anything quadratic takes minutes


@pytest.mark.parametrize("tokenizer", SIMPLE, ids=repr)
def test_data_and_back(tokenizer):
    again = from_plain(json.loads(json.dumps(tokenizer.to_plain())))
    assert again == tokenizer
    assert again.tokens(ODD) == tokenizer.tokens(ODD)
    assert copy.deepcopy(tokenizer) == tokenizer == pickle.loads(pickle.dumps(tokenizer))
    assert isinstance(tokenizer, Tokenizer)


def test_make():
    assert make("auto") == make("words") == Words()
    assert make("characters") == Characters()
    assert make("chinese_words") == ChineseWords()
    own = Characters(lower=False)
    assert make(own) is own
    with pytest.raises(UsageError, match="charcters") as caught:
        make("charcters")
    assert "characters" in caught.value.help
    with pytest.raises(UsageError):
        make(3)


@pytest.mark.parametrize(
    "plain",
    [None, [], {}, {"kind": "words"}, {"kind": "words", "lower": 1}, {"kind": "os.system", "lower": True}, {"kind": "subwords"},
     {"kind": "words", "lower": True, "more": 1}, {"kind": ["words"], "lower": True}],
)  # fmt: skip
def test_hostile_data_is_refused(plain):
    with pytest.raises(ValueError, match=r"\S"):
        from_plain(plain)


def test_a_pair_is_joined_by_the_separator():
    assert tokens_of(Words(), ("How old?", "你好")) == ["how", "old", "?", SEPARATOR, "你", "好"]
    shown, tokens, spans = located(Words(), ("How old?", "你好"))
    assert [
        shown[start:end].lower() if token != SEPARATOR else shown[start:end]
        for token, (start, end) in zip(tokens, spans, strict=True)
    ] == tokens
    assert located(Words(), "How") == ("How", ["how"], [(0, 3)])
    assert SEPARATOR not in Words(lower=False).tokens(f"a {SEPARATOR} b")


# ---- subwords ----------------------------------------------------------------------------------------------------

CORPUS = [*read("sample:snips").train.inputs[:3000], *read("sample:poetry").train.inputs[:100]]


@pytest.fixture(scope="module", params=["bpe", "wordpiece", "unigram"])
def subwords(request):
    return Subwords.train(CORPUS, request.param, 2000)


def test_subwords_find_frequent_words(subwords):
    tokens = subwords.tokens("Play music")
    assert [token.strip("Ġ▁") for token in tokens] == ["play", "music"]
    assert 1000 < len(subwords) <= 2000
    assert len(repr(subwords)) < 100


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
@example(text=ODD)
@example(text="  lead and trail  ")
def test_subword_spans(subwords, text):
    tokens, spans = subwords.tokens(text), subwords.spans(text)
    assert len(tokens) == len(spans)
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    covered = set()
    for start, end in spans:
        covered.update(range(start, end))
        assert text[start:end] == text[start:end].strip()
    if (
        subwords.kind != "wordpiece"
    ):  # BERT's own splitting drops nothing but white space either, but control characters too
        assert all(
            place in covered for place, character in enumerate(text) if character.isalnum() and character.isascii()
        )


def test_subwords_as_data(subwords):
    again = from_plain(json.loads(json.dumps(subwords.to_plain())))
    assert again == subwords
    assert again.tokens("play 明月") == subwords.tokens("play 明月")
    assert pickle.loads(pickle.dumps(subwords)) == copy.deepcopy(subwords) == subwords
    assert make(subwords) is subwords


def test_training_is_repeatable(subwords):
    again = Subwords.train(iter(CORPUS), subwords.kind, 2000)
    if subwords.kind == "unigram":  # the library adds up in a random order: pieces of equal worth can change places
        pieces = [{piece for piece, _ in json.loads(one.definition)["vocab"]} for one in (subwords, again)]
        assert len(pieces[0] & pieces[1]) > 0.98 * len(pieces[0])
    else:
        assert again == subwords


def test_very_long_text_loses_nothing(subwords):
    text = " play music" * 60_000
    tokens = subwords.tokens(text)
    assert sum("music" in token for token in tokens) == 60_000
    start, end = subwords.spans(text)[-1]
    assert (start, end) == (len(text) - 5, len(text))


def test_refusals():
    with pytest.raises(UsageError, match="bbpe"):
        Subwords.train(CORPUS, "bbpe")
    with pytest.raises(UsageError):
        Subwords.train(CORPUS, "bpe", 10)
    with pytest.raises(UsageError):
        Subwords.train("one string")
    for kind in ("bpe", "wordpiece", "unigram"):
        with pytest.raises(DataError):
            Subwords.train(["", "  "], kind)


@pytest.mark.parametrize("damage", [
    lambda plain: plain.update(algorithm="evil"),
    lambda plain: plain.update(lower="yes"),
    lambda plain: plain.update(learned=[]),
    lambda plain: plain["learned"].update(vocab=None),
    lambda plain: plain["learned"].update(vocab={"a": 0, "b": 2**62}),
    lambda plain: plain["learned"].update(vocab=[["a", "x"]]),
    lambda plain: plain["learned"].update(vocab=[["a", float("nan")]]),
    lambda plain: plain["learned"].update(vocab={}),
    lambda plain: plain["learned"].update(merges=[["no", "such"]], vocab={"a": 0}),
])  # fmt: skip
def test_damaged_subwords_are_refused(subwords, damage):
    plain = subwords.to_plain()
    damage(plain)
    with pytest.raises(ValueError, match=r"\S"):
        from_plain(plain)
