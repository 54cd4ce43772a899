"""``erya curve``."""

from __future__ import annotations

from erya.tasks import tag
from tests.html_checks import checked


def test_table_picture_page_and_document(erya, tmp_path):
    pairs = zip(*tag.toy(seed=1, rows=100), strict=True)
    lines = ("".join(f"{token}\t{name}\n" for token, name in zip(*pair, strict=True)) for pair in pairs)
    (tmp_path / "a.conll").write_text("\n".join(lines), encoding="utf-8")
    found = erya("curve", "a.conll", "tag/hmm", "--task", "tag", "--portions", "10%,1", "-o", "curve.html")
    assert found.code == 0, found.err
    assert "doubling" in found.out
    assert checked((tmp_path / "curve.html").read_text(encoding="utf-8"))
    document = erya("curve", "a.conll", "tag/hmm", "--portions", "0.1,100%", "--json").document
    assert document["schema"] == "erya.curve/1"
    assert [row["portion"] for row in document["rows"]] == [0.1, 1.0]
    assert document["data"]["rows"]["train"] == document["rows"][1]["rows"]
    for wrong in (("--portions", "x"), ("--portions", "0%"), ("--task", "vectors"), ("--set", "nothing=1")):
        assert erya("curve", "a.conll", "tag/hmm", *wrong).code == 2
