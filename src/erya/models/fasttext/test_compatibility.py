"""``import erya.fasttext as fasttext``: every function and method of the original's module, with its answers."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

import erya.fasttext as fasttext
from erya.errors import DataError

GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden_fasttext"
ASKED = json.loads((GOLDEN / "queries.json").read_text(encoding="utf-8"))
QUERIES, WORDS = ASKED["queries"], ASKED["words"]
TEST = GOLDEN / "test.txt"


def golden(name: str):
    told = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return fasttext.load_model(str(GOLDEN / name)), told


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """Three topics, each with words of its own."""
    generator = np.random.default_rng(2)
    topics = {
        "food": "soup bread rice noodle tofu",
        "play": "chess ball drum song game",
        "animal": "cat dog cow fox owl",
    }
    lines = []
    for _ in range(400):
        topic = generator.choice(list(topics))
        words = generator.choice([*topics[topic].split(), "the", "a", "and"], 6)
        lines.append(f"__label__{topic} " + " ".join(words))
    path = tmp_path_factory.mktemp("compatibility") / "train.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(text):
    return fasttext.train_supervised(
        str(text), lr=0.5, epoch=5, dim=7, wordNgrams=2, bucket=500, minn=2, maxn=3, thread=2
    )


# ---- what a model says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "ova-pieces.bin", "hs-bigrams.bin", "qnorm.ftz", "cbow.bin"])
def test_answers_of_every_method(name):
    model, told = golden(name)
    words, counts = model.get_words(include_freq=True)
    assert (words, counts.tolist()) == tuple(told["words"])
    assert (model.words, model.get_words()) == (words, words)
    labels, counts = model.get_labels(include_freq=True)
    assert (labels, counts.tolist()) == tuple(told["labels"])
    assert model.labels == labels
    assert [list(model.get_line(query)) for query in QUERIES] == told["line"]
    assert [list(pair) for pair in zip(*model.get_line(QUERIES), strict=True)] == told["line"]
    np.testing.assert_allclose([model.get_word_vector(word) for word in WORDS], told["vectors"], atol=1e-6)
    np.testing.assert_allclose([model[word] for word in WORDS], told["vectors"], atol=1e-6)
    np.testing.assert_allclose([model.get_sentence_vector(query) for query in QUERIES], told["sentences"], atol=1e-6)
    assert [model.get_word_id(word) for word in WORDS] == [number for number, _ in told["ids"][:-1]]
    assert [model.get_subword_id(word) for word in WORDS] == told["subword_ids"]
    assert [word for _, word in model.get_nearest_neighbors("cat", k=5)] == [word for _, word in told["nearest"]]
    assert [word for _, word in model.get_analogies("cat", "dog", "soup", 4)] == [word for _, word in told["analogies"]]
    assert ("cat" in model, "zzz" in model, "__label__food" in model) == ("cat" in words, False, False)
    for word, (pieces, rows) in zip(WORDS, told.get("subwords", []), strict=False):
        texts, found = model.get_subwords(word)
        assert (texts, found.tolist()) == (pieces, rows)
        for row in rows[:2]:
            np.testing.assert_array_equal(model.get_input_vector(row), model.get_input_matrix()[row])
    assert model.is_quantized() == name.endswith(".ftz")
    assert model.get_dimension() == 5


@pytest.mark.parametrize("name", ["softmax-bigrams.bin", "hs-pieces.bin", "plain.ftz", "ns-bigrams.bin"])
def test_predict(name):
    model, told = golden(name)
    for asked, wanted in told["predict"].items():
        k, threshold = int(asked.split()[0]), float(asked.split()[1])
        all_labels, all_probabilities = model.predict(QUERIES, k=k, threshold=threshold)
        for query, labels, probabilities, (names, shares) in zip(
            QUERIES, all_labels, all_probabilities, wanted, strict=True
        ):
            assert labels == names
            np.testing.assert_allclose(probabilities, shares, atol=1e-6)
            one, p = model.predict(query, k=k, threshold=threshold)
            assert one == tuple(labels)
            assert isinstance(p, np.ndarray)
            np.testing.assert_allclose(p, probabilities, atol=1e-6)
    assert model.predict([]) == ([], [])


def test_scores():
    model, told = golden("softmax-bigrams.bin")
    examples, precision, recall = told["test"]["1 0.0"]
    assert model.test(str(TEST)) == pytest.approx((examples, precision, recall), abs=1e-8)
    for label, scores in model.test_label(TEST, 2, 0.2).items():
        wanted = {key: value if value != "nan" else np.nan for key, value in told["test_label"][label].items()}
        assert scores == pytest.approx(wanted, abs=1e-8, nan_ok=True)
    meter = model.get_meter(TEST, k=3)
    for label, key in ((None, "curve"), ("__label__food", "curve_food")):
        np.testing.assert_allclose(meter.precision_recall_curve(label), told[key], atol=1e-6)
    at = [meter.precision_at_recall(0.5), meter.recall_at_precision(0.5)]
    at += [meter.precision_at_recall(0.5, "__label__food"), meter.recall_at_precision(0.5, label="__label__food")]
    np.testing.assert_allclose(at, told["at"], atol=1e-8)
    np.testing.assert_allclose(meter.score_vs_true("__label__daily"), told["scores"], atol=1e-6)
    lines = model.test_text(TEST).splitlines()
    assert lines == [f"N\t{examples}", f"P@1\t{precision:.3g}", f"R@1\t{recall:.3g}"]
    assert model.test_label_lines(TEST)[-2] == f"P@1\t{precision:.3f}"
    assert len(model.test_label_lines(TEST)) == len(model.labels) + 3


def test_tokenize():
    assert fasttext.tokenize("a  b\tc\nd\0e\n") == ["a", "b", "c", "</s>", "d", "e", "</s>"]


def test_errors_are_value_errors(tmp_path):
    model, _ = golden("softmax-bigrams.bin")
    for refused in (
        lambda: model.predict("a\nb"),
        lambda: model.predict(["fine", "a\nb"]),
        lambda: model.get_sentence_vector("a\nb"),
        lambda: model.get_line("a\nb"),
        lambda: model.predict("a", k=0),
        lambda: model.get_input_vector(10_000),
        lambda: golden("plain.ftz")[0].get_input_matrix(),
        lambda: golden("plain.ftz")[0].get_output_matrix(),
        lambda: golden("cbow.bin")[0].predict("a"),
        lambda: fasttext.load_model(tmp_path / "none.bin"),
        lambda: fasttext.load_model(TEST),
        lambda: model.quantize(retrain=True),
        lambda: fasttext.train_supervised(str(tmp_path / "none.txt")),
        lambda: fasttext.train_supervised(str(TEST), loss="nonsense"),
        lambda: fasttext.train_supervised(str(TEST), dim=0),
        lambda: fasttext.train_unsupervised(str(TEST), model="nonsense"),
        lambda: fasttext.train_unsupervised(str(TEST), loss="ova", minCount=1),
        lambda: list(model.dump_lines("nonsense")),
        lambda: fasttext.reduce_model(model, 5),
    ):
        with pytest.raises(ValueError):
            refused()
    with pytest.raises(TypeError, match="multiple values"):
        fasttext.train_supervised(str(TEST), minCount=1, min_count=1)
    with pytest.raises(AttributeError, match="gone since"):
        _ = fasttext.skipgram
    with pytest.raises(AttributeError):
        _ = model.nonsense


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"__label__\xff soup\n__label__b bread\n" * 20)
    model = fasttext.train_supervised(str(path), dim=3, epoch=1)
    with pytest.raises(UnicodeDecodeError):
        model.predict("soup", k=2)
    labels, _ = model.predict("soup", k=2, on_unicode_error="replace")
    assert set(labels) == {"__label__�", "__label__b"}


def test_threads_may_share_a_model(trained):
    texts = ["soup bread", "chess ball the", "cat dog", "unknown words"] * 200
    wanted = trained.predict(texts, k=2)[0]
    found: list = []

    def ask() -> None:
        for _ in range(5):
            found.append(trained.predict(texts, k=2)[0] == wanted and trained.get_word_vector("soup").shape == (7,))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


# ---- training ------------------------------------------------------------------------------------------------------------


def test_a_trained_model_knows_its_topics(trained, text):
    examples, precision, _ = trained.test(text)
    assert examples == 400
    assert precision > 0.95
    assert trained.predict("soup tofu")[0] == ("__label__food",)
    assert (trained.lr, trained.wordNgrams, trained.dim, trained.bucket) == (0.5, 2, 7, 500)
    assert trained.f.getArgs().epoch == 5


def test_same_seed_same_model_for_any_number_of_threads(text, tmp_path):
    how = {"lr": 0.3, "epoch": 2, "dim": 5, "minn": 2, "maxn": 3, "bucket": 100}
    for number, threads in enumerate((1, 2)):
        fasttext.train_supervised(str(text), thread=threads, **how).save_model(str(tmp_path / f"{number}.bin"))
    assert (tmp_path / "0.bin").read_bytes() == (tmp_path / "1.bin").read_bytes()


def test_save_and_load(trained, tmp_path):
    trained.save_model(str(tmp_path / "m.bin"))
    again = fasttext.load_model(str(tmp_path / "m.bin"))
    texts = ["soup", "cat game the", ""]
    assert again.predict(texts, k=-1)[0] == trained.predict(texts, k=-1)[0]
    np.testing.assert_array_equal(again.get_input_matrix(), trained.get_input_matrix())
    np.testing.assert_array_equal(again.get_output_matrix(), trained.get_output_matrix())


@pytest.mark.parametrize("loss", ["hs", "ns", "ova", "softmax"])
def test_every_loss_learns(loss, text):
    model = fasttext.train_supervised(str(text), loss=loss, lr=0.5, epoch=5, dim=5)
    assert model.test(text)[1] > 0.9
    assert model.bucket == 0
    assert model.get_input_matrix().shape[0] == len(model.words)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs"])
def test_word_vectors(model, loss, text, tmp_path):
    found = fasttext.train_unsupervised(
        str(text), model, loss=loss, dim=6, minCount=1, epoch=3, bucket=200, minn=2, maxn=3
    )
    assert "__label__food" not in found
    assert "soup" in found
    assert found.get_word_vector("soups").any()
    found.save_model(str(tmp_path / "m.bin"))
    found.save_vectors(str(tmp_path / "m.vec"))
    again = fasttext.load_model(str(tmp_path / "m.bin"))
    np.testing.assert_array_equal(again["soup"], found["soup"])
    head, *lines = (tmp_path / "m.vec").read_text(encoding="utf-8").splitlines()
    assert head == f"{len(found.words)} 6"
    assert [line.split(" ")[0] for line in lines] == found.words
    np.testing.assert_allclose([float(x) for x in lines[1].split()[1:]], found[found.words[1]], rtol=1e-4)


def test_pretrained_vectors_in_any_format(trained, text, tmp_path):
    trained.save_vectors(tmp_path / "m.vec")
    trained.save_model(tmp_path / "m.bin")
    for name in ("m.vec", "m.bin"):
        model = fasttext.train_supervised(str(text), pretrainedVectors=tmp_path / name, freeze=True, epoch=1)
        assert model.get_dimension() == 7
        np.testing.assert_allclose(model["soup"], trained["soup"], rtol=1e-3, atol=1e-6)
    (tmp_path / "more.vec").write_text("2 7\nsushi 1 2 3 4 5 6 7\nsoup 7 6 5 4 3 2 1\n", encoding="utf-8")
    model = fasttext.train_supervised(str(text), pretrained_vectors=str(tmp_path / "more.vec"), freeze=True, epoch=1)
    assert model["sushi"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert "sushi" in model


def test_quantize(trained, text, tmp_path):
    model = fasttext.FastTextModel(original=trained.original)
    model.quantize(input=str(text), cutoff=300, retrain=True, qnorm=True, dsub=3, lr=0.3, epoch=2)
    assert model.is_quantized()
    assert not trained.is_quantized()
    assert model.test(text)[1] > 0.9
    model.save_model(tmp_path / "m.ftz")
    again = fasttext.load_model(tmp_path / "m.ftz")
    assert again.predict(["soup tofu", "cat"])[0] == model.predict(["soup tofu", "cat"])[0]
    with pytest.raises(ValueError):
        again.save_output(tmp_path / "m.output")


def test_matrices_and_reduction(trained, tmp_path):
    model = fasttext.FastTextModel(original=trained.original)
    assert fasttext.util.reduce_model(model, 4) is model
    assert (model.get_dimension(), trained.get_dimension()) == (4, 7)
    assert model["soup"].shape == (4,)
    assert model.predict("soup tofu")[0] == ("__label__food",)
    model.set_matrices(trained.get_input_matrix(), trained.get_output_matrix())
    np.testing.assert_array_equal(model["soup"], trained["soup"])
    model.save_output(tmp_path / "m.output")
    lines = (tmp_path / "m.output").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "3 7"
    assert [line.split(" ")[0] for line in lines[1:]] == model.labels


def test_dumps(trained):
    assert list(trained.dump_lines("args"))[:2] == ["dim 7", "ws 5"]
    assert "model sup" in trained.dump_lines("args")
    assert "t 0.0001" in trained.dump_lines("args")
    lines = list(trained.dump_lines("dict"))
    assert lines[0] == str(len(trained.words) + 3)
    assert lines[1] == "</s> 400 word"
    assert lines[-1].endswith(" label")
    shape, first, *_ = trained.dump_lines("input")
    assert shape == f"{len(trained.words) + 500} 7"
    np.testing.assert_allclose([float(x) for x in first.split()], trained.get_input_vector(0), rtol=1e-5)
    assert len(list(trained.dump_lines("output"))) == 4


def test_autotune(text):
    model = fasttext.train_supervised(
        str(text), dim=5, epoch=2, autotuneValidationFile=str(text), autotuneDuration=1, autotuneMetric="f1"
    )
    assert model.get_dimension() == 5
    assert model.test(text)[1] > 0.5


def test_nothing_to_learn(tmp_path):
    path = tmp_path / "empty.txt"
    for content in ("", "\n\n", "no labels here\n"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError):
            fasttext.train_supervised(str(path))
