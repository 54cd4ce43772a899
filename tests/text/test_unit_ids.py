"""Vocabulary and stream: numbers by count, borders, unknown units, long streams in a file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError
from erya.text import documents, unit_ids, units
from erya.text.unit_ids import BORDER, UNKNOWN, UnitVocabulary

KINDS = ["characters", "words", "whitespace"]


def learned(texts, kind="whitespace", **settings_):
    return unit_ids.learn(documents.pieces(texts), units.make(kind, []), **settings_)


def test_by_count_then_by_name():
    vocabulary, stream = learned(["b a b", "", "c a b"])
    assert vocabulary.units == ["<border>", "<unknown>", "b", "a", "c"]
    assert vocabulary.counts.tolist() == [3, 0, 3, 2, 1]
    assert stream.ids.tolist() == [0, 2, 3, 2, 0, 0, 4, 3, 2, 0]
    assert (len(stream), stream.documents, stream.characters, stream.unknown) == (9, 3, 13, 0)
    assert vocabulary.alphabet == {"a", "b", "c"}
    assert vocabulary.words([0, 2, 1, 4]) == ["b", "\ufffd", "c"]


def test_rare_units_are_unknown_but_their_letters_are_known():
    vocabulary, stream = learned(["a a b b c", "a xyz"], min_count=2)
    assert vocabulary.units[2:] == ["a", "b"]
    assert stream.unknown == 2 == vocabulary.counts[UNKNOWN] == (stream.ids == UNKNOWN).sum()
    assert set("abcxyz") <= vocabulary.alphabet
    small, _ = learned(["a a b b c", "a xyz"], max_size=1)
    assert small.units[2:] == ["a"]
    with pytest.raises(DataError, match="5 times"):
        learned(["a a b"], min_count=5)


@settings(deadline=None, max_examples=12)
@given(st.lists(st.text(alphabet=" ab中é\n\ud800", max_size=12), min_size=1, max_size=6), st.sampled_from(KINDS))
def test_learning_and_encoding_agree(texts, kind):
    cutter = units.make(kind, [])
    if not any(cutter.cut(text) for text in texts):
        with pytest.raises(DataError):
            learned(texts, kind)
        return
    vocabulary, stream = learned(texts, kind)
    again = unit_ids.encode(documents.pieces(texts), cutter, vocabulary)
    assert again.ids.tolist() == stream.ids.tolist()
    assert again.characters == stream.characters == sum(map(len, texts)) + len(texts)
    said = [[*map(vocabulary.units.index, cutter.cut(text)), BORDER] for text in texts]
    assert stream.ids.tolist() == [BORDER, *(number for document in said for number in document)]
    for text, document in zip(texts, said, strict=True):
        assert vocabulary.encode(text, cutter).tolist() == document[:-1]
    assert vocabulary.alphabet == set("".join(map("".join, map(cutter.cut, texts))))
    assert np.bincount(stream.ids[1:], minlength=len(vocabulary)).tolist() == vocabulary.counts.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_blocks_and_files_change_nothing(monkeypatch, tmp_path, kind):
    texts = ["ab cd " * 30, "x", "", "中 文 " * 50] * 3
    vocabulary, stream = learned(texts, kind)
    monkeypatch.setattr(documents, "PIECE", 16)
    monkeypatch.setattr(unit_ids, "IN_MEMORY", 10)
    monkeypatch.setattr(unit_ids, "_blocks", lambda source: ([piece] for piece in source))
    others, mapped = unit_ids.learn(documents.pieces(texts), units.make(kind, []), folder=tmp_path)
    assert isinstance(mapped.ids, np.memmap)
    assert not mapped.ids.flags.writeable
    assert others.units == vocabulary.units
    assert mapped.ids.tolist() == stream.ids.tolist()
    assert others.counts.tolist() == vocabulary.counts.tolist()
    again = unit_ids.encode(documents.pieces(texts), units.make(kind, []), vocabulary, folder=tmp_path)
    assert again.ids.tolist() == stream.ids.tolist()
    assert mapped.documents == again.documents == 12


def test_unknown_units_of_other_texts():
    vocabulary, _ = learned(["ab"], "characters")
    stream = unit_ids.encode(documents.pieces(["aq\U0010ffff", "b"]), units.make("characters", []), vocabulary)
    assert stream.ids.tolist() == [0, 2, 1, 1, 0, 3, 0]
    assert stream.unknown == 2
    with pytest.raises(DataError):
        unit_ids.encode(iter(()), units.make("characters", []), vocabulary)


def test_arrays_there_and_back():
    vocabulary, _ = learned(["b a\n b <border>", "\ud800"], "words", min_count=1)
    again = UnitVocabulary.from_arrays(vocabulary.arrays())
    assert again.units == vocabulary.units
    assert again.alphabet == vocabulary.alphabet
    assert again.counts.tolist() == vocabulary.counts.tolist()


def spoiled():
    vocabulary, _ = learned(["a b"])
    arrays = vocabulary.arrays()
    yield {**arrays, "unit_counts": arrays["unit_counts"][:-1]}
    yield {**arrays, "unit_counts": arrays["unit_counts"][:1]}
    yield {**arrays, "unit_counts": arrays["unit_counts"].astype(float)}
    yield {**arrays, "unit_counts": -arrays["unit_counts"] - 1}
    yield {**arrays, "units.offsets": arrays["units.offsets"][::-1].copy()}
    yield {**arrays, "units.bytes": np.frombuffer(b"aa", dtype=np.uint8)}
    yield {**arrays, "units.bytes": np.frombuffer(b"\xff\xff", dtype=np.uint8)}


@pytest.mark.parametrize("arrays", [*spoiled()])
def test_arrays_that_make_no_sense(arrays):
    with pytest.raises(ValueError, match=r"\w"):
        UnitVocabulary.from_arrays(arrays)
