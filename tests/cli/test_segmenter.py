"""Words found by a trained tagger, from a text with blanks to a classifier that uses them."""

from __future__ import annotations

SEGMENTED = "我 喜欢 北京大学\n他 在 北京 工作\n\n北京大学 在 北京\n我 在 家 喜欢 看 书\n他 喜欢 工作\n书 在 家\n"
ROWS = "text,label\n" + "我喜欢北京大学,学\n他在北京工作,工\n我在家看书,学\n他工作,工\n我喜欢看书,学\n他在家,工\n" * 4


def test_train_a_segmenter_and_use_it(erya, tmp_path):
    (tmp_path / "words.txt").write_text(SEGMENTED, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    found = erya("train", "tag/hmm", "words.txt", "--split", "1/0/0", "-o", "seg.erya")
    assert found.code == 0, found.err
    assert "blanks between the words" in found.err
    assert erya("predict", "seg.erya", "--input", "他喜欢北京大学").out == "他 喜欢 北京大学\n"

    trained = erya("train", "classify/naive_bayes", "rows.csv", "--tokenizer", "seg.erya", "-o", "m.erya", "--json")
    assert trained.code == 0, trained.err
    assert len(trained.out) < 5000  # the tagger is named, not written out
    assert trained.document["settings"]["tokenizer"]["plain"]["kind"] == "tagger"
    (tmp_path / "seg.erya").unlink()
    tokenizer = erya("check", "m.erya", "--json").document["tokenizer"]
    assert (tokenizer["model"], tokenizer["tags"]) == ("tag/hmm", ["B", "E", "M", "S"])
    assert "tag/hmm (B E M S)" in erya("show", "m.erya").out
    assert erya("predict", "m.erya", "--input", "他在北京工作", "--json").code == 0

    wrong = erya("train", "classify/naive_bayes", "rows.csv", "--tokenizer", "m.erya", "-o", "x.erya")
    assert (wrong.code, "no tagger" in wrong.err) == (2, True)
