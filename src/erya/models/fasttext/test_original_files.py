"""Files of the original program: read and answered as it answers, written so that it reads them, refused where damaged."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from erya.errors import EryaError, ModelFileError, UsageError
from erya.models.fasttext import binary, original
from erya.models.fasttext.arguments import Arguments
from erya.models.fasttext.dictionary import Dictionary
from erya.models.fasttext.meter import general_lines, label_lines, prediction_line, vector_line
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantized import Quantized

GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden_fasttext"
FILES = sorted(path.name for path in GOLDEN.iterdir() if path.suffix in (".bin", ".ftz"))
CLASSIFIERS = [name for name in FILES if name not in ("skipgram.bin", "cbow.bin")]
ASKED = json.loads((GOLDEN / "queries.json").read_text(encoding="utf-8"))
QUERIES, WORDS = ASKED["queries"], ASKED["words"]


@cache
def golden(name: str) -> tuple[Original, dict]:
    return binary.read(GOLDEN / name), json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def pairs(model: Original, queries, k, threshold=0.0, **how):
    answers, names = model.predict(queries, k, threshold, **how), model.label_names()
    return [
        (names[answers.labels[i, :count]].tolist(), answers.probabilities[i, :count].tolist())
        for i, count in enumerate(answers.counts.tolist())
    ]


def same_pairs(found, wanted):
    for (labels, probabilities), (their_labels, theirs) in zip(found, wanted, strict=True):
        assert labels == their_labels  # equals in the same order, too
        np.testing.assert_allclose(probabilities, theirs, atol=1e-6, rtol=0)


# ---- answers -----------------------------------------------------------------------------------------------------------


def test_there_is_a_file_of_each_kind():
    models = [golden(name)[0] for name in FILES]
    assert {(model.arguments.model, model.arguments.loss) for model in models} >= {
        ("supervised", "softmax"),
        ("supervised", "hs"),
        ("supervised", "ns"),
        ("supervised", "ova"),
        ("skipgram", "ns"),
        ("cbow", "hs"),
    }
    quantized = [model.input for model in models if isinstance(model.input, Quantized)]
    assert {matrix.norm_codes is None for matrix in quantized} == {True, False}
    assert {model.dictionary.prune is None for model in models} == {True, False}
    assert any(isinstance(model.output, Quantized) for model in models)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predicts_as_the_original(name):
    model, told = golden(name)
    for asked, wanted in told["predict"].items():
        k, threshold = asked.split()
        same_pairs(pairs(model, QUERIES, int(k), float(threshold)), wanted)
    same_pairs(pairs(model, QUERIES[1:3], -1), told["all"])


@pytest.mark.parametrize("name", FILES)
def test_vectors_are_the_originals(name):
    model, told = golden(name)
    np.testing.assert_allclose(model.word_vectors(WORDS), told["vectors"], atol=1e-6, rtol=0)
    sentences = [model.sentence_vector(query) for query in QUERIES]
    np.testing.assert_allclose(sentences, told["sentences"], atol=1e-6, rtol=0)
    known = model.known_vectors()
    for row in (0, len(known) - 1):
        np.testing.assert_array_equal(known[row], model.word_vector(model.dictionary.words[row]))


@pytest.mark.parametrize("name", FILES)
def test_the_dictionary_is_the_originals(name):
    model, told = golden(name)
    dictionary = model.dictionary
    assert [word.decode() for word in dictionary.words] == told["words"][0]
    assert dictionary.counts.tolist() == told["words"][1]
    if model.arguments.supervised:
        assert [label.decode() for label in dictionary.labels] == told["labels"][0]
        assert dictionary.label_counts.tolist() == told["labels"][1]
    ids = [[dictionary.number_of(word.encode()), dictionary.label_number(word.encode())] for word in WORDS]
    # the original counts words below 0 when it is asked for a label; it says -1 itself for what is no label
    assert ids == [[word, max(-1, label)] for word, label in told["ids"][:-1]]
    if told["subword_ids"]:
        assert [dictionary.size + dictionary.bucket_of(word.encode()) for word in WORDS] == told["subword_ids"]
    for word, (pieces, rows) in zip(WORDS, told.get("subwords", []), strict=False):
        texts, found = dictionary.subwords(word.encode())
        assert ([text.decode() for text in texts], found.tolist()) == (pieces, rows)


@pytest.mark.parametrize("name", FILES)
def test_neighbours_are_the_originals(name):
    model, told = golden(name)
    for found, wanted in (
        (model.nearest("cat", 5), told["nearest"]),
        (model.analogies("cat", "dog", "soup", 4), told["analogies"]),
    ):
        np.testing.assert_allclose([score for score, _ in found], [score for score, _ in wanted], atol=2e-6)
        if model.dictionary.row_of(b"cat") >= 0:  # else all words are equally near
            assert [word.decode() for _, word in found] == [word for _, word in wanted]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_scores_are_the_originals(name):
    model, told = golden(name)
    path = GOLDEN / "test.txt"
    for asked, (examples, precision, recall) in told["test"].items():
        k, threshold = asked.split()
        meter = model.test(path, int(k), float(threshold))
        assert meter.examples == examples
        np.testing.assert_allclose([meter.precision(), meter.recall()], numbers([precision, recall]), atol=1e-8)
    meter = model.test(path.read_bytes(), 2, 0.2)
    for label, scores in told["test_label"].items():
        number = model.dictionary.label_number(label.encode())
        found = [meter.precision(number), meter.recall(number), meter.f1(number)]
        np.testing.assert_allclose(
            found, numbers([scores[key] for key in ("precision", "recall", "f1score")]), atol=1e-8
        )
    meter = model.test(path, 3, unanswered=True)
    food, daily = (model.dictionary.label_number(f"__label__{word}".encode()) for word in ("food", "daily"))
    for number, key in ((None, "curve"), (food, "curve_food")):
        wanted = [numbers(side) for side in told[key]]
        np.testing.assert_allclose(meter.curve(number), wanted, atol=1e-6)
    at = [meter.precision_at_recall(0.5), meter.recall_at_precision(0.5)]
    at += [meter.precision_at_recall(0.5, food), meter.recall_at_precision(0.5, food)]
    np.testing.assert_allclose(at, numbers(told["at"]), atol=1e-8)
    np.testing.assert_allclose(meter.scores_and_truth(daily), told["scores"], atol=1e-6)


def numbers(values):
    return [math.nan if value == "nan" else value for value in values]


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "hs-pieces.bin", "qnorm.ftz"])
def test_many_lines_on_many_threads_answer_like_each_alone(name):
    model, _ = golden(name)
    texts = [QUERIES[i % len(QUERIES)] + " cat" * (i % 5) for i in range(3000)]
    whole = pairs(model, texts, 3, threads=4)
    assert whole == pairs(model, texts, 3, threads=1)
    same_pairs([whole[17]], pairs(model, [texts[17]], 3))  # few lines are read otherwise: the last digit


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "ova-pieces.bin", "plain.ftz"])
def test_ways_to_read_lines_agree(name, monkeypatch):
    """Texts, encoded lines, word sums kept or not, small blocks: the same answers, up to the last digits."""
    queries = [query for query in QUERIES if "</s>" not in query]
    wanted = pairs(binary.read(GOLDEN / name), queries, 2)
    model = binary.read(GOLDEN / name)
    same_pairs(pairs(model, model.dictionary.encode_texts(queries), 2), wanted)
    monkeypatch.setattr(original, "LINES_AT_ONCE", 2)
    assert pairs(model, queries, 2, threads=3) == wanted
    for most in ("FOLDED_MOST", "DECODED_MOST"):
        monkeypatch.setattr(original, most, 0)
        same_pairs(pairs(binary.read(GOLDEN / name), queries, 2), wanted)


def test_refused_questions():
    model, _ = golden("softmax-bigrams.bin")
    for k in (0, -2):
        with pytest.raises(UsageError, match="k needs to be"):
            model.predict(["cat"], k)
    with pytest.raises(UsageError, match="supervised"):
        golden("cbow.bin")[0].predict(["cat"])
    assert pairs(model, [], 1) == []


def test_labels_that_all_stand_at_nothing_keep_the_originals_order():
    """σ is 0 far out: the original's heap lets a later label push out an equal one, whatever the number of labels."""
    model = small_model("ova")
    model.set_matrices(np.ones_like(model.input), np.full_like(model.output, -50.0))
    assert pairs(model, ["soup"], 1)[0][0] == ["__label__c"]
    assert pairs(model, ["soup"], 2)[0][0] == ["__label__c", "__label__b"]
    assert pairs(model, ["soup"], -1)[0][1] == pytest.approx([1e-5] * 3)


