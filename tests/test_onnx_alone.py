"""The program in docs/export.md answers as the model does, with NumPy and onnxruntime alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from erya import catalog
from erya.parts.token_pattern import token_pattern
from erya.tasks import classify
from erya.text import tokenizers

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

DOCS = Path(__file__).parent.parent / "docs"
TEXTS = [
    "The soup is TASTY, really!",
    "",
    "soup",
    "  汤很好喝， 下次还来  ",
    "naïve café’s İstanbul ΟΔΟΣ ΣΑΣ क्षत्रिय",
    "👍🏽👨‍👩‍👧 🇫🇷🇩🇪 a_b x<y>z «no»\u200b",
    "tab\tand\u00a0no-break\u3000wide\n\nlines",
    "bad soup " * 60,
]
# what nobody who uses an exported file needs
WITHOUT = (
    "import sys\nfor name in ('erya', 'torch', 'onnx', 'tokenizers', 'numba', 'scipy'):\n    sys.modules[name] = None\n"
)
SHOWN = "\nimport json, pathlib\ngiven = json.loads(pathlib.Path('texts.json').read_text())\n" + (
    "print(json.dumps([probabilities(given).tolist(), [answer(row) for row in probabilities(given)]]))\n"
)


def program(name="export.md"):
    found, _taggers = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    return found


def alone(folder, texts):
    """The probabilities and answers of the documented program for ``m.onnx`` in a folder, and all that it wrote."""
    (folder / "texts.json").write_text(json.dumps(texts))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + program() + SHOWN], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return *json.loads(lines[-1]), lines[:-1]


def test_both_languages_have_the_same_program():
    assert program("export.md") == program("export.zh.md")


@pytest.mark.parametrize(
    ("id", "settings", "several"),
    [
        ("lstm", {"tokenizer": "words"}, True),
        ("han", {"tokenizer": tokenizers.Words(lower=False, punctuation=False)}, False),
        ("char_cnn", {"tokenizer": "characters", "length": 560, "epochs": 2}, False),
        ("char_cnn", {"tokenizer": tokenizers.Characters(punctuation=False), "length": 560, "epochs": 2}, False),
        ("logistic_regression", {"min_n": 1}, False),
        ("logistic_regression", {"max_n": 0, "tokenizer": "whitespace"}, True),
        ("fasttext", {}, False),
        ("fasttext", {"loss": "one_vs_all", "word_ngrams": 2, "tokenizer": "whitespace"}, False),
    ],
)
def test_it_answers_as_the_model_does(tmp_path, id, settings, several):
    from erya import onnx_classifier

    X, y = classify.toy(seed=1)
    X = [*X, *TEXTS * 2]  # so that their tokens are known
    y = [*y, *y[: len(TEXTS)] * 2]
    model = catalog.model(f"classify/{id}", "tiny", settings).fit(X, [[label] for label in y] if several else y)
    onnx_classifier.write(tmp_path / "m.onnx", model)
    found, answers, said = alone(tmp_path, TEXTS)
    np.testing.assert_allclose(found, model.predict_proba(TEXTS), atol=1e-5, rtol=0)
    assert answers == [sorted(answer) if several else answer for answer in model.predict(TEXTS).tolist()]
    assert len(said) == 2
    assert said[0].endswith("play some jazz")


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("punctuation", [True, False])
@pytest.mark.parametrize("kind", [tokenizers.Words, tokenizers.Characters])
def test_patterns_cut_as_the_tokenizers_do(kind, lower, punctuation):
    tokenizer = kind(lower=lower, punctuation=punctuation)
    pattern = token_pattern(tokenizer)
    random = np.random.default_rng(5)
    alphabet = [*"aZ é9_-'.。汤々〇 \t\n\u3000\u00a0", "e\u0301", "👍🏽", "🇫🇷", "\u200d", "İ", "Σ", "क्ष", "\u0301"]
    for text in [*TEXTS, *("".join(random.choice(alphabet, 30)) for _ in range(300))]:
        plain = " ".join(text.split()) if kind is tokenizers.Characters else text
        found = re.findall(pattern, plain)
        assert ([token.lower() for token in found] if lower else found) == tokenizer.tokens(text)


def test_segmenters_and_subwords_are_no_pattern():
    assert token_pattern(tokenizers.ChineseWords()) is None
    assert token_pattern(tokenizers.Whitespace()) is not None
