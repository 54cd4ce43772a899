"""Networks as ONNX files answer as they do here; files of others are looked at before they are run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from erya import catalog
from erya.errors import ModelFileError, UsageError
from erya.parts.long_texts import LongTextWarning
from erya.tasks import classify

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

TEXTS = ["the soup is tasty", "", "soup", "never-seen", "汤很好喝，下次还来", "bad soup " * 400]


def trained(**settings):
    X, y = classify.toy(seed=1)
    return catalog.model("classify/textcnn", "tiny", {"epochs": 2, **settings}).fit(X, y)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    from erya import onnx_classifier

    model = trained()
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    onnx_classifier.write(path, model)
    return model, path


def test_same_probabilities(file):
    model, path = file
    opened = catalog.load(path)
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)
    for text in TEXTS:  # alone as in company
        np.testing.assert_allclose(opened.predict_proba([text]), model.predict_proba([text]), atol=1e-5, rtol=0)
    assert opened.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    assert opened.explain("the soup is tasty").arrays


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "cube", "tanh_cube", "identity"])
def test_same_probabilities_for_all_activations(tmp_path, activation):
    from erya import onnx_classifier

    model = trained(activation=activation, window=[2, 5], epochs=1)
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)


ROOMS = [
    ("textcnn", {}),
    *((room, {"pooling": pooling}) for room in ("rnn", "gru", "lstm") for pooling in ("max", "mean", "last")),
    ("lstm", {"layers": 2, "directions": 1, "pooling": "mean"}),
    ("gru", {"layers": 3, "pooling": "last"}),
    ("attention_lstm", {}),
    ("rcnn", {}),
    ("dpcnn", {}),
    ("dpcnn", {"blocks": 0}),
    ("char_cnn", {}),
    ("char_cnn", {"length": 201, "filters": 3}),
    ("han", {}),
    ("han", {"most_words": 3}),
    ("transformer_classifier", {}),
    ("transformer_classifier", {"norm": "post", "positions": "learned", "pooling": "max", "activation": "relu"}),
    ("transformer_classifier", {"positions": "none", "pooling": "cls", "heads": 3}),
    ("transformer_classifier", {"positions": "learned", "pooling": "cls", "layers": 3}),
    ("gpt", {}),
    ("gpt", {"layers": 3, "heads": 3, "dim": 12, "inner_width": 20, "context": 9}),
]
LONG = ["a.b.c. " * 90, '. . what? "Yes!" he said... ok', ".", "soup " * 512, "soup " * 511, "tasty " * 513]


def written(room, settings, folder, rows=80):
    from erya import onnx_classifier

    X, y = classify.toy(seed=1, rows=rows)
    X, y = [*X, *['soup . . ! " ) tasty ? bad 。 ” ； soup ." soup'] * 8], [*y, *y[:8]]  # so that these marks are known
    model = catalog.model(f"classify/{room}", "tiny", settings).fit(X, y)
    onnx_classifier.write(folder / "m.onnx", model)
    return model, catalog.load(folder / "m.onnx")


@pytest.mark.parametrize(("room", "settings"), ROOMS)
@pytest.mark.filterwarnings("ignore::erya.parts.long_texts.LongTextWarning")
def test_same_probabilities_of_every_room(tmp_path, room, settings):
    model, opened = written(room, settings, tmp_path)
    texts = [*TEXTS, *LONG, *random_texts(model, 20)]
    expected = model.predict_proba(texts)
    assert expected.std(axis=0).max() > 0.01  # it says something
    found = opened.predict_proba(texts)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(opened.predict_proba(texts[::-1])[::-1], expected, atol=1e-5, rtol=0)
    for row, text in enumerate(texts):  # alone as in company
        np.testing.assert_allclose(opened.predict_proba([text]), expected[[row]], atol=1e-5, rtol=0)


def random_texts(model, count):
    """Of known and unknown tokens and of all that ends or closes a sentence, 1 to 60 of them."""
    random = np.random.default_rng(7)
    tokens = [*model.vocabulary_.tokens[2:40], "unseen", *"..!?\"')。”；"]
    return [" ".join(random.choice(tokens, size)) for size in random.integers(1, 60, count)]


@pytest.mark.parametrize("room", sorted({room for room, _ in ROOMS}))
def test_padding_of_others_changes_nothing(tmp_path, room):
    """Ids behind a text's end may be anything; there may be no token in the whole batch."""
    import onnxruntime

    model, opened = written(room, {"epochs": 1}, tmp_path, rows=30)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(3).integers(1, len(model.vocabulary_), (5, 9))
    lengths = np.array([9, 0, 1, 4, 0])
    (found,) = session.run(["probabilities"], {"ids": ids, "lengths": lengths})
    wide = np.concatenate([ids, np.ones((5, 30), dtype=np.int64)], axis=1)
    for row, length in enumerate(lengths):
        wide[row, length:] = 7
    (again,) = session.run(["probabilities"], {"ids": wide, "lengths": lengths})
    np.testing.assert_allclose(again, found, atol=1e-6, rtol=0)
    (nothing,) = session.run(["probabilities"], {"ids": np.zeros((2, 0), dtype=np.int64), "lengths": np.zeros(2, int)})
    np.testing.assert_allclose(nothing, found[[1, 4]], atol=1e-6, rtol=0)
    np.testing.assert_allclose(found[1], opened.predict_proba([""])[0], atol=1e-6, rtol=0)


