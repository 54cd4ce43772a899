"""convert for taggers: a model file again, or a network's emissions as ONNX; everything else is refused."""

from __future__ import annotations

import numpy as np
import pytest

from erya import catalog
from erya.tasks import tag

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def tagger(erya):
    """A tiny BiLSTM in ``t.erya``."""
    catalog.model("tag/bilstm", "tiny", {"epochs": 1}).fit(*tag.toy(seed=1, rows=30)).save("t.erya")


def test_a_network_is_written(erya, tagger):
    found = erya("convert", "t.erya", "t.onnx")
    assert found.code == 0, found.err
    assert "5 tags" in found.out
    assert "erya predict" not in found.err
    document = erya("convert", "t.erya", "t.onnx", "--json").document
    assert (document["model"], document["format"], document["labels"]) == ("tag/bilstm", "onnx", 5)
    session = onnxruntime.InferenceSession("t.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["emissions"]
    found = erya("predict", "t.onnx", "--input", "Anna went to Lima")
    assert (found.code, "for other programs" in found.err) == (4, True)


def test_a_model_file_is_written_again(erya, tagger):
    assert erya("convert", "t.erya", "again.erya").code == 0
    X = tag.toy(seed=2, rows=5)[0]
    told, again = (catalog.load(name).predict_marginals(X) for name in ("t.erya", "again.erya"))
    assert all(np.array_equal(one, other) for one, other in zip(told, again, strict=True))


def test_what_cannot_be_written_is_said(erya, tagger):
    found = erya("convert", "t.erya", "t.bin")
    assert (found.code, "tagger" in found.err, ".onnx" in found.err) == (2, True, True)
    assert "标注模型" in erya("convert", "t.erya", "t.bin", lang="zh").err
    found = erya("convert", "t.erya", "t.onnx", "--limit", "5")
    assert (found.code, "holds a tagger" in found.err) == (2, True)
    catalog.model("tag/hmm", "tiny").fit(*tag.toy(seed=1, rows=30)).save("h.erya")
    found = erya("convert", "h.erya", "h.onnx")
    assert (found.code, "no graph" in found.err) == (2, True)
