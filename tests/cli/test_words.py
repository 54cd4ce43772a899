"""The verbs on word vectors: train, evaluate, show, predict, check, compare, each in both languages and as a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import WORDS


def has_han(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


# ---- train ------------------------------------------------------------------------------------------------------


def test_train_says_what_it_wrote_and_what_to_do_now(erya, words):
    found = erya("train", WORDS, "corpus.txt", "--preset", "tiny", "-o", "new.erya")
    assert found.code == 0, found.err
    assert "26 words" in found.out
    assert "1 file" in found.err
    assert "erya show new.erya near" in found.err
    assert "erya evaluate new.erya" in found.err
    assert "26 个词" in erya("train", WORDS, "corpus.txt", "--preset", "tiny", "-o", "new.erya", lang="zh").out
    document = erya("train", WORDS, "corpus.txt", "--preset", "tiny", "-o", "new.erya", "--json").document
    assert document["schema"] == "erya.train/1"
    assert document["scores"] == {}
    assert document["data"]["files"] == 1
    assert Path("new.erya").read_bytes() == words.read_bytes(), "same seed, same bytes"


def test_a_dry_run_trains_nothing(erya, words):
    found = erya("train", WORDS, "corpus.txt", "-o", "new.erya", "--dry-run", "--json")
    assert found.document["data"]["bytes"] == Path("corpus.txt").stat().st_size
    assert not Path("new.erya").exists()


def test_samples_tables_folders_and_other_encodings(erya, words):
    Path("rows.csv").write_text("id,body\n" + "1,soup bread\n2,bread soup\n" * 20, encoding="utf-8")
    Path("folder").mkdir()
    Path("folder/a.txt").write_text("北京 上海\n" * 30, encoding="utf-8")
    Path("gb.txt").write_bytes("北京 上海\n".encode("gb18030") * 30)
    for arguments, count in (
        (["rows.csv", "--text", "body"], 2),
        (["folder", "--set", "tokenizer=chinese_words"], 2),
        (["gb.txt", "--encoding", "gb18030", "--set", "tokenizer=chinese_words"], 2),
    ):
        found = erya("train", WORDS, *arguments, "--preset", "tiny", "-o", "new.erya")
        assert found.code == 0, found.err
        assert f"{count} words" in found.out


def test_a_corpus_without_words_is_said(erya, words):
    Path("empty.txt").write_bytes(b"")
    assert erya("train", WORDS, "empty.txt", "-o", "new.erya").code == 3
    few = erya("train", WORDS, "corpus.txt", "--set", "min_count=1000", "-o", "new.erya")
    assert few.code == 3
    assert not Path("new.erya").exists()
    assert not Path("new.erya.run").exists()


def test_lines_that_are_not_utf8_stop_or_are_counted(erya, words):
    Path("bad.txt").write_bytes(b"soup bread\n" * 30 + b"soup \xff\n" + b"bread soup\n")
    command = ["train", WORDS, "bad.txt", "--preset", "tiny", "-o", "new.erya"]
    stopped = erya(*command)
    assert stopped.code == 3
    assert "bad.txt:31" in stopped.err
    found = erya(*command, "--bad-rows", "skip")
    assert found.code == 0, found.err
    assert "31 texts" in found.err
    assert "1 rejected" in found.err


def test_a_misspelt_view_names_the_nearest(erya, words):
    assert "did you mean 'near'?" in erya("show", "v.erya", "nearr", "soup").err
    assert "near, analogy, map, compare" in erya("show", "v.erya", "zzz", "soup").err


@pytest.mark.parametrize("verb", ["show", "check", "evaluate"])
def test_a_damaged_vec_file_is_taken_for_vectors(erya, words, verb):
    """Its name says what it should be: neither a model file nor rows with labels are spoken of."""
    Path("broken.vec").write_text("2 3\na 1 x 2\nb 1 2 3\n", encoding="utf-8")
    found = erya(verb, "broken.vec")
    assert found.code == 4
    assert "does not look like word vectors" in found.err


def test_options_that_mean_nothing_here_are_said(erya, words):
    command = ["train", WORDS, "corpus.txt", "--preset", "tiny", "-o", "new.erya", "--split", "0.8/0.1/0.1"]
    assert "--split" in erya(*command).err
    assert "未用到" in erya(*command, lang="zh").err


# ---- evaluate ---------------------------------------------------------------------------------------------------


def test_evaluate_on_similarity_sets(erya, words):
    document = erya("evaluate", "v.erya", "ws.tsv", "--json").document
    assert document["schema"] == "erya.evaluate/1"
    score = document["scores"]["spearman_ws"]
    assert set(score) == {"value", "low", "high"}
    assert score["value"] > 0.5
    assert (document["rows"], document["known"], document["unknown"]) == (6, 5, 1)
    assert document["similarity"][0]["missing"] == ["xyzzy"]
    assert document["analogies"] == {}
    shown = erya("evaluate", "v.erya", "ws.tsv")
    assert "5 / 6" in shown.out
    assert "xyzzy" in shown.err
    assert has_han(erya("evaluate", "v.erya", "ws.tsv", lang="zh").out)


def test_evaluate_without_data_asks_the_bundled_analogies(erya, words):
    document = erya("evaluate", "v.erya", "--json").document
    total = document["analogies"]["bundled:en"]["add"]["total"]
    assert (total["asked"], total["known"]) == (19_544, 0)
    assert document["unknown"] == 19_544
    assert document["scores"] == {}
    assert "0 / 19,544" in erya("evaluate", "v.erya").out


def test_evaluate_on_questions_of_ones_own(erya, words):
    Path("mine.txt").write_text(
        ": kitchen\nsoup bread rain fog\nsoup salt rain snow\nsoup x rain y\n", encoding="utf-8"
    )
    document = erya("evaluate", "v.erya", "mine.txt", "--method", "add", "--json").document
    (report,) = document["analogies"].values()
    assert set(report) == {"add"}
    assert report["add"]["sections"][0]["name"] == "kitchen"
    assert (report["add"]["total"]["asked"], report["add"]["total"]["known"]) == (3, 2)
    assert "analogy_accuracy" in document["scores"]
    assert "2 / 3" in erya("evaluate", "v.erya", "mine.txt", "ws.tsv").out
    assert erya("evaluate", "v.erya", "--method", "mal").code == 2


def test_other_vocabularies_are_asked_in_their_language(erya, words):
    Path("zh.vec").write_text("4 3\n男人 1 0 0\n女人 0 1 0\n国王 1 1 0\n女王 0 1 1\n", encoding="utf-8")
    assert erya("evaluate", "zh.vec", "--json").document["data"]["analogies"] == ["bundled:zh"]


# ---- show -------------------------------------------------------------------------------------------------------


def test_near(erya, words):
    found = erya("show", "v.erya", "near", "soup", "rain", "--top", "3", "--json").document
    assert found["view"] == "near"
    soup, rain = found["answers"]
    assert soup["word"] == "soup"
    assert len(soup["near"]) == len(rain["near"]) == 3
    assert soup["count"] > 0
    assert {word for word, _ in soup["near"]} <= {"bread", "salt", "noodles", "pepper", "butter", "rice", "onion"}
    shown = erya("show", "v.erya", "near", "soup")
    assert soup["near"][0][0] in shown.out
    assert "最近的词" in erya("show", "v.erya", "near", "soup", lang="zh").out


@pytest.mark.parametrize(
    "view", [["near", "sopu"], ["map", "sopu", "rain"], ["analogy", "sopu", "rain", "fog"], ["sopu"]]
)
def test_an_unknown_word_names_the_nearest(erya, words, view):
    found = erya("show", "v.erya", *view)
    assert found.code == 2
    assert "'sopu'" in found.err
    assert "did you mean 'soup'" in found.err
    assert "是不是" in erya("show", "v.erya", *view, lang="zh").err


def test_analogy_map_and_pages(erya, words):
    found = erya("show", "v.erya", "analogy", "soup", "bread", "rain", "--json").document
    assert found["input"] == ["soup", "bread", "rain"]
    assert len(found["answers"]) == 10
    assert "→" in erya("show", "v.erya", "analogy", "soup", "bread", "rain", "--method", "mul").out
    points = erya("show", "v.erya", "map", "soup", "rain", "fog", "--json").document
    assert [point["word"] for point in points["points"]] == ["soup", "rain", "fog"]
    assert 0.99 < sum(points["variance"]) < 1.01
    shown = erya("show", "v.erya", "map").out
    assert "•" in shown
    assert sum(word in shown for word in ("soup", "bread", "salt", "rain", "fog", "wind", "snow", "onion")) > 2
    assert erya("show", "v.erya", "map", "-o", "map.html").code == 0
    page = Path("map.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert "soup" in page
    two = erya("show", "v.erya", "analogy", "soup", "rain")
    assert two.code == 2
    assert "three words" in two.err


def test_compare_two_files(erya, words):
    assert erya("convert", "v.erya", "same.bin").code == 0
    same = erya("show", "v.erya", "compare", "same.bin", "--json").document
    assert same["mean_overlap"] == 1
    assert same["shared"] == 26
    erya("train", WORDS, "corpus.txt", "--preset", "tiny", "--seed", "5", "--set", "window=1", "-o", "w.erya")
    other = erya("show", "v.erya", "compare", "w.erya", "--words", "soup,rain", "--top", "5", "--json").document
    assert [row["word"] for row in other["rows"]] == ["soup", "rain"]
    assert 0 < other["mean_overlap"] < 1
    assert "soup" in erya("show", "v.erya", "compare", "w.erya").out
    assert erya("show", "v.erya", "compare").code == 2
    assert erya("show", "v.erya", "compare", "ws.tsv").code == 4


def test_overview_trace_card_and_curve(erya, words):
    page = erya("show", "v.erya")
    for word in ("near", "analogy", "map", "compare", "trace"):
        assert word in page.out
    assert erya("show", "v.erya", "--json").document["words"] == 26
    assert erya("show", "v.erya", "trace", "soup", "--json").document["schema"] == "erya.trace/1"
    assert erya("show", "v.erya", "soup").out == erya("show", "v.erya", "trace", "soup").out
    assert "vectors/toy" in erya("show", "v.erya", "card").out
    assert "near WORD" in erya("show", "v.erya", "card").out
    assert erya("show", "v.erya", "curve").code == 0


# ---- predict, explain, check, about -----------------------------------------------------------------------------


def test_predict_gives_the_vector_of_each_word(erya, words):
    found = erya("predict", "v.erya", "--input", "soup", "--json").document
    (row,) = found["rows"]
    assert (row["row"], row["word"], len(row["answer"])) == (1, "soup", 8)
    lines = erya("predict", "v.erya", "--jsonl", stdin=b"soup\nsopu\nrain\n").lines
    first, unknown, last = (json.loads(line) for line in lines)
    assert first["answer"] == row["answer"]
    assert unknown["code"] == "unknown-word"
    assert last["row"] == 3
    assert erya("predict", "v.erya", "--input", "soup").out.split()[0] == "soup"
    assert erya("predict", "v.erya", "--input", "sopu").code == 2


def test_explain_refuses_and_shows_the_way(erya, words):
    found = erya("explain", "v.erya", "soup")
    assert found.code == 2
    assert "erya show v.erya near soup" in found.err


def test_check_a_corpus_a_model_and_a_foreign_file(erya, words):
    corpus = erya("check", "corpus.txt", "--task", "vectors", "--json").document
    assert (corpus["kind"], corpus["words"], corpus["lines"]) == ("corpus", 26, 300)
    assert corpus["problems"][0]["code"] == "few-tokens"
    assert has_han(erya("check", "corpus.txt", "--task", "vectors", lang="zh").out)
    assert erya("check", "v.erya").code == 0
    erya("convert", "v.erya", "v.vec")
    foreign = erya("check", "v.vec", "--json").document
    assert (foreign["kind"], foreign["format"], foreign["words"]) == ("vectors", "fasttext-vec", 26)
    assert "26 × 8" in erya("check", "v.vec").out


def test_about_and_list(erya, words):
    assert "corpus.txt" in erya("about", WORDS).err
    assert WORDS in erya("list", "vectors").out
    assert "erya convert" in erya("about", "vectors/keyed").out


# ---- compare ----------------------------------------------------------------------------------------------------


def test_compare(erya, words):
    erya("convert", "v.erya", "v.bin")
    found = erya(
        "compare", "corpus.txt", WORDS, "v.bin", "v.erya", "--set", "dim=6", "--similarity", "ws.tsv", "-o", "r.html"
    )
    assert found.code == 0, found.err
    assert "ws" in found.lines[0]
    assert "queries/s" in found.lines[0]
    for name in (WORDS, "v.bin", "v.erya"):
        assert any(line.startswith(name) for line in found.lines)
    page = Path("r.html").read_text(encoding="utf-8")
    assert "word vectors compared" in page
    assert "Similarity judgements" in page
    assert "macro F1" not in page
    document = erya("compare", "corpus.txt", "v.bin", "--similarity", "ws.tsv", "--json", lang="zh").document
    assert document["task"] == "vectors"
    assert document["rows"][0]["scores"]["spearman_ws"]["value"] > 0.5
    assert has_han(document["advice"]["sentences"][0])


def test_compare_refuses_models_of_another_task(erya, words, trained):
    wrong = erya("compare", "corpus.txt", WORDS, "classify/naive_bayes")
    assert wrong.code == 2
    assert "classify/naive_bayes" in wrong.err
    assert erya("compare", "corpus.txt", WORDS, "m.erya").code == 2
