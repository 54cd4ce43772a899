"""A GPT that classifies: what it begins as, what learns, what is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

import erya
from erya import catalog
from erya.errors import Interrupted, ModelFileError, UsageError
from erya.models.gpt.classifier import GPTClassifier
from erya.models.gpt.estimator import GPT
from erya.models.gpt.fine_tuning import ClassifyingGPT
from erya.models.gpt.network import Form
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify
from erya.text.tokenizers import SEPARATOR

GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden_gpt2"
SMALL = {"auxiliary": 0.5, "epochs": 6, "batch_size": 8, "learning_rate": 0.01, "patience": None}


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    """The file of a GPT that has read texts of the toy set, without labels."""
    texts, _ = classify.toy(seed=20, rows=400)
    sizes = {"dim": 16, "layers": 2, "heads": 2, "context": 24, "dropout": 0.0}
    model = GPT(**sizes, tokenizer="words", epochs=10, batch_size=8, learning_rate=0.01, patience=None).fit(texts)
    return model.save(tmp_path_factory.mktemp("gpt") / "gpt.erya")


@pytest.fixture(scope="module")
def tuned(language):
    X, y = classify.toy(seed=1, rows=40)
    return GPTClassifier(pretrained=str(language), **SMALL).fit(X, y)


def weights(network):
    return {name: value.detach().numpy() for name, value in network.named_parameters()}


def batch_of(sequences, targets=None, several=None):
    texts = len(sequences)
    corpus = Corpus(sequences, 11, targets, np.ones(texts))
    return corpus.batch(np.arange(texts))


def test_the_loss_is_the_papers():
    """The label's cross-entropy from the state of the last unit, and λ times the mean cost of the units and of the ends."""
    net = ClassifyingGPT(11, 3, Form(6, 2, 3, 10, 9), auxiliary=0.25, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for values in net.parameters():
            values.add_(torch.randn(values.shape, generator=torch.Generator().manual_seed(values.numel())) * 0.3)
    texts, labels = [[3, 4, 5, 6], [7], []], np.array([2, 0, 1])
    batch = batch_of(texts, labels)
    logits, costs = [], []
    for text in texts:
        states = net.decoder(torch.tensor([[0, *text]]))[0]
        logits.append(states[len(text)] @ net.output + net.output_bias)
        costs.append(
            functional.cross_entropy(states @ net.decoder.embedding.T, torch.tensor([*text, 0]), reduction="sum")
        )
    torch.testing.assert_close(net(batch), torch.stack(logits))
    labelled = functional.cross_entropy(torch.stack(logits), torch.from_numpy(labels))
    torch.testing.assert_close(net.loss(batch), labelled + 0.25 * sum(costs) / 8)
    net.auxiliary = 0.0
    torch.testing.assert_close(net.loss(batch), labelled)


def test_it_begins_as_what_was_trained(language):
    """Where only the matrix on top learns, the rest is what it was, and reads as it did."""
    X, y = classify.toy(seed=1, rows=40)
    model = GPTClassifier(pretrained=str(language), frozen_layers=2, **SMALL).fit(X, y)
    before, after = erya.load(language), model.network_.decoder
    for name, array in weights(before.network_).items():
        np.testing.assert_array_equal(weights(after)[name], array)
    ids = before.vocabulary_.encode(X[0], before.units_).tolist()
    assert model.vocabulary_.ids(model.tokenizer_.tokens(X[0])) == ids
    assert model.score(X, y) > 0.5
    half = GPTClassifier(pretrained=str(language), frozen_layers=1, **SMALL).fit(X, y).network_.decoder
    changed = {name for name, array in weights(before.network_).items() if (weights(half)[name] != array).any()}
    assert all(name.startswith(("layers.1.", "norm.")) for name in changed)
    assert {"norm.gain", "layers.1.widen", "layers.1.attention.query"} <= changed


def test_what_was_read_before_helps_where_labels_are_few(language):
    X, y = classify.toy(seed=1, rows=12)
    rows, answers = classify.toy(seed=2, rows=120)
    settings = {**SMALL, "auxiliary": 0.0}
    found = [
        GPTClassifier(pretrained=given, **({} if given else {"dim": 16, "layers": 2, "heads": 2}), **settings)
        .fit(X, y)
        .score(rows, answers)
        for given in (str(language), None)
    ]
    assert found[0] > found[1] + 0.1, found


def test_the_file_needs_no_other(language, tuned, tmp_path):
    X, y = classify.toy(seed=1, rows=40)
    copy = tmp_path / "gpt.erya"
    copy.write_bytes(language.read_bytes())
    model = GPTClassifier(pretrained=copy, **SMALL).fit(X, y)
    path = model.save(tmp_path / "m.erya")
    copy.unlink()
    again = erya.load(path)
    assert again.pretrained == str(copy)
    assert again.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(again.predict_proba(X), tuned.predict_proba(X))
    assert again.most_tokens == 23
    before = again.score(X, y)
    assert again.partial_fit(X, y).score(X, y) > before
    with pytest.raises(ModelFileError, match=r"gpt\.erya"):
        again.fit(X, y)


def test_an_open_model_is_taken_too(language, tuned):
    X, y = classify.toy(seed=1, rows=40)
    given = erya.load(language)
    model = GPTClassifier(pretrained=given, **SMALL)
    assert clone(model).pretrained is given
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), tuned.predict_proba(X))
    assert model.plain_params()["pretrained"] is None


