"""The verbs on language models: train, predict, evaluate, explain, filter, compare, in both languages and as documents."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest

from erya.tasks import generate

MODEL = "generate/ngram"
TINY = ("--preset", "tiny")


def has_han(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model and its text."""
    from erya import catalog

    folder = tmp_path_factory.mktemp("generate")
    texts = generate.toy(seed=1, rows=200)
    (folder / "toy.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    catalog.model(MODEL, "tiny").fit(texts).save(folder / "m.erya")
    return folder


@pytest.fixture
def files(erya, saved):
    for name in ("toy.txt", "m.erya"):
        Path(name).write_bytes((saved / name).read_bytes())
    return erya


def test_train_holds_documents_out_and_scores_them(files):
    found = files("train", MODEL, "toy.txt", *TINY, "-o", "new.erya")
    assert found.code == 0, found.err
    assert "bits a character" in found.out
    assert "letters one by one" in found.out
    assert "erya predict new.erya" in found.err
    document = files("train", MODEL, "toy.txt", *TINY, "-o", "new.erya", "--json").document
    assert set(document["scores"]) == {"bits_per_character", "perplexity", "unknown"}
    assert document["scores"]["bits_per_character"]["value"] < 2.5
    assert has_han(files("train", MODEL, "toy.txt", *TINY, "-o", "new.erya", lang="zh").out)


def test_parts_of_their_own(files):
    texts = Path("toy.txt").read_text(encoding="utf-8").splitlines()
    Path("folder").mkdir()
    for name, part in (("train", texts[:150]), ("valid", texts[150:170]), ("test", texts[170:])):
        (Path("folder") / f"{name}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    folder = files("train", MODEL, "folder", *TINY, "-o", "a.erya", "--json").document
    given = ("--validation", "folder/valid.txt", "--test", "folder/test.txt")
    alone = files("train", MODEL, "folder/train.txt", *given, *TINY, "-o", "b.erya", "--json").document
    assert folder["scores"] == alone["scores"]


def test_predict_writes(files):
    found = files("predict", "m.erya", "--input", "the cat", "--seed", "1")
    assert found.code == 0, found.err
    assert found.out.startswith("the cat")
    lines = files("predict", "m.erya", "--jsonl", stdin=b"the\ntwo\n").lines
    assert len(lines) == 2
    greedy = [files("predict", "m.erya", "--input", "the", "--temperature", "0", "--seed", str(n)).out for n in (1, 2)]
    assert greedy[0] == greedy[1]
    document = files("predict", "m.erya", "--input", "two", "--length", "2", "--json").document
    assert document["rows"][0]["answer"].startswith("two")


@pytest.mark.parametrize(
    "options",
    [
        ("--temperature", "-1"),
        ("--temperature", "hot"),
        ("--top-k", "0"),
        ("--top-p", "2"),
        ("--length", "-3"),
        ("--form", "5，5。"),
        ("--top", "3"),
    ],
)
def test_what_makes_no_sense_is_an_error(files, options):
    for lang in ("en", "zh"):
        found = files("predict", "m.erya", "--input", "the", *options, lang=lang)
        assert found.code == 2, found.out
        assert found.err.splitlines()[0].startswith(("error:", "错误："))


def test_options_of_writing_are_refused_by_other_models(files):
    Path("r.csv").write_text(
        "text,label\n" + "".join(f"{word} film {n},{word}\n" for n in range(20) for word in ("good", "bad"))
    )
    assert files("train", "classify/naive_bayes", "r.csv", "-o", "c.erya").code == 0
    found = files("predict", "c.erya", "--input", "good", "--temperature", "0.5")
    assert found.code == 2
    assert "--temperature" in found.err


def test_evaluate(files):
    found = files("evaluate", "m.erya", "toy.txt")
    assert found.code == 0, found.err
    assert "perplexity" in found.out
    assert "困惑度" in files("evaluate", "m.erya", "toy.txt", lang="zh").out
    document = files("evaluate", "m.erya", "toy.txt", "--json").document
    assert document["schema"] == "erya.evaluate/1"
    assert document["documents"] == 200
    assert document["units"]["unknown"] == 0
    Path("other.txt").write_text("the zebra 🦄\n" * 3, encoding="utf-8")
    other = files("evaluate", "m.erya", "other.txt", "--json").document
    assert other["units"]["unknown"] > 0
    assert other["unknown"]
    assert other["scores"]["bits_per_character"]["value"] > document["scores"]["bits_per_character"]["value"]


def test_of_its_own_training_only_the_test_part_is_scored(files):
    trained = files("train", MODEL, "toy.txt", *TINY, "-o", "own.erya", "--json").document
    for data in ("toy.txt", Path("toy.txt").absolute()):
        again = files("evaluate", "own.erya", data, "--json").document
        assert again["data"]["part"] == "test"
        assert again["scores"] == trained["scores"]
        assert again["letters"] == trained["baseline"]["bits_per_character"]
        assert again["data"]["notes"] == []
    shown = files("evaluate", "own.erya", "toy.txt")
    assert f"{again['documents']:,} documents, test part" in shown.out
    assert "letters one by one" in shown.out
    assert "测试部分" in files("evaluate", "own.erya", "toy.txt", lang="zh").out
    Path("other.txt").write_text("\n".join(generate.toy(seed=9, rows=60)) + "\n", encoding="utf-8")
    other = files("evaluate", "own.erya", "other.txt", "--json").document
    assert (other["data"]["part"], other["documents"], other["letters"]) == ("all", 60, None)
    assert other["data"]["notes"] == []
    assert "letters one by one" not in files("evaluate", "own.erya", "other.txt").out


def test_a_training_without_a_test_part_is_told(files):
    files("train", MODEL, "toy.txt", *TINY, "--split", "1/0/0", "-o", "all.erya")
    found = files("evaluate", "all.erya", "toy.txt")
    assert "note    the model was trained on this text" in found.err, found.err
    assert "200 documents, all" in found.out
    assert "训练的" in files("evaluate", "all.erya", "toy.txt", lang="zh").err
    assert files("evaluate", "all.erya", "toy.txt", "--json").document["data"]["notes"]


def test_the_training_part_of_a_folder_is_told(files):
    texts = Path("toy.txt").read_text(encoding="utf-8").splitlines()
    Path("folder").mkdir()
    for name, part in (("train", texts[:150]), ("test", texts[150:])):
        (Path("folder") / f"{name}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    trained = files("train", MODEL, "folder", *TINY, "-o", "own.erya", "--json").document
    assert files("evaluate", "own.erya", "folder/train.txt", "--json").document["data"]["notes"]
    again = files("evaluate", "own.erya", "folder", "--json").document
    assert again["scores"] == trained["scores"]
    assert again["data"]["notes"] == ["read: train.txt, test.txt"]
    assert again["letters"] == trained["baseline"]["bits_per_character"]


def test_letters_are_those_of_the_whole_training(files):
    texts = ["a b"] * 2100 + ["x y"] * 900
    Path("folder").mkdir()
    Path("folder/train.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    Path("folder/test.txt").write_text("\n".join(["a y"] * 60) + "\n", encoding="utf-8")
    trained = files("train", MODEL, "folder", *TINY, "-o", "own.erya", "--json").document
    assert trained["baseline"]["bits_per_character"] == generate.baseline(texts, ["a y"] * 60)
    again = files("evaluate", "own.erya", "folder", "--json").document
    assert again["letters"] == trained["baseline"]["bits_per_character"]


def test_explain_is_a_heat_map(files):
    found = files("explain", "m.erya", "the cats sees")
    assert found.code == 0, found.err
    assert "Surprisal" in found.out
    document = files("explain", "m.erya", "the cats sees", "--json").document
    assert document["arrays"]["bits"]["values"]


def test_filter_by_bits(files):
    Path("mixed.txt").write_text("the cat sees a bird.\nqwx zzkj vvp qqq\nthe dogs like two cats.\n", encoding="utf-8")
    found = files("filter", "m.erya", "mixed.txt", "--max-bits", "4", "-o", "kept", "--threads", "1")
    assert found.code == 0, found.err
    assert Path("kept/mixed.txt").read_text() == "the cat sees a bird.\nthe dogs like two cats.\n"
    assert "bits a character" in found.out
    rest = files("filter", "m.erya", "mixed.txt", "--min-bits", "4", "-o", "rest", "--threads", "1")
    assert Path("rest/mixed.txt").read_text() == "qwx zzkj vvp qqq\n", rest.err
    for wrong in (
        ("--label", "x", "--max-bits", "3"),
        ("--max-bits", "1", "--min-bits", "2"),
        ("--label", "x", "--min-probability", "0.5"),
    ):
        assert files("filter", "m.erya", "mixed.txt", *wrong, "-o", "no", "--threads", "1").code == 2


def test_compare(files):
    found = files("compare", "toy.txt", MODEL, "m.erya", "--task", "generate", "-o", "r.html")
    assert found.code == 0, found.err
    assert "letters one by one" in found.out
    page = Path("r.html").read_text(encoding="utf-8")
    assert "What they write" in page
    document = files("compare", "toy.txt", MODEL, "--task", "generate", "--json", lang="zh").document
    assert document["columns"] == ["bits_per_character", "perplexity"]
    assert len(document["texts"][MODEL]["written"]) >= 2
    assert document["rows"][0]["first_answer_seconds"] > 0


def test_compare_says_how_to_repeat_it(files):
    given = (
        *("--set", "order=3", "--split", "0.5/0.25/0.25", "--seed", "4", "--tokenizer", "characters"),
        *("--budget", "40s", "--text", "a b"),
    )
    found = files("compare", "toy.txt", MODEL, *given, "-o", "r.html")
    assert found.code == 0, found.err
    page = Path("r.html").read_text(encoding="utf-8")
    commands = [shlex.split(html.unescape(told)) for told in re.findall("<pre>(erya compare .*?)</pre>", page)]
    (again,) = commands
    assert again[:4] == ["erya", "compare", "toy.txt", MODEL]
    pairs = list(zip(again[4::2], again[5::2], strict=True))
    assert sorted(pairs) == sorted(
        [*zip(given[::2], given[1::2], strict=True), ("--seeds", "1"), ("-o", "report.html")]
    )
    scores = [files(*argv, "--json").document["rows"][0]["scores"] for argv in (("compare", *again[2:-2]),)]
    assert files("compare", "toy.txt", MODEL, *given, "--json").document["rows"][0]["scores"] == scores[0]


def test_compare_writes_bits_and_not_shares(files):
    assert files("compare", "toy.txt", MODEL, "-o", "r.html").code == 0
    page = Path("r.html").read_text(encoding="utf-8")
    (title,) = re.findall('class="bar">.*?<title>(.*?)</title>', page)
    assert re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", title)


def test_compare_with_a_budget_that_no_network_starts_in(files):
    found = files("compare", "toy.txt", "generate/lstm", "--budget", "8s", "--json")
    assert found.code == 5
    (row,) = found.document["rows"]
    assert row["status"] == "skipped"
    assert row["error"] == "a budget of 8 s is too small for it: at least 20 s, with starting and scoring"
    told = files("compare", "toy.txt", "generate/lstm", "--budget", "8s", "--json", lang="zh").document["rows"][0]
    assert "至少要 20 秒" in told["error"]


def test_compare_names_the_task(files):
    assert "vectors, generate" in files("compare", "--help").out


def test_bad_text(files):
    Path("empty.txt").write_text("")
    Path("binary.txt").write_bytes(b"\xff\xfe\x00\x01" * 50)
    Path("lines.txt").write_text("\n\n\n")
    for name in ("empty.txt", "binary.txt", "lines.txt", "missing.txt"):
        found = files("train", MODEL, name, *TINY, "-o", "x.erya")
        assert found.code == 3, (name, found.err)
        assert not Path("x.erya").exists()


def test_mix(files, saved):
    from erya import catalog

    texts = Path("toy.txt").read_text(encoding="utf-8").splitlines()
    catalog.model(MODEL, "tiny", {"order": 1}).fit(texts).save(Path("one.erya"))
    found = files("mix", "m.erya", "one.erya", "--on", "toy.txt", "-o", "both.erya")
    assert found.code == 0, found.err
    assert "generate/ngram" in found.out
    document = files("mix", "m.erya", "one.erya", "--weights", "0.75,0.25", "-o", "both.erya", "--json").document
    assert [one["weight"] for one in document["models"]] == [0.75, 0.25]
    assert files("evaluate", "both.erya", "toy.txt").code == 0
    assert files("show", "both.erya", "the cat").code == 0
    assert files("mix", "m.erya", "one.erya", "-o", "no.erya").code == 2
    assert files("mix", "m.erya", "one.erya", "--weights", "1,1", "-o", "no.erya", lang="zh").code == 2


def test_mix_on_what_the_models_were_trained_on(files):
    for name, order in (("one", 1), ("three", 3)):
        files("train", MODEL, "toy.txt", *TINY, "--set", f"order={order}", "-o", f"{name}.erya")
    held_out = files("mix", "one.erya", "three.erya", "--on", "toy.txt", "-o", "both.erya", "--json").document
    assert held_out["on"]["part"] == "dev"
    assert held_out["on"]["documents"] < 40
    assert held_out["notes"] == []
    assert "dev part" in files("mix", "one.erya", "three.erya", "--on", "toy.txt", "-o", "both.erya").err
    assert files("evaluate", "both.erya", "toy.txt", "--json").document["data"]["part"] == "test"
    files("train", MODEL, "toy.txt", *TINY, "--split", "0.9/0/0.1", "-o", "test.erya")
    command = ("mix", "test.erya", "test.erya", "--on", "toy.txt", "-o", "both.erya")
    twice = files(*command, "--json").document
    assert twice["on"]["part"] == "test"
    assert len(twice["notes"]) == 1
    assert "the same model twice: test.erya and test.erya" in files(*command).err
    files("train", MODEL, "toy.txt", *TINY, "--split", "1/0/0", "-o", "all.erya")
    for lang, said in (("en", "trained on this text: all.erya"), ("zh", "训练过：all.erya")):
        found = files("mix", "all.erya", "all.erya", "--on", "toy.txt", "-o", "both.erya", lang=lang)
        assert found.code == 0, found.err
        assert said in found.err
    assert files("evaluate", "both.erya", "toy.txt", "--json").document["data"]["notes"]


def test_a_document_that_is_too_long_to_be_told_unit_by_unit(files, monkeypatch):
    """Said before a training whose test part it is, and not after it."""
    from erya import run_documents, runs

    Path("part").mkdir()
    for name in ("train", "test"):
        Path(f"part/{name}.txt").write_text("the cat sat on the mat " * 40)
    monkeypatch.setattr(runs, "LONGEST", 500)
    monkeypatch.setattr(run_documents, "LONGEST", 500)
    for words in (("evaluate", "m.erya", "part/test.txt"), ("train", MODEL, "part", *TINY, "-o", "x.erya")):
        found = files(*words)
        assert (found.code, "500 characters" in found.err) == (3, True), found.err
    assert not Path("x.erya").exists()


def test_what_is_impossible_survives_a_file(files):
    found = files("train", MODEL, "toy.txt", "--set", "smoothing=mle", "-o", "shares.erya")
    assert found.code == 0, found.err
    texts = Path("toy.txt").read_text(encoding="utf-8").splitlines()
    import erya

    model = erya.load("shares.erya")
    assert model.tree_.log_probability.min() == -float("inf")
    assert model.surprisals([texts[0], "zzzz"])[1].bits.max() == generate.IMPOSSIBLE


def test_a_text_is_checked_for_learning_what_comes_next(files):
    texts = Path("toy.txt").read_text(encoding="utf-8").splitlines()
    Path("again.txt").write_text("\n".join(texts[:150] * 2) + "\n", encoding="utf-8")
    found = files("check", "again.txt", "--task", "generate", "--split", "0.5/0/0.5", "--json").document
    assert found["kind"] == "text"
    assert found["documents"] == found["test_documents"] == 150
    assert found["test_in_training"] == 150
    assert found["test_unknown"] == 0
    assert {"leak", "little-text"} <= {problem["code"] for problem in found["problems"]}
    told = files("check", "again.txt", "--task", "generate", lang="zh")
    assert has_han(told.out)
    assert "erya train generate/ngram again.txt" in told.err


def test_how_strong_a_colour_is_is_said_in_bits(files):
    told = files("explain", "m.erya", "the cat")
    assert " bits\n" in told.out
    assert " for\n" not in told.out
    refused = files("explain", "m.erya", "the cat", "--label", "x")
    assert refused.code == 2
    assert "has no labels" in refused.err


def test_a_language_model_grew_from_language_models(files):
    found = files("about", "generate/lstm", "--json").document
    assert {parent["model"] for parent in found["parents"]} == {"generate/rnn"}
    assert {parent["model"] for parent in files("about", "classify/lstm", "--json").document["parents"]} == {
        "classify/fasttext",
        "classify/rnn",
    }


def test_beams_are_bounded(files):
    refused = files("predict", "m.erya", "--input", "the", "--beams", "100000")
    assert refused.code == 2
    assert "1000" in refused.err


def test_a_training_that_has_not_ended_is_not_missed(files):
    Path("later.erya.run").mkdir()
    found = files("predict", "later.erya", "--input", "the")
    assert "erya resume later.erya" in found.err


def test_what_is_impossible_is_said_so(files):
    files("train", MODEL, "toy.txt", "--set", "smoothing=mle", "-o", "shares.erya")
    Path("new.txt").write_text("the zebra zzz\n\nthe cat\n", encoding="utf-8")
    found = files("evaluate", "shares.erya", "new.txt")
    assert found.code == 0, found.err
    assert "impossible units" in found.out
    assert "∞" in found.out
    assert max(map(len, found.out.splitlines())) < 120


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("evaluate", "m.erya", "toy.txt", "--strict"), "--strict"),
        (("evaluate", "m.erya", "toy.txt", "--method", "add"), "--method"),
        (("evaluate", "m.erya", "toy.txt", "--restrict", "10"), "--restrict"),
        (("compare", "toy.txt", "generate", "--similarity", "pairs.tsv"), "--similarity"),
        (("predict", "m.erya", "--input", "the", "--beams", "3", "--temperature", "1"), "--temperature"),
        (("predict", "m.erya", "--input", "the", "--beams", "3", "--seed", "1"), "--seed"),
        (("predict", "m.erya", "--input", "the", "--form", "5，5。", "--length", "9"), "--length"),
        (("mix", "m.erya", "m.erya", "--on", "toy.txt", "--label", "x", "-o", "b.erya"), "--label"),
    ],
)
def test_no_option_is_silently_ignored(files, arguments, named):
    refused = files(*arguments)
    assert refused.code == 2
    assert named in refused.err
    assert has_han(files(*arguments, lang="zh").err)


def test_the_command_to_train_has_the_options_of_the_comparison(files):
    found = files("compare", "toy.txt", MODEL, "--set", "order=2", "--seeds", "1", "--seed", "7", "-o", "r.html")
    (line,) = [line for line in found.err.splitlines() if "erya train" in line]
    assert "--set order=2" in line
    assert "--seed 7" in line
    assert "--seeds" not in line