# ---- printed lines -------------------------------------------------------------------------------------------------------


def test_lines_as_the_original_prints_them():
    model, _ = golden("softmax-bigrams.bin")
    meter = model.test(b"__label__food bread\n__label__play soup\n__label__play music\n")
    right = meter.right.sum()
    assert general_lines(meter, 1) == ["N\t3", f"P@1\t{right / 3:.3g}", f"R@1\t{right / 3:.3g}"]
    assert general_lines(meter, 1, fixed=True)[1] == f"P@1\t{right / 3:.3f}"
    assert general_lines(model.test(b"no labels\n"), 1) == ["N\t0", "P@1\tnan", "R@1\tnan"]
    lines = label_lines(meter, model.label_names())
    never = int(np.flatnonzero(meter.predicted + meter.gold == 0)[0])
    shown = "F1-Score : --------  Precision : --------  Recall : --------   "
    assert lines[never] == shown + model.label_names()[never]
    food = model.dictionary.label_number(b"__label__food")
    assert lines[food].startswith(f"F1-Score : {meter.f1(food):.6f}  Precision : ")
    assert prediction_line(["a", "b"], [1.00001, 1.23456789e-5]) == "a 1.00001 b 1.23457e-05"
    assert prediction_line(["a", "b"]) == "a b"
    assert vector_line(np.array([0.5, -1.234567e-7, 3], dtype=np.float32)) == "0.5 -1.2346e-07 3 "


