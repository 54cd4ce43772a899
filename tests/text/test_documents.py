"""Documents of a corpus: what one is, in pieces of bounded size, whatever the blocks of the file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from erya.errors import DataError, UsageError
from erya.text import documents, files


def whole(X, kind="auto"):
    """The documents, their pieces joined."""
    found, held = [], ""
    for piece in documents.pieces(X, kind):
        held += piece.text
        if piece.ends:
            found.append(held)
            held = ""
    assert held == "", "the last document ends"
    return found


def put(tmp_path, content, name="c.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_texts_are_documents():
    assert whole(["a\n\nb", "", "c\n"]) == ["a\n\nb", "", "c\n"]
    assert whole(text for text in ("x", "y")) == ["x", "y"]
    assert whole([]) == []


def test_kinds(tmp_path):
    path = put(tmp_path, "one\ntwo\n\n\nthree \n\n four\nfive\n")
    assert whole(path, "line") == ["one", "two", "three ", " four", "five"]
    assert whole([path], "paragraph") == ["one\ntwo", "three ", " four\nfive"]
    assert whole(path, "file") == ["one\ntwo\n\n\nthree \n\n four\nfive"]
    assert whole(put(tmp_path, ""), "file") == whole(put(tmp_path, "\n\n"), "line") == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a short poem\n" * 10, 1),
        ("a sentence a line\n" * 100, 100),
        (("a long article " * 40 + "\n\n") * 30, 30),
        (("verse\nverse\n\n") * 30, 1),
    ],
)
def test_auto_looks_at_lines(tmp_path, text, count):
    assert len(whole(put(tmp_path, text))) == count


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("kind", ["line", "paragraph", "file"])
def test_blocks_and_line_ends_change_nothing(tmp_path, monkeypatch, size, kind):
    text = "\ufeff春风\r\n\r\nüber allen Gipfeln\rist Ruh\n\n\n𠮷\r\n"
    path = put(tmp_path, text)
    plain = "春风\n\nüber allen Gipfeln\nist Ruh\n\n\n𠮷\n"
    expected = whole(put(tmp_path, plain, "plain.txt"), kind)
    data = path.read_bytes()
    monkeypatch.setattr(files, "blocks", lambda _: (data[at : at + size] for at in range(0, len(data), size)))
    assert whole(path, kind) == expected
    assert (
        expected
        == {
            "line": ["春风", "über allen Gipfeln", "ist Ruh", "𠮷"],
            "paragraph": ["春风", "über allen Gipfeln\nist Ruh", "𠮷"],
            "file": ["春风\n\nüber allen Gipfeln\nist Ruh\n\n\n𠮷"],
        }[kind]
    )


@pytest.mark.parametrize("kind", ["line", "paragraph", "file"])
@pytest.mark.parametrize(
    "line",
    [
        "ab cd " * 40,
        "x" * 200,
        "中" * 199 + "\n",
        "\n".join(["word word"] * 30),
        "x" * 128 + "\n",
        ("y" * 15 + " ") * 12,
    ],
)
def test_a_long_document_comes_in_pieces(tmp_path, monkeypatch, kind, line):
    monkeypatch.setattr(documents, "PIECE", 16)
    path = put(tmp_path, f"{line}\n\nnext\n")
    data = path.read_bytes()
    expected = {
        "line": [part for part in (*line.split("\n"), "next") if part],
        "paragraph": [line.strip("\n"), "next"],
        "file": [f"{line}\n\nnext"],
    }[kind]
    for size in (5, 40, 10_000):
        monkeypatch.setattr(
            files, "blocks", lambda _, size=size: (data[at : at + size] for at in range(0, len(data), size))
        )
        assert max(len(piece.text) for piece in documents.pieces(path, kind)) <= 33
        assert whole(path, kind) == expected
    texts = [line * 3, "", "a" * 50]
    assert whole(texts) == texts
    assert max(len(piece.text) for piece in documents.pieces(texts)) <= 16


def test_a_document_that_ends_with_a_piece_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "PIECE", 4)
    for length in range(1, 14):
        for tail in ("", "\n", "\n\n"):
            text = "x" * length + tail
            path = put(tmp_path, text)
            assert whole(path, "file") == [text.removesuffix("\n")]
            assert whole(path, "line") == ["x" * length]


def test_folders_and_packed_files(tmp_path):
    put(tmp_path, gzip.compress(b"a\nb\n"), "1.txt.gz")
    put(tmp_path, "c\n", "2.txt")
    assert whole(tmp_path, "line") == ["a", "b", "c"]
    assert whole([tmp_path / "2.txt", tmp_path / "1.txt.gz"], "line") == ["c", "a", "b"]


def test_bytes_that_are_no_text_are_named(tmp_path):
    content = "好".encode() * 100 + b"\xff" + b"x" * 50
    with pytest.raises(DataError, match="byte 300") as caught:
        whole(put(tmp_path, content), "line")
    assert caught.value.code == "not-utf8"
    with pytest.raises(DataError):
        whole(put(tmp_path, "好".encode()[:2]), "file")


def test_the_byte_is_right_where_a_block_cuts_a_character(tmp_path, monkeypatch):
    path = put(tmp_path, "x")
    monkeypatch.setattr(files, "blocks", lambda _: iter([b"abc\xe5", b"\xff\xff"]))
    with pytest.raises(DataError, match="byte 3"):
        whole(path, "line")


@pytest.mark.parametrize("strange", ["text", b"text", 7, [1], ["a", None], [Path("x"), "a"]])
def test_what_is_no_corpus(strange):
    with pytest.raises(UsageError):
        list(documents.pieces(strange))
    with pytest.raises(UsageError, match="line"):
        list(documents.pieces(["a"], "lines"))


def test_a_sample_is_the_beginning():
    assert documents.sample_of(["a" * 50] * 100, "auto", characters=120) == ["a" * 50] * 3
