"""fasttext: the original's verbs and options, its lines on standard output, and clear words where it would crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from erya.cli import fasttext as verb
from erya.cli import fasttext_options as options
from erya.errors import UsageError

TEXT = "__label__tea green tea with ginger\n__label__tea hot tea and milk\n__label__soup noodle soup with egg\n" * 20


def line(text):
    return text.split()


@pytest.fixture
def trained(erya):
    """``model.bin`` and its text."""
    Path("train.txt").write_text(TEXT, encoding="utf-8")
    found = erya(
        *line("fasttext supervised -input train.txt -output model -dim 8 -epoch 20 -lr 0.5 -wordNgrams 2"),
        *line("-bucket 1000 -minn 2 -maxn 3 -thread 1 -verbose 0"),
    )
    assert (found.code, found.out, found.err) == (0, "", "")
    return Path("model.bin")


def test_three_lines(erya, trained):
    found = erya("fasttext", "test", "model.bin", "train.txt")
    assert found.lines == ["N\t60", "P@1\t1", "R@1\t1"]
    assert Path("model.vec").exists()


def test_labelled_lines_from_standard_input(erya, trained):
    from_file = erya("fasttext", "test-label", "model.bin", "train.txt").out
    assert erya("fasttext", "test-label", "model.bin", "-", stdin=TEXT.encode()).out == from_file
    assert erya("fasttext", "test", "model.bin", "-", stdin=b"").lines == ["N\t0", "P@1\tnan", "R@1\tnan"]
    one = b"__label__tea green tea\n__label__soup green tea\n"
    assert erya("fasttext", "test", "model.bin", "-", "1", stdin=one).lines == ["N\t2", "P@1\t0.5", "R@1\t0.5"]


def test_bytes_that_are_no_text_are_words_like_others(erya, trained):
    import erya.fasttext as module

    Path("odd.txt").write_bytes(b"__label__a \xff\xfe x\n__label__b \xff\xfd x\n" * 20)
    assert erya(*line("fasttext supervised -input odd.txt -output odd -dim 4 -epoch 30 -lr 0.5 -verbose 0")).code == 0
    asked = b"\xff\xfe\n\xff\xfd\n\nx\n"
    found = erya("fasttext", "predict", "odd.bin", "-", stdin=asked).lines
    assert found[:2] == ["__label__a", "__label__b"]
    assert len(found) == 4
    model = module.load_model("odd.bin")
    labels, probabilities = model.predict_bytes([b"x", b""])
    again, shares = model.predict(["x", ""])
    assert (labels, [one.tolist() for one in probabilities]) == (again, [one.tolist() for one in shares])
    vector = erya("fasttext", "print-word-vectors", "odd.bin", stdin=b"\xff\xfe\n").lines[0].split()[1:]
    assert [float(number) for number in vector] == pytest.approx(model.original.word_vector(b"\xff\xfe"), rel=1e-4)


def test_advice_speaks_of_this_command_lines_options(erya, trained):
    found = erya(*line("fasttext supervised -input train.txt -output z -dim 0"))
    assert found.code == 2
    assert "-dim" in found.err
    assert "--set" not in found.err
    assert "-epoch" in erya(*line("fasttext supervised -input train.txt -output z -epoch 0")).err
    assert "folder" in erya(*line("fasttext predict model.bin .")).err
    assert "takes 2 arguments, not 1" in erya(*line("fasttext dump model.bin")).err
    Path("empty.txt").touch()
    assert "is empty" in erya(*line("fasttext supervised -input empty.txt -output z")).err
    Path("v.vec").write_text("1 3\ntea 1 2 3\n", encoding="utf-8")
    told = erya(*line("fasttext supervised -input train.txt -output z -dim 7 -pretrainedVectors v.vec -verbose 1")).err
    assert "dim is 3" in told


def test_labels_each(erya, trained):
    found = erya("fasttext", "test-label", "model.bin", "train.txt")
    assert found.lines[0].split() == [
        "F1-Score",
        ":",
        "1.000000",
        "Precision",
        ":",
        "1.000000",
        "Recall",
        ":",
        "1.000000",
        "__label__tea",
    ]
    assert found.lines[-3:] == ["N\t60", "P@1\t1.000", "R@1\t1.000"]


def test_answers_from_a_file_and_from_standard_input(erya, trained):
    Path("asked.txt").write_text("green tea\nnoodle soup\n", encoding="utf-8")
    assert erya("fasttext", "predict", "model.bin", "asked.txt").lines == ["__label__tea", "__label__soup"]
    found = erya("fasttext", "predict-prob", "model.bin", "-", "2", stdin=b"noodle soup\n\n")
    label, first, other, second = found.lines[0].split()
    assert (label, other) == ("__label__soup", "__label__tea")
    assert 0.9 < float(first) <= 1.00002
    assert float(second) < 0.1
    assert len(found.lines) == 2
    assert erya("fasttext", "predict", "model.bin", "asked.txt", "1", "1.1").out.strip() == ""


def test_quantized(erya, trained):
    found = erya(*line("fasttext quantize -input train.txt -output model -qnorm -retrain -cutoff 300 -verbose 0"))
    assert found.code == 0, found.err
    assert erya("fasttext", "test", "model.ftz", "train.txt").lines[1] == "P@1\t1"


def test_the_best_model_under_a_size(erya, trained):
    assert trained.stat().st_size > 30_000
    command = "fasttext quantize -input train.txt -output model -max-size 20k -autotune-validation train.txt"
    found = erya(*line(command))
    assert found.code == 0, found.err
    assert Path("model.ftz").stat().st_size <= 20_000
    assert " -dsub 1 -qnorm" in found.err
    assert erya(*line("fasttext test model.ftz train.txt")).lines[1] == "P@1\t1"
    assert "labelled lines" in erya(*line("fasttext quantize -output model -max-size 20k")).err


def test_vectors(erya):
    Path("corpus.txt").write_text("green tea with milk and hot soup with egg \n" * 30, encoding="utf-8")
    command = "-input corpus.txt -output v -dim 8 -minCount 1 -bucket 500 -epoch 2 -verbose 0"
    assert erya("fasttext", "skipgram", *command.split()).code == 0
    found = erya("fasttext", "print-word-vectors", "v.bin", stdin=b"tea teapot\n")
    assert [len(line.split()) for line in found.lines] == [9, 9]
    assert [line.split()[0] for line in found.lines] == ["tea", "teapot"]
    assert len(erya("fasttext", "print-sentence-vectors", "v.bin", stdin=b"hot tea\n").lines[0].split()) == 8
    assert erya("fasttext", "print-ngrams", "v.bin", "tea").lines[1].startswith("<te ")
    nearest = erya("fasttext", "nn", "v.bin", "3", stdin=b"tea\n")
    assert nearest.out.count("Query word? ") == 2
    assert len(nearest.lines) == 4
    analogy = erya("fasttext", "analogies", "v.bin", "2", stdin=b"hot soup tea\n")
    assert len(analogy.lines) == 3


def test_dump(erya, trained):
    found = erya("fasttext", "dump", "model.bin", "args")
    assert found.lines[:3] == ["dim 8", "ws 5", "epoch 20"]
    assert found.lines[-1] == "t 0.0001"
    assert erya("fasttext", "dump", "model.bin", "dict").lines[0] == "13"
    assert erya("fasttext", "dump", "model.bin", "matrix").code != 0


def test_same_seed_same_file(erya, trained):
    before = trained.read_bytes()
    again = (
        "-input train.txt -output again -dim 8 -epoch 20 -lr 0.5 -wordNgrams 2 -bucket 1000 -minn 2 -maxn 3 -verbose 0"
    )
    assert erya("fasttext", "supervised", *again.split(), "-thread", "2").code == 0
    assert Path("again.bin").read_bytes() == before


def test_autotune(erya, trained):
    Path("valid.txt").write_text(TEXT[:300].rsplit("\n", 1)[0] + "\n", encoding="utf-8")
    found = erya(
        *line("fasttext supervised -input train.txt -output best -autotune-validation valid.txt -dim 5 -bucket 1000"),
        *line("-autotune-duration 1 -autotune-journal trials.jsonl -epoch 3"),
    )
    assert found.code == 0, found.err
    assert "best of" in found.err
    assert len(Path("trials.jsonl").read_text(encoding="utf-8").splitlines()) > 1
    assert "dim 5" in erya("fasttext", "dump", "best.bin", "args").lines


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["supervise"], "unknown-command"),
        (["supervised", "-input", "train.txt"], "missing-option"),
        (["supervised", "-inptu", "a"], "unknown-option"),
        (["supervised", "-input", "a", "-output", "b", "-lr", "fast"], "bad-setting"),
        (["supervised", "-input", "a", "-output", "b", "-loss", "hinge"], "bad-setting"),
        (["supervised", "-input", "a", "-output"], "missing-value"),
        (["skipgram", "-input", "a", "-output", "b", "-loss", "ova"], "bad-setting"),
        (["test", "model.bin"], "missing-argument"),
        (["test", "model.bin", "nowhere.txt"], "no-file"),
        (["predict", "model.bin", "train.txt", "many"], "bad-argument"),
        (["predict", "model.bin", "nowhere.txt"], "no-file"),
    ],
)
def test_mistakes(erya, trained, arguments, code):
    found = erya("fasttext", *arguments)
    assert found.code != 0
    assert found.err.startswith("error: "), found.err
    with pytest.raises(UsageError) as caught:
        verb.fasttext(SimpleNamespace(args=arguments))
    assert caught.value.code == code


def test_usage(erya):
    assert all(f"  {name} " in erya("fasttext").out for name in options.VERBS)
    listed = erya("fasttext", "supervised").out
    assert "-lr                  learning rate [0.1]" in listed
    assert "-minCount            minimal number of word occurrences [1]" in listed
    assert "-cutoff" not in listed
    assert "学习率 [0.05]" in erya("fasttext", "cbow", lang="zh").out


def test_defaults_are_the_originals():
    supervised = options.parse("supervised", ["-input", "a", "-output", "b"]).values
    assert (supervised["lr"], supervised["minn"], supervised["bucket"], supervised["loss"]) == (0.1, 0, 0, "softmax")
    skipgram = options.parse("skipgram", ["-input", "a", "-output", "b"]).values
    assert (skipgram["lr"], skipgram["minCount"], skipgram["bucket"], skipgram["loss"]) == (0.05, 5, 2_000_000, "ns")
    chosen = options.parse("supervised", ["-input", "a", "-output", "b", "-qnorm", "-lr", "0.5", "-saveOutput", "1"])
    assert chosen.by_hand == {"input", "output", "qnorm", "lr", "saveOutput"}
    assert chosen.values["saveOutput"] is True


def test_the_name_is_taken_by_choice():
    script = (
        "import sys, erya.fasttext\n"
        "erya.fasttext.take_the_name()\n"
        "import fasttext, fasttext.util, fasttext.FastText\n"
        "from fasttext import util, FastText, load_model, tokenize\n"
        "from fasttext.util import download_model, find_nearest_neighbor, reduce_model, test\n"
        "from fasttext.util.util import valid_lang_ids\n"
        "from fasttext.FastText import _FastText, EOS, BOW, EOW, train_supervised\n"
        "fasttext.FastText.eprint = lambda *words: None\n"
        "print(fasttext is erya.fasttext, util is erya.fasttext.util, FastText.load_model is load_model)\n"
        "print(_FastText.__name__, EOS, BOW, EOW, tokenize('a b\\n'), len(valid_lang_ids), fasttext.EOS)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["True True True", "FastTextModel </s> < > ['a', 'b', '</s>'] 158 </s>"]