# ---- writing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_file_read_and_written_is_the_same(name, tmp_path):
    binary.write(tmp_path / name, golden(name)[0])
    written, theirs = (tmp_path / name).read_bytes(), (GOLDEN / name).read_bytes()
    if golden(name)[0].dictionary.prune:  # the original writes kept buckets in the order of its hash table
        assert sorted(written) == sorted(theirs)
    else:
        assert written == theirs


def small_model(loss="softmax", **settings) -> Original:
    arguments = Arguments(dim=7, model="supervised", loss=loss, **{"buckets": 11, "min_n": 2, "max_n": 3, **settings})
    words = ["</s>", "soup", "été", "米饭", "game"]
    labels = [f"__label__{name}" for name in "abc"]
    encode = [name.encode() for name in words], [name.encode() for name in labels]
    dictionary = Dictionary.of(encode[0], [9, 4, 4, 3, 1], encode[1], [5, 2, 2], arguments)
    generator = np.random.default_rng(4)
    input = generator.standard_normal((dictionary.rows, 7), dtype=np.float32)
    return Original(arguments, dictionary, input, generator.standard_normal((3, 7), dtype=np.float32))


PEER_SCRIPT = """
import sys, json, fasttext
model = fasttext.load_model(sys.argv[1])
texts = json.loads(sys.argv[2])
answers = [[list(labels), [float(p) for p in probabilities]] for labels, probabilities in (model.predict(t, k=-1) for t in texts)]
print(json.dumps([answers, [[float(x) for x in model.get_word_vector(t)] for t in texts]]))
"""


def peer() -> str:
    """A Python with the original's package: ERYA_FASTTEXT_PYTHON names one."""
    python = os.environ.get("ERYA_FASTTEXT_PYTHON", "")
    if not python:
        pytest.skip("needs ERYA_FASTTEXT_PYTHON, a Python that has the fasttext package and NumPy 1")
    return python


def same_in_the_original(python: str, path: Path, model: Original) -> None:
    texts = ["soup été", "zzz game 米饭", "soup soup soup __label__a", "game"]
    done = subprocess.run(
        [python, "-c", PEER_SCRIPT, str(path), json.dumps(texts)], capture_output=True, text=True, check=True
    )
    answers, vectors = json.loads(done.stdout)
    same_pairs(pairs(model, texts, -1), answers)
    np.testing.assert_allclose(model.word_vectors(texts), vectors, atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "hs", "ns", "ova"])
@pytest.mark.parametrize("settings", [{}, {"word_ngrams": 3}, {"buckets": 0, "min_n": 0, "max_n": 0}], ids=str)
def test_what_we_write_loads_in_the_original(loss, settings, tmp_path):
    python, model = peer(), small_model(loss, **settings)
    binary.write(tmp_path / "m.bin", model)
    same_in_the_original(python, tmp_path / "m.bin", model)