def test_order_length_and_strange_texts(tuned):
    X = ["", " ", "soup", "\ud800 \x00", "the soup is tasty " * 20, "🦄 zebra"]
    with pytest.warns(UserWarning, match="windows"):
        together = tuned.predict_proba(X)
    alone = np.concatenate([tuned.predict_proba([text]) for text in X])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    for text in ("", "the soup is tasty"):
        trace = tuned.trace(text)
        np.testing.assert_allclose(trace.arrays["probabilities"], tuned.predict_proba([text])[0], atol=1e-6)
        places = len(tuned.tokenizer_.tokens(text)) + 1
        assert trace.arrays["attention_2"].shape == (2, places, places)
        tuned.explain(text)


def test_pairs_have_a_delimiter_of_their_own(language):
    X, y = classify.toy(seed=7, rows=60)
    pairs = list(zip(X, X[1:] + X[:1], strict=True))
    model = GPTClassifier(pretrained=str(language), **SMALL).fit(pairs, y)
    assert model.vocabulary_.tokens[-1] == SEPARATOR
    assert len(model.network_.decoder.embedding) == len(erya.load(language).vocabulary_) + 1
    assert model.score(pairs, y) > 0.6


def test_several_labels(language):
    X, y = classify.toy(seed=1, rows=60)
    begun = GPTClassifier(pretrained=str(language), **{**SMALL, "auxiliary": 0.0})
    model = begun.fit(X, [*([label] for label in y[:-1]), []])
    probabilities = model.predict_proba(X)
    assert model.several_
    truth = np.array([[label == known for known in model.classes_] for label in y])
    assert probabilities[truth].mean() > probabilities[~truth].mean() + 0.3


def test_a_folder_of_hugging_face(tmp_path):
    X, y = classify.toy(seed=1, rows=40)
    model = GPTClassifier(pretrained=GOLDEN, **SMALL).fit(X, y)
    assert model.network_.decoder.closed
    assert model.network_.decoder.form.norm_epsilon == 1e-3
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert again.fingerprint() == model.fingerprint()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.explain("the soup is tasty").text(width=80, color=False)


class StopAt(Report):
    """Asks to stop after so many steps and keeps the checkpoint; gives it back when training begins again."""

    def __init__(self, step=None, checkpoint=None):
        self.step, self.checkpoint, self.steps = step, checkpoint, 0

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


def test_resuming_keeps_the_bits(language, tuned):
    X, y = classify.toy(seed=1, rows=40)
    report = StopAt(7)
    with pytest.raises(Interrupted):
        GPTClassifier(pretrained=str(language), **SMALL).fit(X, y, report=report)
    again = GPTClassifier(pretrained=str(language), **SMALL).fit(X, y, report=StopAt(None, report.checkpoint))
    assert again.fingerprint() == tuned.fingerprint()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"frozen_layers": 3}, "frozen_layers=3"),
        ({"dim": 32}, "dim=32: must be 16"),
        ({"context": 64}, "context=64: must be 24"),
        ({"auxiliary": -1}, "auxiliary"),
        ({"pretrained": 7}, "no generate/gpt"),
        ({"pretrained": None, "frozen_layers": 1}, "frozen_layers=1"),
        ({"pretrained": None, "dim": 6, "heads": 4}, "heads"),
        ({"context": 1}, "context"),
    ],
)
def test_bad_settings(language, settings, said):
    X, y = classify.toy(rows=12)
    model = GPTClassifier(**{"pretrained": str(language), **SMALL, **settings})
    with pytest.raises(UsageError, match=said):
        model.fit(X, y)
    with pytest.raises(UsageError, match="has not been fitted"):
        model.predict(X)


def test_another_models_file_is_refused(tmp_path, tuned):
    X, y = classify.toy(rows=12)
    path = tuned.save(tmp_path / "m.erya")
    with pytest.raises(UsageError, match="no generate/gpt"):
        catalog.model("classify/gpt", "default", {"pretrained": str(path)}).fit(X, y)


@pytest.mark.parametrize(
    "change",
    [{"closed": 1}, {"context": 1}, {"heads": 5}, {"layers": 2**40}, {"dim": 15}, {"dropout": 2.0}, {"more": 1}],
)
def test_a_state_that_makes_no_sense(tuned, change):
    state = tuned.state()
    state.data["decoder"] |= change
    with pytest.raises((ValueError, TypeError)):
        GPTClassifier.restore(tuned.plain_params(), state)


@pytest.mark.parametrize("begun", ["a file", "a folder of Hugging Face"])
@pytest.mark.filterwarnings("ignore::erya.parts.long_texts.LongTextWarning")
def test_as_onnx_it_cuts_and_answers_as_here(language, tmp_path, begun):
    """Units of what it began as, its windows, a pair's delimiter; several labels have a sigmoid each."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from erya import onnx_classifier

    pairs = [("the soup is tasty", "yes"), ("bad soup", "no"), ("", ""), ("tasty", "")] * 3
    y = [("a", "b"), ("b",), (), ("a",)] * 3
    source = str(language) if begun == "a file" else str(GOLDEN)
    model = GPTClassifier(pretrained=source, **SMALL).fit(pairs, y)
    onnx_classifier.write(tmp_path / "m.onnx", model)
    opened = catalog.load(tmp_path / "m.onnx")
    asked = [*pairs, ("never-seen 汤\n\n", "  x"), ("soup " * 70, "tasty")]
    np.testing.assert_allclose(opened.predict_proba(asked), model.predict_proba(asked), atol=1e-5, rtol=0)
    assert opened.predict(asked).tolist() == model.predict(asked).tolist()
