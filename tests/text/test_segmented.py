"""Words with blanks between them become units with the tags B, M, E, S, and the words come back out of the tags."""

import lzma

import pytest

from erya import read
from erya.errors import UsageError
from erya.tasks import tag
from erya.text.segmented import looks_segmented, sentence

LINES = "我 喜欢 北京大学 。\n\n今天 下雨 ， 他 不 来 。\n看 3D 电影 用 了 20 07年 的 iPhone手机\n"


def words_of(units, tags):
    return [span.text for span in tag.answers([units], [list(range(len(tags)))], tags, "bmes", "bmes")[0].spans]


def test_units_tags_and_words():
    units, tags = sentence("我 喜欢 北京大学 。")
    assert list(units) == list("我喜欢北京大学。")
    assert tags == ["S", "B", "E", "B", "M", "M", "E", "S"]
    assert units.text == "我喜欢北京大学。"
    assert sentence(["我", "喜欢", "北京大学", "。"]) == (units, tags)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("看 3D 电影", ["看", "3D", "电影"]),
        ("20 07年", ["20", "07年"]),  # a word begins inside a run of digits
        ("I love 北京 , New York", ["I", "love", "北京", ",", "New", "York"]),
        ("𠮷野家 😀 吃　饭", ["𠮷野家", "😀", "吃", "饭"]),  # U+3000 parts words, too
        ("3.14 don't", ["3.14", "don't"]),
        ("", []),
    ],
)
def test_every_word_comes_back(line, words):
    units, tags = sentence(line)
    assert len(units) == len(tags)
    assert all(units.text[start:end] == unit for unit, (start, end) in zip(units, units.offsets, strict=True))
    assert words_of(units, tags) == words


def test_what_a_tagger_is_given_is_what_its_tokenizer_cuts():
    units, _ = sentence("我 在 2007年 买 了 iPhone手机 ！")
    assert list(units.offsets) == tag.tokenizer_for("auto", [units]).spans(units.text)


def test_files_are_recognized_by_their_lines(tmp_path):
    (tmp_path / "a.txt").write_text(LINES, encoding="utf-8")
    data = read(tmp_path / "a.txt", task="tag")
    assert data.reading.format == "segmented"
    assert (len(data.train), data.reading.rows_in, data.reading.rejected) == (3, 3, 0)
    assert any("blanks between the words" in note for note in data.reading.notes)
    assert words_of(data.train.inputs[2], data.train.targets[2])[4:7] == ["了", "20", "07年"]


def test_packed_files_and_files_of_one_line_when_told(tmp_path):
    with lzma.open(tmp_path / "words.xz", "wt", encoding="utf-8") as file:
        file.write("ab cd ab\nab ab cd\n")
    data = read(tmp_path / "words.xz", task="tag", format="segmented", check=False)
    assert [list(units) for units in data.train.inputs] == [["ab", "cd", "ab"], ["ab", "ab", "cd"]]


@pytest.mark.parametrize(
    "head",
    [
        "我 O\n爱 O\n\n他 O\n",
        "我\tO\n",
        "中国 NR B-LOC O\n人 NN O O\n",
        "没有空格的一段话。\n又一段。\n",
        "to O\nParis B-city\n",
        "",
    ],
)
def test_other_files_are_not_taken_for_segmented_text(head):
    assert not looks_segmented(head)


def test_rows_that_are_no_sentences_are_named():
    X, y = tag.from_words([["我", "来"], "他 去", ""])
    assert [len(row) for row in X] == [len(row) for row in y] == [2, 2]
    for wrong in ("我 来", [["我", 3]], [["我", " "]], [None]):
        with pytest.raises(UsageError):
            tag.from_words(wrong)