@pytest.mark.parametrize("qnorm", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_what_we_quantize_loads_in_the_original(qnorm, cut, tmp_path):
    python, model = peer(), small_model(word_ngrams=2)
    dictionary, input = model.dictionary, model.input
    if cut:
        dictionary = Dictionary.of(
            dictionary.words,
            dictionary.counts,
            dictionary.labels,
            dictionary.label_counts,
            model.arguments,
            prune={3: 0, 8: 1},
        )
        input = input[: dictionary.rows]
    packed = Original(model.arguments, dictionary, Quantized.of(input, dsub=3, qnorm=qnorm), Quantized.of(model.output))
    binary.write(tmp_path / "m.ftz", packed)
    same_in_the_original(python, tmp_path / "m.ftz", packed)


@pytest.mark.parametrize("name", FILES)
def test_golden_files_written_again_load_in_the_original(name, tmp_path):
    python, (model, _) = peer(), golden(name)
    binary.write(tmp_path / name, model)
    if model.arguments.supervised:
        same_in_the_original(python, tmp_path / name, model)


def test_round_trip_keeps_everything(tmp_path):
    model = small_model(word_ngrams=2, sample=0.25, update_rate=7, window=3, negative=2)
    binary.write(tmp_path / "m.bin", model)
    again = binary.read(tmp_path / "m.bin")
    assert again.arguments == model.arguments
    assert again.dictionary.words == model.dictionary.words
    assert again.dictionary.tokens == model.dictionary.tokens
    np.testing.assert_array_equal(again.input, model.input)
    np.testing.assert_array_equal(again.output, model.output)


def test_large_matrices_stay_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(binary, "SMALL", 8)
    path = tmp_path / "m.bin"
    model = small_model(word_ngrams=2)
    binary.write(path, model)
    mapped = binary.read(path)
    assert mapped.input.base is not None
    texts = ["soup été", "game x"]
    assert pairs(mapped, texts, 3) == pairs(model, texts, 3)
    before = path.read_bytes()
    mapped.input[:] = 0.0  # a change stays in memory
    assert path.read_bytes() == before
    broken = bytearray(before)
    broken[-8 - 4 * 21 - 21 : -4 - 4 * 21 - 21] = struct.pack("<f", math.nan)
    path.write_bytes(broken)
    with pytest.raises(ModelFileError, match="not finite"):
        binary.read(path)


def test_unwritable_models(tmp_path):
    model = small_model()
    cut = model.dictionary
    pruned = Dictionary.of(cut.words, cut.counts, cut.labels, cut.label_counts, model.arguments, prune={1: 0})
    with pytest.raises(UsageError, match="quantized"):
        binary.write(tmp_path / "m.bin", Original(model.arguments, pruned, model.input[: pruned.rows], model.output))
    with pytest.raises(UsageError, match="output alone"):
        binary.write(tmp_path / "m.bin", Original(model.arguments, cut, model.input, Quantized.of(model.output)))
    assert list(tmp_path.iterdir()) == []


def test_old_classifiers_have_no_character_ngrams(tmp_path):
    data = bytearray((GOLDEN / "softmax-pieces.bin").read_bytes())
    data[4:8] = struct.pack("<i", 11)
    path = tmp_path / "old.bin"
    path.write_bytes(data)
    assert binary.read(path).arguments.max_n == 0
    assert golden("softmax-pieces.bin")[0].arguments.max_n == 4


def test_set_matrices():
    model = small_model()
    narrow, output = model.input[:, :3], model.output[:, :3]
    model.set_matrices(narrow, output)
    assert model.word_vector("soup").shape == (3,)
    assert len(pairs(model, ["soup"], -1)[0][0]) == 3
    for bad in ((narrow[:5], output), (narrow, output[:2]), (narrow[:, :2], output), (narrow[0], output)):
        with pytest.raises(UsageError, match="fit"):
            model.set_matrices(*bad)


# ---- damage --------------------------------------------------------------------------------------------------------------


def test_overflow_is_said():
    model = small_model()
    model.set_matrices(np.full_like(model.input, 3e38), model.output)
    for loss in ("softmax", "hs"):
        model.arguments = replace(model.arguments, loss=loss)
        with pytest.raises(ModelFileError, match="finite"):
            model.predict(["soup"])


HEADER, SIZES_AT, NAMES_AT = 8, 64, 92


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, struct.pack("<i", 1), "begins otherwise"),
        (4, struct.pack("<i", 13), "version 13"),
        (HEADER, struct.pack("<i", -5), "dim is -5"),
        (HEADER + 4, struct.pack("<i", -1), "ws is -1"),
        (HEADER + 20, struct.pack("<i", 2**20), "wordNgrams"),
        (HEADER + 24, struct.pack("<i", 9), "no loss 9"),
        (HEADER + 28, struct.pack("<i", 0), "no model 0"),
        (HEADER + 32, struct.pack("<i", 96), "input rows"),
        (HEADER + 40, struct.pack("<i", 2**30), "maxn"),
        (HEADER + 48, struct.pack("<d", math.nan), "t is nan"),
        (SIZES_AT, struct.pack("<i", 2**31 - 1), "names"),
        (SIZES_AT, struct.pack("<3i", 2**31 - 1, 2**31 - 6, 5), "announced"),
        (SIZES_AT + 12, struct.pack("<q", -7), "tokens"),
        (SIZES_AT + 20, struct.pack("<q", 0), "cut"),
        (SIZES_AT + 20, struct.pack("<q", 2**60), "announced"),
        (NAMES_AT, b"\0", "is empty"),
    ],
    ids=str,
)
def test_nonsense_is_named(at, value, message, tmp_path):
    data = bytearray((GOLDEN / "softmax-bigrams.bin").read_bytes())
    data[at : at + len(value)] = value
    path = tmp_path / "m.bin"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message) as caught:
        binary.read(path)
    assert caught.value.where.startswith(f"{path}, byte ")