LINEAR = [
    ("logistic_regression", {}),
    ("logistic_regression", {"max_n": 0, "word_ngrams": 1}),
    ("logistic_regression", {"min_n": 1, "max_n": 5, "character_weight": 2.0, "word_ngrams": 4}),
    ("logistic_regression", {"min_n": 1, "tokenizer": "whitespace", "min_count_ngrams": 1}),
    ("logistic_regression", {"character_weight": 0}),
    ("logistic_regression", {"min_count": 10_000, "min_count_ngrams": 2, "max_n": 3}),
    ("fasttext", {}),
    ("fasttext", {"word_ngrams": 1}),
    ("fasttext", {"word_ngrams": 5, "buckets": 12_345, "min_count_ngrams": 1}),
    ("fasttext", {"word_ngrams": 2, "buckets": 7}),
    ("fasttext", {"loss": "one_vs_all", "min_count": 3}),
    ("fasttext", {"loss": "negative_sampling", "buckets": 2**31, "min_count": 2, "tokenizer": "whitespace"}),
]
MARKED = ["<b> <<b>> <x>a < > <>", "a<b <b> a>b> tasty< <soup>", "soupy sou oups tasty soup tasty soup", "</s> soup"]


@pytest.mark.parametrize(("id", "settings"), LINEAR)
@pytest.mark.parametrize("several", [False, True])
def test_same_probabilities_of_linear_models(tmp_path, id, settings, several):
    from erya import onnx_classifier

    if several and settings.get("loss") == "negative_sampling":
        settings = {**settings, "loss": "auto"}
    X, y = classify.toy(seed=1)
    X, y = [*X, *MARKED * 3], [*y, *y[: len(MARKED)] * 3]
    model = catalog.model(f"classify/{id}", "tiny", settings).fit(X, [[label] for label in y] if several else y)
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    texts = [*X[:30], *TEXTS, *LONG, *MARKED]
    expected = model.predict_proba(texts)
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(opened.predict_proba(texts), expected, atol=1e-5, rtol=0)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(opened.predict_proba([text]), expected[[row]], atol=1e-5, rtol=0)
    assert opened.predict(texts).tolist() == model.predict(texts).tolist()
    pair = [("tasty soup", "bad soup")]
    np.testing.assert_allclose(opened.predict_proba(pair), model.predict_proba(pair), atol=1e-5, rtol=0)


@pytest.mark.parametrize("settings", [{"max_n": 3}, {"loss": "hierarchical_softmax"}])
def test_fasttext_says_what_a_graph_cannot_hold(tmp_path, settings):
    from erya import onnx_classifier

    model = catalog.model("classify/fasttext", "tiny", settings).fit(*classify.toy())
    with pytest.raises(UsageError, match="max_n=0") as refused:
        onnx_classifier.write(tmp_path / "m.onnx", model)
    assert "m.bin" in refused.value.help


def test_a_word_called_as_the_padding_is_refused(tmp_path):
    from erya import onnx_classifier

    X, y = ["[PAD] a", "b c"] * 4, ["x", "y"] * 4
    model = catalog.model("classify/logistic_regression", "tiny", {"tokenizer": "whitespace"}).fit(X, y)
    with pytest.raises(UsageError, match="PAD"):
        onnx_classifier.write(tmp_path / "m.onnx", model)


def test_hashes_are_those_of_fasttext():
    from erya.models.fasttext.features import fnv1a
    from erya.parts.onnx_inputs import signed_hash

    for word in ["", "soup", "汤", "naïve", "\ud800"]:
        assert signed_hash(word) % (1 << 32) == fnv1a(word)
        assert -(1 << 31) <= signed_hash(word) < 1 << 31


@pytest.mark.parametrize("room", ["textcnn", "gru", "transformer_classifier"])
def test_several_labels_and_windows(tmp_path, monkeypatch, room):
    from erya import onnx_classifier

    X, y = classify.toy(seed=1)
    model = catalog.model(f"classify/{room}", "tiny", {"epochs": 2})
    monkeypatch.setattr(type(model), "most_tokens", 7)
    model.fit(X, [[label] for label in y])
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    with pytest.warns(LongTextWarning):
        found = opened.predict_proba(TEXTS)
    with pytest.warns(LongTextWarning):
        expected = model.predict_proba(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    assert opened.thresholds_.tolist() == model.thresholds_.tolist()
    assert opened.predict(TEXTS[:4]).tolist() == model.predict(TEXTS[:4]).tolist()


def test_calibrated_by_a_temperature(file, tmp_path):
    from erya import onnx_classifier
    from erya.calibrated import Calibrated

    X, y = classify.toy(seed=2)
    model = Calibrated.of(file[0], X, y, precision=0.6)
    assert abs(model.calibration_.value - 1) > 0.01
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)
    assert (opened.precision, opened.threshold_) == (0.6, model.threshold_)
    assert opened.source_ == "classify/textcnn"


