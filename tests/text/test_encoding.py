"""Encodings: what is taken, what is refused, and what a refusal says."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erya.errors import UsageError
from erya.text import encoding

ZH = "这家餐厅很好吃，但是太贵了。服务员的态度也不错，下次还会再来。\n"
ZH_TW = "這家餐廳很好吃，但是太貴了。服務員的態度也不錯，下次還會再來。\n"


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_marks_are_believed(mark, name):
    assert encoding.find(mark + "a".encode(name), None) == encoding.Found(name, len(mark), None)
    assert encoding.find(mark, None).name == name


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_suspected(name):
    assert encoding.find("text,label\ngood,pos\n".encode(name), None).suspect == name


@pytest.mark.parametrize("text", ["plain", "", "a\0b\0\0c, with some NULs\0", ZH, "\0\0\0"])
def test_utf8_is_never_suspected(text):
    assert encoding.find(text.encode(), None) == encoding.Found("utf-8", 0, None)


def test_what_the_user_says_wins():
    assert encoding.find(ZH.encode("gb18030"), "GB18030").name == "gb18030"
    assert encoding.find("ab".encode("utf-16-le"), "utf-16") == encoding.Found("utf-16-le", 0, None)
    assert encoding.find(codecs.BOM_UTF16_BE + b"\0a", "utf-16") == encoding.Found("utf-16-be", 2, None)
    assert encoding.find(codecs.BOM_UTF8 + b"a", "utf8") == encoding.Found("utf-8", 3, None)
    assert encoding.find(b"a", "utf-8-sig") == encoding.Found("utf-8", 0, None)
    assert encoding.find(codecs.BOM_UTF8 + b"a", "latin-1") == encoding.Found("iso8859-1", 0, None)


@pytest.mark.parametrize("name", ["gb18O30", "rot13", "base64", "zip", "no\0such", "", "idna" * 30])
def test_no_such_encoding(name):
    with pytest.raises(UsageError) as caught:
        encoding.find(b"", name)
    assert caught.value.code == "unknown-encoding"
    assert "--encoding" in caught.value.help


def test_the_nearest_encoding_is_named():
    with pytest.raises(UsageError) as caught:
        encoding.checked("gb18O30")
    assert "gb18030" in caught.value.help


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ZH, "gb18030"),
        ("很好", "gb18030"),
        ("很好,pos\n太差了,neg\n", "gb18030"),
        (ZH_TW, "big5"),
        ("這家店不錯,pos\n", "big5"),
        (ZH, "utf-16-le"),
        (ZH, "utf-16-be"),
        ("これは日本語の文章です。とても面白い。", "euc_jp"),
        ("오늘은 날씨가 좋습니다 그리고 기분도 좋아요", "euc_kr"),
        ("Où est le café préféré de l’élève ?", "cp1252"),
        ("Die Prüfung war schön", "cp1252"),
    ],
)
def test_guesses(text, name):
    assert encoding.guess(text.encode(name)) == name


@given(st.binary(max_size=300))
def test_a_guess_is_an_encoding_or_none(data):
    name = encoding.guess(data)
    assert name is None or encoding.checked(name)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-7"]),
    st.integers(1, 7),
)
def test_transcoding_however_the_blocks_fall(text, name, size):
    data = text.encode(name)
    blocks = (data[start : start + size] for start in range(0, len(data), size))
    assert b"".join(encoding.transcoded(blocks, name)).decode() == text


@given(st.binary(max_size=60), st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-7", "iso2022_jp", "hz"]))
def test_bytes_that_are_not_valid_come_out_as_such(data, name):
    out = b"".join(encoding.transcoded(iter([data]), name))
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            out.decode()
    else:
        assert out.decode("utf-8", "surrogatepass") == text or "\ud800" <= max(text) <= "\udfff"


def test_line_based_encodings_keep_their_line_ends():
    for name in ("utf-8", "gb18030", "big5", "shift_jis", "euc_kr", "iso8859-1", "cp1252", "koi8-r"):
        assert encoding.line_based(encoding.checked(name)), name
    for name in ("utf-16-le", "utf-32-be", "utf-7", "cp037", "iso2022_jp", "hz", "utf-16"):
        assert not encoding.line_based(encoding.checked(name)), name
