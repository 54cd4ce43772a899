"""What networks are brought to: goals and their losses, what is held out, first weights, vectors from wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya import artefact
from erya.errors import DataError, UsageError
from erya.parts import pretrained_vectors
from erya.parts.answer_shares import independent
from erya.parts.held_out import Reading, corpora
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.network_answers import evaluate
from erya.parts.network_loss import mean_loss
from erya.parts.network_training import begin_seldom, begin_with
from erya.parts.network_windows import Windows
from erya.parts.token_batches import Corpus, Goals
from erya.progress import quiet
from erya.state import State, pack_strings
from erya.tasks import classify
from erya.text.tokenizers import Words
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

TEXTS = [[1, 2, 3], [4], [], [2, 2, 2, 2, 5]]
CLASSES = 3


def goals(several, smoothing=0.0):
    """Text 0: classes 0 and 2; text 1: class 1; text 2: none, or of shares class 0; text 3: class 2."""
    starts = np.array([0, 2, 3, 3 if several else 4, 4 if several else 5])
    labels = np.array([0, 2, 1, 2] if several else [0, 2, 1, 0, 2])
    shares = np.ones(4) if several else np.array([0.25, 0.75, 1, 1, 1])
    return Goals(starts, labels, shares, CLASSES, several=several, smoothing=smoothing)


def test_goals_are_chosen_and_smoothed():
    found = goals(False).dense(np.array([3, 0, 0]))
    np.testing.assert_allclose(found, [[0, 0, 1], [0.25, 0, 0.75], [0.25, 0, 0.75]])
    np.testing.assert_allclose(goals(True).dense(np.array([2, 0])), [[0, 0, 0], [1, 0, 1]])
    smooth = goals(False, 0.3).dense(np.arange(4))
    np.testing.assert_allclose(smooth.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(smooth[1], [0.1, 0.8, 0.1], atol=1e-6)
    np.testing.assert_allclose(goals(True, 0.3).dense(np.array([1])), [[0.15, 0.85, 0.15]], atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_losses_are_torchs(smoothing):
    logits = torch.randn(4, CLASSES, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    weights = np.array([1.0, 2.0, 0.5, 0.5])
    rows = np.arange(4)
    truth = np.array([0, 1, 0, 2])
    one = Goals(np.arange(5), truth, np.ones(4), CLASSES, several=False, smoothing=smoothing)
    batch = Corpus(TEXTS, 9, None, weights, one).batch(rows)
    targets, weighed = torch.from_numpy(truth[batch.rows]), torch.from_numpy(weights[batch.rows])
    peer = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    assert float(mean_loss(logits, batch)) == pytest.approx(float((peer * weighed).mean()), abs=1e-6)
    if not smoothing:
        plain = Corpus(TEXTS, 9, truth, weights).batch(rows)
        assert plain.goals is None
        assert float(mean_loss(logits, plain)) == pytest.approx(float((peer * weighed).mean()), abs=1e-6)
    batch = Corpus(TEXTS, 9, None, weights, goals(True)).batch(rows)
    share = independent(logits.numpy())
    dense = goals(True).dense(batch.rows)
    losses = -(dense * np.log(share) + (1 - dense) * np.log(1 - share)).mean(axis=1)
    assert float(mean_loss(logits, batch)) == pytest.approx((losses * weights[batch.rows]).mean(), abs=1e-6)


class Fixed:
    """A network whose answer to each text of a corpus stands beforehand."""

    def __init__(self, logits):
        self.logits = torch.tensor(logits)

    def __call__(self, batch):
        return self.logits[torch.from_numpy(batch.rows)]


def test_held_out_texts_are_scored_by_their_kind():
    answers = [[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-3.0, -2.0, -4.0], [-1.0, 0.0, 0.5]]
    found = evaluate(Fixed(answers), Corpus(TEXTS, 9, None, np.array([1.0, 1.0, 1.0, 5.0]), goals(False)), CLASSES)
    assert found["validation_accuracy"] == pytest.approx((0.25 + 1 + 0 + 5) / 8)
    several = Corpus(TEXTS, 9, None, None, goals(True))
    found = evaluate(Fixed(answers), several, CLASSES)
    assert found["validation_micro_f1"] == 1  # at 0.25: 2, 1 | 1 | | 0.5
    share, dense = independent(np.array(answers)), goals(True).dense(np.arange(4))
    losses = -(dense * np.log(share) + (1 - dense) * np.log(1 - share))
    assert found["validation_loss"] == pytest.approx(losses.mean())
    lacking = Goals(
        *(getattr(goals(True), name) for name in ("starts", "labels", "shares", "classes")), True, missing=4
    )
    assert evaluate(Fixed(answers), Corpus(TEXTS, 9, None, None, lacking), CLASSES)["validation_micro_f1"] == 2 * 4 / 12


def test_validation_of_every_kind():
    X, y = ["a b", "b c", "c"] * 4, [["x", "y"], [], ["y"]] * 4
    examples = classify.examples(X, y, kinds=("several",))

    def listened(validation, of=examples):
        return corpora(of, validation, Words(), Reading(1, 2, 0), quiet).listened

    found = listened((["a", "c", "b"], [("y", "unseen"), [], {"x"}]))
    np.testing.assert_allclose(found.goals.dense(np.arange(3)), [[0, 1], [0, 0], [1, 0]])
    assert found.goals.missing == 1
    np.testing.assert_allclose(listened((["a", "b"], ["x", "y"])).goals.dense(np.arange(2)), [[1, 0], [0, 1]])
    with pytest.raises(UsageError, match="another kind"):
        listened((["a"], [{"x": 1.0}]))
    soft = classify.examples(X, [{"x": 1, "y": 3}, {"x": 1}, {"y": 1}] * 4, kinds=("soft",))
    found = listened((["a", "b"], [{"y": 2, "unseen": 2}, "x"]), soft)
    np.testing.assert_allclose(found.goals.dense(np.arange(2)), [[0, 0.5], [1, 0]])
    one = classify.examples(X, ["x", "y", "x"] * 4)
    with pytest.raises(UsageError, match="another kind"):
        listened((["a"], [["x"]]), one)


def test_of_several_labels_a_tenth_of_all_rows_is_held_out():
    X, y = classify.toy_several(seed=1, rows=200)
    examples = classify.examples(X, y, kinds=("several",), sample_weight=np.linspace(1, 2, 200))
    found = corpora(examples, None, Words(), Reading(1, 2, 0), quiet)
    assert (len(found.learned), len(found.listened)) == (180, 20)
    assert float(found.learned.weights.mean()) == pytest.approx(1)
    counts = found.learned.goals.dense(np.arange(180)).sum(axis=0) + found.listened.goals.dense(np.arange(20)).sum(
        axis=0
    )
    assert counts.tolist() == [sum(label in labels for labels in y) for label in ("food", "music", "weather")]
    smooth = corpora(examples, None, Words(), Reading(1, 2, 0, smoothing=0.2), quiet)
    assert smooth.learned.goals.dense(np.arange(180)).min() == pytest.approx(0.1)
    assert smooth.listened.goals.dense(np.arange(20)).min() == 0


def test_pieces_of_a_long_text_keep_its_labels():
    examples = classify.examples(["a b c d e", "b", ""], [["x"], ["y"], []], kinds=("several",))
    found = corpora(examples, None, Words(), Reading(1, None, 0, longest=2), quiet)
    assert found.learned.lengths.tolist() == [2, 2, 1, 1, 0]
    np.testing.assert_allclose(found.learned.goals.dense(np.arange(5)), [[1, 0], [1, 0], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(found.learned.weights.numpy() / found.learned.weights.numpy()[3], [1 / 3] * 3 + [1, 1])


def test_windows_are_averaged_by_their_tokens():
    windows = Windows([[1, 2, 3, 4, 5], [], [6]], 2)
    assert windows.long == 1
    corpus = windows.corpus(9)
    assert corpus.lengths.tolist() == [2, 2, 1, 0, 1]
    values = np.arange(5, dtype=np.float64)[:, None]
    np.testing.assert_allclose(windows.means(values)[:, 0], [(0 * 2 + 1 * 2 + 2 * 1) / 5, 3, 4])


# ---- first weights -------------------------------------------------------------------------------------------------


def test_biases_begin_as_frequencies():
    bias = torch.zeros(CLASSES)
    begin_seldom(bias, goals(True))
    np.testing.assert_allclose(independent(bias[None].double().numpy())[0], [0.3, 0.3, 0.5], atol=1e-6)


def test_random_rows_are_as_long_as_given_ones():
    words = [f"w{number}" for number in range(200)]
    given = pretrained_vectors.opened(KeyedVectors.of(words[:100], np.random.default_rng(0).normal(0, 0.7, (100, 8))))
    vocabulary = Vocabulary([PADDING, UNKNOWN, *words], specials=2)
    table = torch.zeros(len(vocabulary), 8)
    table[1:].normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    begin_with(table, given, vocabulary)
    assert not table[0].any()
    np.testing.assert_array_equal(table[2:102].numpy(), given.matrix)
    others = table[[1, *range(102, 202)]]
    assert float(others.std()) == pytest.approx(float(given.matrix.std()), rel=0.02)


def test_words_that_vectors_know_have_a_row_however_rare(tmp_path):
    table = KeyedVectors.of(["rare", "Far", "too far", "far", "further", "text"], np.eye(6))
    examples = classify.examples(["a text a rare", "a text odd"] * 1, ["x", "y"])
    reading = Reading(2, None, 0, vectors=pretrained_vectors.opened(table), extra_words=4)
    found = corpora(examples, None, Words(), reading, quiet)
    assert found.vocabulary.tokens == [PADDING, UNKNOWN, "a", "text", "rare", "far"]
    assert found.coverage == {"words": 2 / 4, "tokens": 3 / 7}


def test_vectors_come_out_of_files_of_ours_and_others(fitted, tmp_path):
    words, matrix = ["soup", "song", "汤"], np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    for storage in ("float32", "int8"):
        path = KeyedVectors.of(words, matrix, storage=storage).save(tmp_path / f"{storage}.erya")
        found = pretrained_vectors.opened(str(path))
        assert found.words == words
        np.testing.assert_allclose(found.matrix, matrix, atol=0.02)
    arrays = {**pack_strings("words", words), "counts": np.array([3, 2, 1]), "vectors": matrix}
    trained = artefact.Content("vectors/word2vec", {}, State(arrays, {}), 1, {}, "")
    found = pretrained_vectors.opened(artefact.save(tmp_path / "v.erya", trained))
    assert found.words == words
    np.testing.assert_array_equal(found.matrix, matrix)
    with pytest.raises(UsageError, match="no word vectors"):
        pretrained_vectors.opened(fitted("classify/naive_bayes").save(tmp_path / "c.erya"))
    with pytest.raises(DataError):
        pretrained_vectors.opened(tmp_path / "missing.vec")
    with pytest.raises(UsageError):
        pretrained_vectors.opened(fitted("classify/naive_bayes"))
    (tmp_path / "model.bin").write_bytes(b"\xba\x16\x4f\x2f" + bytes(60))
    with pytest.raises(UsageError, match="a model of fastText") as caught:
        pretrained_vectors.opened(tmp_path / "model.bin")
    assert caught.value.help.startswith("erya convert ")