def test_cut_and_lengthened_files_are_refused(tmp_path):
    path = tmp_path / "m.bin"
    for name in ("softmax-bigrams.bin", "qnorm.ftz", "qout.ftz"):
        data = (GOLDEN / name).read_bytes()
        for size in [*range(0, len(data), 61), len(data) - 1]:
            path.write_bytes(data[:size])
            with pytest.raises(ModelFileError):
                binary.read(path)
        path.write_bytes(data + b"\0")
        with pytest.raises(ModelFileError, match="left over"):
            binary.read(path)
    with pytest.raises(EryaError) as caught:
        binary.read(tmp_path / "none.bin")
    assert caught.value.code.startswith("file-")


EXTREMES = [struct.pack("<i", number) for number in (-1, 0, 1, 255, 2**31 - 1, -(2**31), 2**24)]
EXTREMES += [struct.pack("<q", number) for number in (-1, 0, 2**62, -(2**63), 2**32)]
EXTREMES += [struct.pack("<f", number) for number in (math.nan, math.inf, 3e38, -0.0)]


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 4))):
        head = generator.random() < 0.5  # where sizes are
        at = int(generator.integers(0, min(len(changed), 110) if head else len(changed)))
        kind = generator.integers(0, 5)
        if kind == 0:
            changed[at] ^= 1 << int(generator.integers(0, 8))
        elif kind == 1:
            value = EXTREMES[int(generator.integers(0, len(EXTREMES)))]
            changed[at : at + len(value)] = value
        elif kind == 2:
            changed[at : at + 1] = bytes(int(generator.integers(0, 9)))
        elif kind == 3:
            del changed[at : at + int(generator.integers(1, 9))]
        else:
            other = int(generator.integers(0, len(changed)))
            changed[at : at + 8] = changed[other : other + 8]
    return bytes(changed)


def in_memory() -> Path | None:
    """A folder where writing costs nothing, where there is one."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None


def test_mutated_files_are_refused_or_answer():
    """10,000 files: each is refused with a reason, or is a model that answers; none takes long, none crashes."""
    with TemporaryDirectory(dir=in_memory()) as folder:
        run_mutations(Path(folder, "m.bin"), 10_000)


def run_mutations(path: Path, files: int) -> None:
    generator = np.random.default_rng(11)
    sources = [(GOLDEN / name).read_bytes() for name in FILES if name != "qout.ftz"]
    refused, others, slowest = 0, 0, 0.0
    for number in range(files):
        path.write_bytes(mutated(sources[number % len(sources)], generator))
        started = time.perf_counter()
        try:
            model = binary.read(path)
            try:
                model.word_vectors(WORDS[:4])
                if model.arguments.supervised:
                    model.predict(QUERIES[1:8], k=-1, threads=1)
            except ModelFileError as error:
                others += error.code != "model-not-finite"
        except ModelFileError as error:
            others += error.code != "model-damaged"
            refused += 1
        slowest = max(slowest, time.perf_counter() - started)
    assert others == 0
    assert 0.3 * files < refused < files
    assert slowest < 5.0
