"""Networks as ONNX files answer as they do here; files of others are looked at before they are run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from erya import catalog
from erya.errors import ModelFileError, UsageError
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


@pytest.mark.parametrize(("layers", "directions", "pooling"), [(1, 2, "max"), (2, 2, "mean"), (2, 1, "max")])
def test_same_probabilities_of_an_lstm(tmp_path, layers, directions, pooling):
    from erya import onnx_classifier

    settings = {"epochs": 1, "layers": layers, "directions": directions, "pooling": pooling}
    model = catalog.model("classify/lstm", "tiny", settings).fit(*classify.toy(seed=1, rows=60))
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)


def test_several_labels_and_windows(tmp_path, monkeypatch):
    from erya import onnx_classifier
    from erya.models.textcnn.estimator import TextCNN

    monkeypatch.setattr(TextCNN, "most_tokens", 7)
    X, y = classify.toy(seed=1)
    model = catalog.model("classify/textcnn", "tiny", {"epochs": 2}).fit(X, [[label] for label in y])
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(opened.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-5, rtol=0)
    assert opened.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()


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


@pytest.mark.parametrize("change", [_outside, _foreign, _loop, _huge, _nameless, _nonsense])
def test_hostile_files_are_refused(file, tmp_path, change):
    with pytest.raises(ModelFileError):
        catalog.load(changed(file[1], change, tmp_path))


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
