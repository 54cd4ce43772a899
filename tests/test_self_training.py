"""A tagger that teaches itself: which sentences it believes, which round stays, and what is said about it."""

import pytest

import erya
from erya import self_training
from erya.errors import DataError, UsageError
from erya.progress import Report
from erya.self_training import self_train
from erya.tasks import tag

FEW = tag.toy(seed=1, rows=24)
MORE = tag.toy(seed=2, rows=200)[0]
JUDGE = tag.toy(seed=3, rows=60)


class Watching(Report):
    def __init__(self):
        self.rows, self.done = [], []

    def record(self, row):
        self.rows.append(row)

    def progress(self, *, done, **_):
        self.done.append(done)


def test_the_best_round_stays_and_is_what_the_model_answers():
    model, report = erya.tag.HMM(), Watching()
    found = self_train(model, *FEW, MORE, validation=JUDGE, rounds=3, report=report)
    scores = [one.score for one in found.rounds]
    assert found.best == scores.index(max(scores))
    assert model.score(*JUDGE) == pytest.approx(max(scores))
    assert found.rounds[0].kept == 0
    assert all(one.kept > 0 and one.spans > 0 for one in found.rounds[1:])
    assert [row["epoch"] for row in report.rows] == [one.round for one in found.rounds]
    assert report.done == sorted(report.done)
    assert report.done[-1] <= 1
    again = erya.tag.HMM()
    assert self_train(again, *FEW, MORE, validation=JUDGE, rounds=3) == found
    assert again.fingerprint() == model.fingerprint()


def test_where_no_round_is_better_the_model_is_that_of_the_labelled_sentences():
    """Answers of a tagger that was taught nonsense at a hundred times the weight can only harm."""
    model = erya.tag.HMM()
    found = self_train(
        model, *FEW, [["Anna", "rained", "in", "all"]] * 50 + MORE, validation=JUDGE, weight=100, rounds=1
    )
    plain = erya.tag.HMM().fit(*FEW)
    assert found.rounds[1].score <= found.rounds[0].score
    assert (found.best, found.helped, found.difference) == (0, False, None)
    assert model.fingerprint() == plain.fingerprint()
    assert "did not help on 60" in found.said()


def test_a_round_that_helps_is_tested_against_the_labelled_sentences_alone():
    model = erya.tag.HMM()
    found = self_train(model, *tag.toy(seed=5, rows=12), MORE, validation=JUDGE, confidence=0.5)
    assert found.helped
    assert found.difference.difference == pytest.approx(found.rounds[found.best].score - found.rounds[0].score)
    assert f"round {found.best} stays" in found.said()
    assert ("which may be chance" in found.said()) == (found.difference.p_value >= 0.05)


def test_sure_sentences_without_a_span_get_no_greater_share_than_labelled_ones_have():
    model = erya.tag.HMM().fit(*tag.toy(seed=1, rows=200))
    taking = self_training._Taking([["it", "rained", "all", "day"]] * 500 + MORE, 0.2, 0.5, 1.0)
    X, y = taking.sure(model)
    empty = sum(all(name == "O" for name in tags) for tags in y)
    assert 0 < empty == round((len(y) - empty) * 0.25)
    assert all(len(tokens) == len(tags) for tokens, tags in zip(X, y, strict=True))


def test_without_a_judge_a_fifth_is_held_out_and_then_learned_from():
    model = erya.tag.HMM()
    found = self_train(model, *tag.toy(seed=1, rows=50), MORE, rounds=2)
    assert found.judged_by == 10
    assert set(model.words_) >= {word for sentence in tag.toy(seed=1, rows=50)[0] for word in sentence}
    if not found.helped:
        assert model.fingerprint() == erya.tag.HMM().fit(*tag.toy(seed=1, rows=50)).fingerprint()


def test_parts_of_speech_and_texts():
    X, y = tag.toy_pos(seed=1, rows=40)
    found = self_train(
        erya.tag.HMM(), X, y, [" ".join(row) for row in tag.toy_pos(seed=2, rows=40)[0]] + [""], rounds=1
    )
    assert found.metric == "accuracy"
    assert found.rounds[1].kept > 0


def test_what_cannot_be():
    with pytest.raises(UsageError, match="how sure"):
        self_train(erya.tag.Perceptron(), *FEW, MORE)
    with pytest.raises(DataError, match="without tags"):
        self_train(erya.tag.HMM(), *FEW, [[], ""])
    with pytest.raises(DataError, match="too few"):
        self_train(erya.tag.HMM(), *tag.toy(seed=1, rows=6), MORE)
    for wrong in ({"rounds": 0}, {"confidence": 1.5}, {"weight": 0}):
        with pytest.raises(UsageError):
            self_train(erya.tag.HMM(), *FEW, MORE, **wrong)
