"""Tag schemes: what is read, what is written, and that nothing is lost on the way there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.text.sentences import Sentence, joined
from erya.text.span_tags import SpansError, spans_to_tags, tags_to_spans
from erya.text.tag_schemes import SCHEMES, Flat, allowed, convert, detect, mended, spans
from erya.text.tokenizers import Characters, Words

SPANS = [scheme for scheme in SCHEMES if scheme != "none"]


def read(*sequences):
    flat = Flat.of(sequences)
    return spans(flat).of_sentence(flat.starts)


@st.composite
def layouts(draw, types=("PER", "LOC", "a-b", "X")):
    """Sentences as lists of (length, type or None): any spans next to one another, any gaps."""
    pieces = st.tuples(st.integers(1, 4), st.sampled_from([None, *types]))
    return draw(st.lists(st.lists(pieces, max_size=5), min_size=1, max_size=4))


def written(layout, scheme):
    """The tags that a person would write for a layout, letter by letter: an oracle apart from the code under test."""
    letters = {"iob2": "BIIB", "iob1": "IIII", "bioes": "BIES", "bmes": "BMES", "bilou": "BILU"}[scheme]
    sequences = []
    for sentence in layout:
        tags, before = [], None
        for length, kind in sentence:
            if kind is None:
                tags += ["O"] * length
            elif length == 1:
                tags.append(f"{letters[3]}-{kind}")
            else:
                tags += [f"{letters[0]}-{kind}", *[f"{letters[1]}-{kind}"] * (length - 2), f"{letters[2]}-{kind}"]
            if scheme == "iob1" and kind is not None and before == kind:
                tags[-length] = f"B-{kind}"
            before = kind
        sequences.append(tags)
    return sequences


def places(layout):
    found = []
    for sentence in layout:
        at, here = 0, []
        for length, kind in sentence:
            if kind is not None:
                here.append((at, at + length, kind))
            at += length
        found.append(here)
    return found


@given(layouts(), st.sampled_from(SPANS), st.sampled_from(SPANS))
@settings(max_examples=300, deadline=None)
def test_there_and_back_is_what_it_was(layout, one, other):
    tags = written(layout, one)
    assert read(*tags) == places(layout)
    there = convert(tags, other)
    assert there == written(layout, other)
    assert convert(there, one) == tags


@given(layouts(), st.sampled_from(SPANS))
@settings(max_examples=200, deadline=None)
def test_sound_tags_are_allowed_and_nothing_is_mended(layout, scheme):
    flat = Flat.of(written(layout, scheme))
    again, changed = mended(flat, scheme)
    assert again.lists() == flat.lists()
    assert not len(changed)
    rules = allowed(flat.names, scheme)
    for start, end in zip(flat.starts[:-1], flat.starts[1:], strict=True):
        codes = flat.codes[start:end]
        if len(codes):
            assert rules.first[codes[0]]
            assert rules.last[codes[-1]]
            assert rules.following[codes[:-1], codes[1:]].all()


@given(
    st.lists(st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"]), max_size=8),
    st.sampled_from(["iob2", "bioes"]),
)
@settings(max_examples=300, deadline=None)
def test_what_is_allowed_is_what_needs_no_mending(tags, scheme):
    if scheme == "iob2":
        tags = [tag for tag in tags if tag[0] in "OBI"]
    flat = Flat.of([tags])
    rules, codes = allowed(flat.names, scheme), flat.codes
    sound = not len(codes) or bool(
        rules.first[codes[0]] and rules.last[codes[-1]] and rules.following[codes[:-1], codes[1:]].all()
    )
    assert sound == (not len(mended(flat, scheme)[1]))


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["O", "I-PER", "I-PER"], [(1, 3, "PER")]),  # an I- behind nothing begins a span
        (["B-PER", "I-LOC"], [(0, 1, "PER"), (1, 2, "LOC")]),
        (["B-PER", "B-PER", "I-PER"], [(0, 1, "PER"), (1, 3, "PER")]),
        (["S-A", "I-A", "E-A", "E-A"], [(0, 1, "A"), (1, 3, "A"), (3, 4, "A")]),
        (["B-A", "O", "E-A"], [(0, 1, "A"), (2, 3, "A")]),
        (["B", "M", "E", "S", "B", "E"], [(0, 3, ""), (3, 4, ""), (4, 6, "")]),
        ([], []),
    ],
)
def test_broken_sequences_are_read_as_conlleval_does(tags, found):
    assert read(tags) == [found]


def test_sentences_do_not_run_into_one_another():
    assert read(["B-A"], ["I-A"], [], ["I-A"]) == [[(0, 1, "A")], [(0, 1, "A")], [], [(0, 1, "A")]]


@pytest.mark.parametrize(
    ("sequences", "scheme"),
    [
        ([["B-PER", "I-PER", "O"]], "iob2"),
        ([["O", "I-PER", "I-PER", "B-PER"]], "iob1"),
        ([["O", "I-PER"], ["B-PER", "O"]], "iob2"),  # a B where nothing touches: IOB2, and the I is broken
        ([["O", "O"]], "iob2"),
        ([["B-A", "E-A", "S-A"]], "bioes"),
        ([["B-A", "M-A", "E-A"]], "bmes"),
        ([["B", "E", "S"]], "bmes"),
        ([["B", "I", "B"]], "iob2"),
        ([["B-A", "L-A", "U-A"]], "bilou"),
        ([["NOUN", "VERB"]], "none"),
        ([["I"]], "none"),
        ([["B-A", "B"]], "none"),
        ([[]], "iob2"),
    ],
)
def test_the_scheme_is_found_by_the_letters(sequences, scheme):
    assert detect(Flat.of(sequences)) == scheme


# ---- spans in characters ---------------------------------------------------------------------------------------------


@st.composite
def annotated(draw):
    """A text of odd characters and disjoint spans without blanks at their ends."""
    text = draw(st.text(st.sampled_from("ab C.北京𠀀🦄\u0301 '"), min_size=1, max_size=20))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    kept = [(start, end) for start, end in pairs if text[start:end] == text[start:end].strip() != ""]
    return text, [(start, end, draw(st.sampled_from(["X", "Y"]))) for start, end in kept]


@given(annotated(), st.sampled_from([Words(lower=False), Characters()]))
@settings(max_examples=400, deadline=None)
def test_spans_survive_the_tokens(both, tokenizer):
    text, wanted = both
    sentence, tags = spans_to_tags(Sentence.cut(text, tokenizer.spans(text)), wanted)
    assert all(text[start:end] == token for token, (start, end) in zip(sentence, sentence.offsets, strict=True))
    assert [tuple(span) for span in tags_to_spans(sentence, read(tags)[0])] == wanted


def test_impossible_spans_are_refused_with_their_places():
    sentence = Sentence.cut("Ada Lovelace in London", Words().spans("Ada Lovelace in London"))
    with pytest.raises(SpansError, match=r"PER 0:12.*LOC 4:22"):
        spans_to_tags(sentence, [(4, 22, "LOC"), (0, 12, "PER")])
    for bad in ((0, 23, "X"), (-1, 3, "X"), (-3, -1, "X"), (22, 23, "X")):
        with pytest.raises(SpansError) as caught:
            spans_to_tags(sentence, [bad])
        assert caught.value.code == "span-outside"
    for nonsense in ((0, 3), ("0", 3, "X"), (0, 3, " "), (True, 3, "X"), 7, {"start": 0}):
        with pytest.raises(SpansError) as caught:
            spans_to_tags(sentence, [nonsense])
        assert caught.value.code == "not-a-span"


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8))
@settings(deadline=None)
def test_joined_tokens_stand_where_they_are_said_to(tokens):
    text, offsets = joined(tokens)
    assert [text[start:end] for start, end in offsets] == tokens
    assert Sentence(tokens) == tuple(tokens)


def test_joined_reads_like_text():
    assert joined(["I", "do", "n't", "know", "(", "really", ")", "."])[0] == "I don't know (really)."
    assert joined(["我", "住", "在", "New", "York", "。"])[0] == "我住在New York。"


def test_flat_of_nothing():
    flat = Flat.of([])
    assert len(flat) == 0
    assert flat.lists() == []
    assert not len(spans(flat))
    assert np.array_equal(flat.starts, [0])
