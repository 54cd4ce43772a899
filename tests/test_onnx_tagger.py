"""The tagger's program in docs/export.md answers as the model does, with NumPy and onnxruntime alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from erya import catalog
from erya.errors import UsageError
from erya.parts import tagger_onnx
from erya.parts.tag_batches import LONGEST, TagCorpus
from erya.parts.tagger_answers import emissions
from erya.tasks import tag

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.test_onnx_alone import DOCS, WITHOUT

TEXTS = ["Anna Lee went to Lima.", "", "李 明 met Ben Ortiz’s aunt in 广州, 9a.m.", "naïve İstanbul  ΟΔΟΣ\t👍🏽"]
ODD = [
    "x" * 60,
    "NATO",
    "iPhone",
    "I",
    "R2D2",
    "42",
    "\x00",
    "\ud800",
    "[PAD]",
    "[UNK]",
    "İ",
    "ΣΑΣ",
    "क्ष",
    "👨‍👩‍👧",
    "e\u0301",
    "a\0b",
]
MODELS = {
    "chain": ("bilstm_crf", {"scheme": "bioes", "pair_dim": 3, "layers": 2, "min_count": 2}, "iob2"),
    "spelled": ("bilstm", {"scheme": "bmes", "characters": "lstm", "lower_case": False, "dropout": 0.0}, "iob1"),
    "bare": (
        "bilstm",
        {"scheme": "data", "characters": "none", "case_features": False, "tokenizer": "whitespace"},
        None,
    ),
}
SHOWN = """
import os, pathlib
program, (every, texts) = pathlib.Path("program.py").read_text(), json.loads(pathlib.Path("given.json").read_text())
for folder in sorted(path.name for path in pathlib.Path().iterdir() if path.is_dir()):
    os.chdir(folder)
    space = {}
    exec(program, space)
    os.chdir("..")
    places = [space["cut"](text) for text in texts]
    lists = every if folder == "bare" else every[:-1]  # the long one once
    rows = [*lists, *[[text[start:end] for start, end in one] for text, one in zip(texts, places)]]
    found = {"places": places, "tags": [space["tags_of"](row) for row in rows]}
    found["emissions"] = [space["emissions"](row).tolist() for row in rows[:4]]
    pathlib.Path(f"{folder}.json").write_text(json.dumps(found))
"""


def program(name):
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)[1]


def test_both_languages_have_the_same_program():
    assert program("export.md") == program("export.zh.md")


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Of each model: itself, the sentences that were asked, and what the program answered."""
    folder = tmp_path_factory.mktemp("tagger")
    X, y = tag.toy(seed=1, rows=60)
    lists = [X[0], ["Anna"], ODD, X[1], *tag.toy(seed=2, rows=20)[0], [*X[2], "so"] * (LONGEST // len(X[2]))]
    models = {}
    for name, (room, settings, scheme) in MODELS.items():
        tags = tag.toy_pos(seed=1, rows=60) if scheme is None else (X, tag.convert(y, scheme))
        models[name] = catalog.model(f"tag/{room}", "tiny", {"epochs": 1, **settings}).fit(*tags)
        (folder / name).mkdir()
        tagger_onnx.write(folder / name / "t.onnx", models[name])
    (folder / "program.py").write_text(program("export.md"), encoding="utf-8")
    (folder / "given.json").write_text(json.dumps([lists, TEXTS]))
    code = WITHOUT + "import json\n" + SHOWN
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= len(MODELS)
    return {
        name: (
            model,
            [*(lists if name == "bare" else lists[:-1]), *TEXTS],
            json.loads((folder / f"{name}.json").read_text()),
        )
        for name, model in models.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_the_model_does(answered, name):
    model, asked, found = answered[name]
    told = model.predict(asked)
    assert [list(one) for one in told] == found["tags"]
    assert [[list(place) for place in one.offsets] for one in told[-len(TEXTS) :]] == found["places"]
    for row, scores in zip(asked, found["emissions"], strict=False):
        np.testing.assert_allclose(scores, emissions(model.network_, TagCorpus([row], model.lexicon_)), atol=1e-5)


def test_a_batch_is_what_its_sentences_are(answered, tmp_path):
    import onnxruntime

    model, asked, found = answered["chain"]
    tagger_onnx.write(tmp_path / "t.onnx", model)
    session = onnxruntime.InferenceSession(tmp_path / "t.onnx", providers=["CPUExecutionProvider"])
    batch = TagCorpus(asked[:4], model.lexicon_).batch(np.arange(4))
    places = batch.places.numpy()
    given = {"ids": batch.words, "cases": batch.cases, "pairs": batch.pairs, "characters": batch.characters}
    given = {name: values.numpy()[places] for name, values in given.items()} | {"lengths": batch.lengths.numpy()}
    given["ids"][places == 0] = 1  # nobody looks at what stands there
    (scores,) = session.run(["emissions"], given)
    order = np.argsort([-len(row) for row in asked[:4]], kind="stable")
    for row, one in zip(scores, order, strict=True):
        np.testing.assert_allclose(row[: len(asked[one])], found["emissions"][one], atol=1e-5)


def test_other_taggers_have_no_graph(tmp_path):
    model = catalog.model("tag/hmm", "tiny").fit(*tag.toy(seed=1, rows=60))
    with pytest.raises(UsageError, match="graph"):
        tagger_onnx.write(tmp_path / "t.onnx", model)
