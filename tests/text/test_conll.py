"""CoNLL files as they come: columns, separators, comments, missing blank lines, and CoNLL-U."""

from __future__ import annotations

import pytest

from erya.text import conll
from erya.text.conll import Layout, notes_on, sentences
from erya.text.files import lines
from erya.text.readers import Row, texts


def read(data: str | bytes, layout: Layout | None = None) -> list:
    raw = data if isinstance(data, bytes) else data.encode()
    return list(sentences(texts(lines(iter([raw] if raw else [])), "utf-8"), layout))


def pairs(data, layout=None) -> list:
    return [item.values[:2] if isinstance(item, Row) else (item.line, item.code) for item in read(data, layout)]


def test_what_is_no_sentence_is_left_out():
    text = "-DOCSTART- -X- O O\n\n# sent_id = 1\nEU NNP B-ORG\nrejects VBZ O\n\n\n# O\n! O\n\nbad\nline O\n\n王\tB-PER\n a b\tO\n"
    assert pairs(text) == [
        (["EU", "rejects"], ["B-ORG", "O"]),
        (["#", "!"], ["O", "O"]),
        (11, "bad-conll"),
        (["王", " a b"], ["B-PER", "O"]),
    ]


def test_bad_bytes_reject_their_sentence():
    items = read(b"a O\n\xb0\xa1 O\n\nb O\n")
    assert (items[0].line, items[0].code, items[0].byte) == (1, "bad-encoding", 4)
    assert items[1].values[:2] == (["b"], ["O"])


def test_any_column():
    text = "U.N. NNP I-NP I-ORG\nofficial NN I-NP O\n"
    assert pairs(text) == [(["U.N.", "official"], ["I-ORG", "O"])]
    assert pairs(text, Layout(tags=1)) == [(["U.N.", "official"], ["NNP", "NN"])]
    assert pairs(text, Layout(tokens=1, tags=0)) == [(["NNP", "NN"], ["U.N.", "official"])]
    (bad,) = read(text, Layout(tags=7))
    assert (bad.code, bad.line) == ("bad-conll", 1)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n", "\n \t\n"])
def test_the_last_sentence_counts_with_or_without_a_blank_line(end):
    layout = Layout()
    assert pairs("a O\nb B-X\n\nc O" + end, layout) == [(["a", "b"], ["O", "B-X"]), (["c"], ["O"])]
    assert layout.unclosed == (end in ("", "\n", "\r\n"))
    assert bool(notes_on(layout, "f.conll")) == layout.unclosed


def test_mixed_separators_are_read_and_said():
    layout = Layout()
    assert pairs("a\tO\nb  B-X\nc \t O\n\n", layout) == [(["a", "b", "c "], ["O", "B-X", "O"])]
    assert (layout.tabs, layout.blanks) == (2, 1)
    (note,) = notes_on(layout, "f.conll")
    assert "1" in note
    assert "2" in note


def test_wide_blanks_are_characters():
    assert pairs("\u3000 O\n\u00a0x O\n\n") == [(["\u3000", "\u00a0x"], ["O", "O"])]


def test_a_comment_of_no_known_form_before_a_sentence():
    assert pairs("# from the paper of today\na\tO\nb\tO\n\n") == [(["a", "b"], ["O", "O"])]
    assert pairs("#\tO\n=\tO\n\n") == [(["#", "="], ["O", "O"])]


UNIVERSAL = """# sent_id = 1
# text = Don't go, Ida.
1-2	Don't	_	_	_	_	_	_	_	SpaceAfter=No
1	Do	do	AUX	VBP	_	3	aux	_	SpaceAfter=No
2	n't	not	PART	RB	_	3	advmod	_	_
3	go	go	VERB	VB	_	0	root	_	SpaceAfter=No
4	,	,	PUNCT	,	_	3	punct	_	_
4.1	went	go	VERB	_	_	_	_	_	_
5	Ida	Ida	PROPN	NNP	_	3	vocative	_	SpaceAfter=No
6	.	.	PUNCT	.	_	3	punct	_	_

"""


def test_universal_dependencies():
    layout = Layout()
    (row,) = read(UNIVERSAL, layout)
    tokens, tags, placed = row.values
    assert tokens == ["Do", "n't", "go", ",", "Ida", "."]
    assert tags == ["AUX", "PART", "VERB", "PUNCT", "PROPN", "PUNCT"]
    text, offsets = placed
    assert text == "Don't go, Ida."
    assert [text[start:end] for start, end in offsets] == tokens
    assert any("UPOS" in note for note in notes_on(layout, "x.conllu"))
    assert pairs(UNIVERSAL, Layout(tags=4))[0][1][0] == "VBP"
    without = UNIVERSAL.replace("# text = Don't go, Ida.\n", "")
    assert read(without)[0].values[2][0] == "Don't go, Ida."
    wrong = UNIVERSAL.replace("# text = Don't", "# text = Do not")
    assert read(wrong)[0].values[2] is None


def test_one_column_is_enough_where_no_tags_are_asked_for():
    assert pairs("a\nb\n\n", Layout(untagged=True))[0][0] == ["a", "b"]
    assert pairs("a\nb\n\n") == [(1, "bad-conll")]


def test_a_sentence_without_end_and_one_of_ten_thousand_tokens(monkeypatch):
    assert len(pairs("a O\n" * 10_000)[0][0]) == 10_000
    monkeypatch.setattr(conll, "SENTENCE_LINES", 1000)
    found = read("a O\n" * 1001)
    assert [item.code for item in found if not isinstance(item, Row)] == ["bad-conll"]