def test_several_labels_calibrated_by_a_temperature(tmp_path):
    from erya import onnx_classifier
    from erya.calibrated import Calibrated

    X, y = classify.toy(seed=1)
    labels = [[label] for label in y]
    inner = catalog.model("classify/fasttext", "tiny").fit(X, labels)
    model = Calibrated.of(inner, X, labels)
    assert abs(model.calibration_.value - 1) > 0.01
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)
    np.testing.assert_allclose(opened.thresholds_, model.thresholds_)
    assert opened.predict(X[:40]).tolist() == model.predict(X[:40]).tolist()


def test_curves_are_refused(file, tmp_path):
    from erya import onnx_classifier
    from erya.calibrated import Calibrated

    model = Calibrated.of(file[0], *classify.toy(seed=2), method="isotonic")
    with pytest.raises(UsageError, match="temperature") as refused:
        onnx_classifier.write(tmp_path / "m.onnx", model)
    assert "--method temperature" in refused.value.help
    assert not (tmp_path / "m.onnx").exists()


def test_written_again_it_is_the_same_file(file, tmp_path):
    from erya import onnx_classifier

    onnx_classifier.write(tmp_path / "again.onnx", catalog.load(file[1]))
    assert (tmp_path / "again.onnx").read_bytes() == file[1].read_bytes()


def test_saved_as_a_model_file_it_is_the_same(file, tmp_path):
    opened = catalog.load(file[1])
    again = catalog.load(opened.save(tmp_path / "m.erya"))
    assert np.array_equal(again.predict_proba(TEXTS), opened.predict_proba(TEXTS))


def test_it_answers_without_torch(file):
    script = (
        "import sys\nsys.modules['torch'] = None\nfrom erya.__main__ import main\n"
        "sys.argv = ['erya', 'predict', sys.argv[1], '--input', 'the soup is tasty']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file[1])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = file[0].predict(["the soup is tasty"])[0]
    assert done.stdout.startswith(f"{answer}\t")


def changed(path, change, tmp_path):
    model = onnx.load(path)
    change(model)
    target = tmp_path / "bad.onnx"
    target.write_bytes(model.SerializeToString())
    return target


def _outside(model):
    tensor = model.graph.initializer[-1]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _foreign(model):
    model.graph.node[0].domain = "com.example"


def _loop(model):
    model.graph.node[0].op_type = "Loop"


def _huge(model):
    for tensor in model.graph.initializer:
        if tensor.name == "edges":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 1 << 40, 0, 1], dtype=np.int64), "edges"))


def _nameless(model):
    del model.metadata_props[:]


def _nonsense(model):
    for entry in model.metadata_props:
        entry.value = "[" * 100_000


def _split(model):
    model.graph.node[0].op_type = "Split"  # a wrong number of outputs ends the runtime's process


@pytest.mark.parametrize("change", [_split, _outside, _foreign, _loop, _huge, _nameless, _nonsense])
def test_hostile_files_are_refused(file, tmp_path, change):
    with pytest.raises(ModelFileError):
        catalog.load(changed(file[1], change, tmp_path))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("max_skip_count", 1 << 20),
        ("ngram_counts", [0, 1 << 20, 3]),
        ("ngram_counts", [5]),
        ("ngram_indexes", [-1]),
        ("ngram_indexes", [0]),
        ("max_gram_length", 1 << 20),
        ("min_gram_length", 0),
        ("mode", "IDF"),
    ],
)
def test_hostile_counting_is_refused(tmp_path, name, values):
    """The runtime would look into memory that is not its own."""
    from erya import onnx_classifier

    model = catalog.model("classify/logistic_regression", "tiny").fit(*classify.toy(seed=1))
    onnx_classifier.write(tmp_path / "m.onnx", model)

    def change(model):
        node = next(node for node in model.graph.node if node.op_type == "TfIdfVectorizer")
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, values)])

    with pytest.raises(ModelFileError, match="n-grams"):
        catalog.load(changed(tmp_path / "m.onnx", change, tmp_path))


def test_a_graph_that_fails_while_it_answers_is_a_bad_file(file, tmp_path):
    def change(model):
        for tensor in model.graph.initializer:
            if tensor.name == "embedding":  # of three tokens
                tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor)[:3], "embedding"))

    opened = catalog.load(changed(file[1], change, tmp_path))
    with pytest.raises(ModelFileError, match="cannot answer"):
        opened.predict_proba(["the soup is tasty"])


@pytest.mark.parametrize("data", [b"", b"\x08", b"no onnx at all", b"\xff" * 100])
def test_damaged_files_are_refused(tmp_path, data):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        catalog.load(path)


def test_other_models_say_why_not(tmp_path):
    from erya import onnx_classifier

    with pytest.raises(UsageError, match="graph"):
        onnx_classifier.write(tmp_path / "m.onnx", catalog.model("classify/naive_bayes").fit(*classify.toy()))
    with pytest.raises(UsageError, match="strongest"):
        onnx_classifier.write(tmp_path / "m.onnx", trained(strongest=2, epochs=1))
