"""``erya train tag/… --unlabelled FILE``."""

from __future__ import annotations

import pytest

from erya.tasks import tag


@pytest.fixture
def files(tmp_path):
    pairs = zip(*tag.toy(seed=1, rows=60), strict=True)
    lines = ("".join(f"{token}\t{name}\n" for token, name in zip(*pair, strict=True)) for pair in pairs)
    (tmp_path / "few.conll").write_text("\n".join(lines), encoding="utf-8")
    more = "".join(" ".join(sentence) + "\n" for sentence in tag.toy(seed=2, rows=100)[0])
    (tmp_path / "more.txt").write_text(more, encoding="utf-8")
    return tmp_path


def test_rounds_are_shown_and_kept_and_the_same_again(erya, files):
    found = erya("train", "tag/hmm", "few.conll", "--unlabelled", "more.txt", "-o", "t.erya")
    assert found.code == 0, found.err
    assert "sentences tagged by itself" in found.out
    assert "held-out sentences" in found.err
    first = (files / "t.erya").read_bytes()
    document = erya("train", "tag/hmm", "few.conll", "--unlabelled", "more.txt", "-o", "t.erya", "--json").document
    assert (files / "t.erya").read_bytes() == first
    taught = document["self_training"]
    assert (taught["source"], taught["sentences"]) == ("more.txt", 100)
    assert taught["judged_by"] == document["data"]["rows"]["dev"]
    assert taught["rounds"][taught["best"]]["score"] == max(one["score"] for one in taught["rounds"])
    assert erya("check", "t.erya", "--json").document["training"]["self_training"] == taught


def test_what_cannot_be_is_said_before_anything_is_read(erya, files):
    missing = erya("train", "tag/hmm", "few.conll", "--unlabelled", "nothing.txt", "-o", "t.erya")
    assert (missing.code, "nothing.txt" in missing.err) == (3, True)
    other = erya("train", "tag/perceptron", "few.conll", "--unlabelled", "more.txt", "-o", "t.erya")
    assert (other.code, "how sure" in other.err) == (2, True)
