"""Taggers by every verb, from a CoNLL file to the report; with the toy room of tests/tag_rooms."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from erya.tasks import tag
from tests.html_checks import checked

ROOMS = str(Path(__file__).parents[1] / "tag_rooms")
TOY = "tag/counting"


@pytest.fixture(autouse=True)
def rooms(monkeypatch):
    monkeypatch.setenv("ERYA_ROOMS", ROOMS)


def conll(path, pairs, separator="\t"):
    sentences = ("".join(f"{token}{separator}{name}\n" for token, name in zip(*pair, strict=True)) for pair in pairs)
    path.write_text("\n".join(sentences), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path):
    """data/train.conll and data/test.conll in the folder where the command runs."""
    (tmp_path / "data").mkdir()
    for name, seed, rows in (("train", 1, 300), ("test", 2, 100)):
        conll(tmp_path / "data" / f"{name}.conll", zip(*tag.toy(seed=seed, rows=rows), strict=True))
    return tmp_path


@pytest.fixture
def model(erya, data):
    found = erya("train", TOY, "data", "-o", "t.erya")
    assert found.code == 0, found.err
    assert "F1 " in found.out
    assert "each token's most frequent tag" in found.out
    assert "types of spans" in found.err
    assert "show t.erya lattice" in found.err
    return data / "t.erya"


def test_train_tells_scores_and_the_rule_without_context(erya, data):
    document = erya("train", TOY, "data", "-o", "t.erya", "--json").document
    assert list(document["scores"]) == ["f1", "precision", "recall", "accuracy"]
    assert document["scores"]["f1"]["value"] > 0.8
    assert document["baseline"].keys() == {"label", "f1"}
    assert document["baseline"]["f1"] < 0.5
    assert document["scored_on"] == "test"
    shown = erya("check", "t.erya", "--json").document
    assert shown["training"]["data"]["target_kind"] == "tags"


def test_predict_text_and_tokens(erya, model):
    plain = erya("predict", "t.erya", stdin="Anna met 王强 in Paris today\n\n".encode())
    assert plain.out == "[Anna](PER) met [王强](PER) in [Paris](LOC) today\n\n"
    (row,) = [json.loads(line) for line in erya("predict", "t.erya", "--input", "in 🦄 𠀀Paris", "--jsonl").lines]
    assert row["tokens"] == ["in", "🦄", "𠀀", "Paris"]
    assert row["tags"][0] == "O"
    for span in row["spans"]:
        assert row["text"][span["start"] : span["end"]] == span["text"]
    tokens = erya("predict", "t.erya", "data/test.conll", "--jsonl")
    X, y = tag.toy(seed=2, rows=100)
    answers = [json.loads(line) for line in tokens.lines]
    assert [one["tokens"] for one in answers] == X
    assert [one["row"] for one in answers] == list(range(1, 101))
    assert tag.headline(y, [one["tags"] for one in answers]) > 0.8
    whole = erya("predict", "t.erya", "--input", "Anna", "--json").document
    assert whole["schema"] == "erya.predict/1"
    assert whole["rows"][0]["spans"][0]["label"] == "PER"


def test_predict_refuses_what_asks_for_one_label(erya, model):
    for option in (["--top", "3"], ["--min-probability", "0.5"], ["--abstain"]):
        found = erya("predict", "t.erya", "--input", "Anna", *option)
        assert found.code == 2
        assert "lattice" in found.err


def test_words_and_parts_of_speech_as_plain_lines(erya, tmp_path):
    X, y = tag.toy(seed=3, rows=120)
    bare = [[name[0] if name != "O" else "S" for name in tags] for tags in tag.convert(y, "bmes")]
    conll(tmp_path / "words.conll", zip(X, bare, strict=True))
    conll(tmp_path / "pos.conll", zip(*tag.toy_pos(seed=1, rows=120), strict=True), " ")
    assert erya("train", TOY, "words.conll", "-o", "w.erya", "-q").code == 0
    assert erya("train", TOY, "pos.conll", "-o", "p.erya", "-q").code == 0
    assert erya("predict", "w.erya", "--input", "王强在京").out.split() == ["王强", "在", "京"]
    assert erya("predict", "p.erya", "--input", "the can run").out == "the/DET can/NOUN run/VERB\n"
    scored = erya("evaluate", "p.erya", "pos.conll", "--json").document
    assert set(scored["scores"]) == {"accuracy"}
    assert "mistakes" not in scored


def test_evaluate(erya, model):
    document = erya("evaluate", "t.erya", "data", "--json").document
    assert document["schema"] == "erya.evaluate/1"
    assert (document["rows"], document["data"]["part"], document["scheme"]) == (100, "test", "iob2")
    assert document["scores"]["f1"]["value"] > 0.8
    assert {one["label"] for one in document["per_label"]} == {"PER", "LOC"}
    kinds = document["mistakes"]
    found = sum(round(one["support"] * one["recall"]) for one in document["per_label"])
    assert kinds["right"] == found
    raw = document["raw_text"]
    assert raw["texts_given"] == 0
    assert raw["tokens_cut_alike"] == 1
    assert raw["value"] == pytest.approx(document["scores"]["f1"]["value"])
    shown = erya("evaluate", "t.erya", "data")
    assert shown.code == 0
    for words in ("from raw text", "no mistakes", "accuracy of always answering “O”"):
        assert words in shown.out
    chinese = erya("evaluate", "t.erya", "data", lang="zh").out
    assert "直接读文本" in chinese


def test_evaluate_tells_the_gap_to_raw_text(erya, model, tmp_path):
    X, y = tag.toy(seed=4, rows=40)
    rows = []
    for tokens, tags in zip(X, y, strict=True):
        answer = tag.Tagging(tags, tag.Sentence(tokens), "iob2")
        rows.append({"text": answer.text, "spans": [[one.start, one.end, one.label] for one in answer.spans]})
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    document = erya("evaluate", "t.erya", "texts.jsonl", "--json").document
    assert document["raw_text"]["texts_given"] == 1
    glued = [[*tokens[:1], "".join(tokens[1:3]), *tokens[3:]] for tokens in X]
    conll(tmp_path / "glued.conll", zip(glued, [tags[:2] + tags[3:] for tags in y], strict=True))
    cut = erya("evaluate", "t.erya", "glued.conll", "--json").document["raw_text"]["tokens_cut_alike"]
    assert cut < 1  # Chinese characters that the data has glued together are cut apart


def test_evaluate_counts_unknown_types_and_broken_tags(erya, model, tmp_path):
    path = tmp_path / "odd.conll"
    path.write_text("Anna B-PER\nmet O\n\nParis I-LOC\n\nzzz B-WORK\n", encoding="utf-8")
    found = erya("evaluate", "t.erya", "odd.conll")
    assert found.code == 0
    assert "WORK ×1" in found.out
    assert "1 tags of train break the rules" in found.err
    assert "no blank line after the last sentence" in found.err
    strict = erya("evaluate", "t.erya", "odd.conll", "--strict")
    assert strict.code == 3
    assert "WORK" in strict.err


def test_show_and_explain(erya, model):
    shown = erya("show", "t.erya", "lattice", "Anna met 王强")
    assert shown.code == 0
    assert "▸" in shown.out
    assert "B-PER" in shown.out
    assert erya("show", "t.erya", "lattice", "Anna met 王强", "-o", "l.html").code == 0
    checked(Path("l.html").read_text(encoding="utf-8")).check()
    document = erya("show", "t.erya", "Anna met 王强", "--json").document
    assert document["views"][0]["kind"] == "Lattice"
    assert erya("explain", "t.erya", "Anna met 王强").code == 0
    overview = erya("show", "t.erya")
    assert overview.code == 0
    assert "reliability DATA" in overview.out


def test_can_its_probabilities_be_believed(erya, model):
    document = erya("show", "t.erya", "reliability", "data", "--json").document
    assert document["schema"] == "erya.reliability/1"
    assert document["rows"] == 100
    assert document["tokens"] == sum(bin["count"] for bin in document["bins"]) > 200
    assert document["calibration_error"]["low"] <= document["calibration_error"]["value"]
    assert "tokens tagged" in erya("show", "t.erya", "reliability", "data").out
    refused = erya("calibrate", "t.erya", "data", "-o", "c.erya")
    assert refused.code == 2
    assert "whole sequences" in refused.err
    assert "show t.erya reliability data" in refused.err


def test_what_to_label_next(erya, model):
    Path("new.txt").write_text(
        "Anna met Kim in Paris today\nit rained all day\nzzz qqq Paris\nzzz qqq Paris\n\n", encoding="utf-8"
    )
    document = erya("show", "t.erya", "uncertain", "new.txt", "--top", "2", "--json").document
    assert document["rows"][0]["row"] == 3
    assert len(document["rows"]) == 2
    first, second = document["rows"]
    assert first["uncertainty"] > second["uncertainty"] > 0
    assert first["least_sure"] in ("zzz", "qqq")
    assert len(first["entropies"]) == len(first["tokens"])
    assert first["uncertainty"] == pytest.approx(sum(first["entropies"]) / 3)
    shown = erya("show", "t.erya", "uncertain", "new.txt")
    assert len(shown.lines) == 1 + 3  # the double is named once, the empty line not at all
    assert erya("show", "t.erya", "uncertain", "new.txt", "more.txt").code == 2


def test_compare(erya, data, model):
    X, _ = tag.toy(seed=2, rows=100)
    rule = tag.most_frequent(*tag.toy(seed=1, rows=300), X)
    conll(data / "rule.conll", zip(X, rule, strict=True))
    found = erya("compare", "data", TOY, "t.erya", "rule.conll", "--task", "tag", "-o", "report.html")
    assert found.code == 0, found.err
    lines = found.lines
    assert lines[0].split()[:2] == ["model", "F1"]
    assert [line.split()[0] for line in lines[2:5]][2] == "rule.conll"
    assert "each token's most frequent tag" in lines[5]
    page = Path("report.html").read_text(encoding="utf-8")
    checked(page).check()
    assert "What kind of mistakes?" in page
    assert (
        page.count('data-label="Precision"') == 4
    )  # three models and the rule that reads no context: cards on a phone
    assert re.search(
        r"<span class=off><bdi>[^<]+</bdi> <b><bdi>(PER|LOC)</bdi></b></span>", page
    )  # a wrong span of the rule's
    document = erya("compare", "data", TOY, "rule.conll", "--task", "tag", "--json", "-o", "r.json").document
    best, worst = document["rows"]
    assert best["model"] == TOY
    assert best["scores"]["f1"]["value"] > 0.8
    assert abs(worst["scores"]["f1"]["value"] - document["baseline"]["majority"]) < 0.1  # of 270 sentences, not 300
    assert document["pairs"][0]["significant"]
    assert document["beats_chance"]
    assert document["advice"]["recommended"] == TOY
    assert document["kinds"]["rule.conll"]["boundary"] > 0
    chinese = erya("compare", "data", TOY, "rule.conll", "--task", "tag", "-o", "zh.html", lang="zh")
    assert "每个词最常见的标签" in chinese.out
    checked(Path("zh.html").read_text(encoding="utf-8")).check()


def test_compare_takes_the_task_of_the_model_and_all_its_models(erya, data):
    assert erya("compare", "data", TOY, "--json").document["task"] == "tag"


@pytest.mark.parametrize("wrong", ["O\nO\n", "Anna B-PER\n\n"])
def test_predictions_that_do_not_fit(erya, data, wrong):
    (data / "bad.conll").write_text(wrong.replace("\n", " x\n", 1) if " " not in wrong else wrong, encoding="utf-8")
    found = erya("compare", "data", TOY, "bad.conll", "--task", "tag", "-o", "r.html")
    assert found.code == 3


def test_check(erya, data):
    found = erya("check", "data", "--task", "tag")
    assert found.code == 0
    assert "spans" in found.out
    path = data / "bad.conll"
    path.write_text("a B-X\nb O\n\nc I-X\n\nd\n", encoding="utf-8")
    document = erya("check", "bad.conll", "--task", "tag", "--json").document
    codes = {problem["code"] for problem in document["problems"]}
    assert {"broken-tags", "rejected-rows", "rare-labels"} <= codes
    assert document["parts"]["train"]["labels"] == {"X": 2}
    (data / "same.conll").write_text("a O\nb O\n\n", encoding="utf-8")
    assert erya("check", "same.conll", "--task", "tag").code == 3


def test_the_sample(erya):
    found = erya("check", "sample:snips", "--task", "tag", lang="zh")
    assert found.code == 0
    assert "39 类片段" in found.out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"text": "Ada", "spans": [[0, 9, "X"]]}\n', "outside"),
        ('{"text": "Ada B", "spans": [[0, 3, "X"], [2, 5, "Y"]]}\n', "overlap"),
        ("", "empty"),
    ],
)
def test_bad_files_end_with_one_clear_block(erya, tmp_path, content, told):
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    found = erya("train", TOY, "a.jsonl", "-o", "t.erya")
    assert found.code == 3
    assert told in found.err
    assert "Traceback" not in found.err
    assert "help:" in found.err


def test_a_conll_file_for_another_task_points_here(erya, data):
    found = erya("compare", "data/train.conll", "classify/naive_bayes")
    assert found.code == 3
    assert "--task tag" in found.err


def test_the_same_data_give_the_same_file(erya, data):
    first = erya("train", TOY, "data", "-o", "a.erya")
    second = erya("train", TOY, "data", "-o", "b.erya")
    assert first.code == second.code == 0
    assert Path("a.erya").read_bytes() == Path("b.erya").read_bytes()
