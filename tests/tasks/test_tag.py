"""The task ``tag``: what is checked, what is answered, how it is scored – beside seqeval and a plain conlleval."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError, UsageError
from erya.progress import Report
from erya.tasks import tag
from erya.text.tokenizers import Characters, ChineseWords, Words

WORDS = Words(lower=False)
TAGS = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
two_answers = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=8), min_size=1, max_size=6
)


def apart(pairs):
    return [[a for a, _ in row] for row in pairs], [[b for _, b in row] for row in pairs]


# ---- scores ---------------------------------------------------------------------------------------------------------


def conlleval(true, answered):
    """Right, true and answered spans, walked token by token as conlleval walks them: an oracle apart from the arrays."""
    counts = [0, 0, 0]
    for one, other in zip(true, answered, strict=True):
        both = []
        for tags in (one, other):
            found, begun, before = set(), None, "O"
            for place, now in enumerate([*tags, "O"]):
                goes_on = now.startswith("I-") and before[2:] == now[2:] and before != "O"
                if begun is not None and not goes_on:
                    found.add((begun, place, before[2:]))
                    begun = None
                if now != "O" and begun is None:
                    begun = place
                before = now
            both.append(found)
        counts = [counts[0] + len(both[0] & both[1]), counts[1] + len(both[0]), counts[2] + len(both[1])]
    return counts


@given(two_answers)
@settings(max_examples=200, deadline=None)
def test_counts_are_those_of_conlleval(pairs):
    true, answered = apart(pairs)
    found = tag.compare(true, answered)
    assert [found.right.sum(), found.true.sum(), found.answered.sum()] == conlleval(true, answered)
    kinds = tag.mistakes(true, answered)
    wrong = kinds.type + kinds.boundary + kinds.both + kinds.added
    assert kinds.right == found.right.sum()
    assert kinds.right + wrong == found.answered.sum()
    assert kinds.missed <= found.true.sum() - found.right.sum()


@pytest.mark.parametrize("name", ["IOB2", "IOBES", "BILOU"])
@given(pairs=two_answers)
@settings(max_examples=100, deadline=None)
def test_scores_are_those_of_seqeval_in_strict_mode(name, pairs):
    metrics = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    scheme = getattr(pytest.importorskip("seqeval.scheme"), name)
    ours = {"IOB2": "iob2", "IOBES": "bioes", "BILOU": "bilou"}[name]
    true, answered = apart(pairs)
    true, sound = tag.convert(true, ours), tag.convert(answered, ours)
    if name == "IOB2":  # broken answers as they are
        strict = metrics.f1_score(true, answered, mode="strict", scheme=scheme, zero_division=0)
        if any(a != "O" for row in true for a in row) and tag.scheme_of(true) == "iob2":
            assert tag.strict_f1(true, answered) == pytest.approx(strict)
    if not any(a != "O" for row in (*true, *sound) for a in row):
        return  # seqeval warns and answers 0
    report = metrics.classification_report(true, sound, mode="strict", scheme=scheme, output_dict=True, zero_division=0)
    found = tag.scores(true, [tag.TagRun(sound)], resamples=1)
    micro = report["micro avg"]
    assert found["f1"].value == pytest.approx(micro["f1-score"])
    assert found["precision"].value == pytest.approx(micro["precision"])
    assert found["recall"].value == pytest.approx(micro["recall"])
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(true, sound))
    for label in tag.per_label(true, sound):
        theirs = report[label.label]
        assert (label.precision, label.recall, label.f1) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"])
        )
        assert label.support == theirs["support"]


def test_mistakes_are_told_apart():
    true = [["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O", "B-LOC", "O", "O", "B-PER", "O"]]
    told = [["B-LOC", "I-LOC", "O", "B-LOC", "O", "O", "O", "B-PER", "O", "B-PER", "O"]]
    found = tag.mistakes(true, told)
    assert found.to_plain() == {
        "right": 1,
        "type": 1,  # PER as LOC, to the token
        "boundary": 1,  # half of a LOC
        "both": 0,
        "added": 1,
        "missed": 1,
        "confused": [{"label": "PER", "answer": "LOC", "count": 1}],
    }
    assert tag.mistakes([["B-PER", "I-PER"]], [["B-LOC", "O"]]).both == 1


def test_parts_of_speech_have_accuracy_alone():
    true, answered = [["DET", "NOUN"], ["VERB"]], [["DET", "VERB"], ["VERB"]]
    found = tag.scores(true, [tag.TagRun(answered)], resamples=100)
    assert set(found) == {"accuracy"}
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert tag.headline(true, answered) == pytest.approx(2 / 3)
    assert [(one.label, one.precision, one.recall) for one in tag.per_label(true, answered)] == [
        ("DET", 1.0, 1.0),
        ("NOUN", 0.0, 0.0),
        ("VERB", 0.5, 1.0),
    ]
    assert tag.headline_of(tag.scheme_of(true)) == "accuracy"


def test_word_f1_of_segmentation():
    # 我|喜欢|北京 against 我|喜|欢|北京: two of three words found by four answers
    true, answered = [["S", "B", "E", "B", "E"]], [["S", "S", "S", "B", "E"]]
    found = tag.scores(true, [tag.TagRun(answered)], resamples=100)
    assert found["recall"].value == pytest.approx(2 / 3)
    assert found["precision"].value == pytest.approx(2 / 4)
    assert found["f1"].value == pytest.approx(4 / 7)


def test_intervals_and_the_test_of_two():
    X, y = tag.toy(seed=1, rows=200)
    inputs, targets = tag.toy(seed=2, rows=200)
    rule = tag.most_frequent(X, y, inputs)
    found = tag.scores(targets, [tag.TagRun(rule)])
    assert 0.3 < found["f1"].low < found["f1"].value < found["f1"].high < 0.6
    better = tag.paired_test(targets, targets, rule)
    assert better.significant
    assert better.difference == pytest.approx(1 - found["f1"].value)
    assert better.low < better.difference < better.high
    alike = tag.paired_test(targets, rule, rule)
    assert (alike.difference, alike.p_value) == (0.0, 1.0)
    one = [list(tags) for tags in rule]
    one[0] = list(targets[0])
    assert not tag.paired_test(targets, one, rule).significant
    assert tag.row_errors(targets, targets).max() == 0


def test_a_false_discovery_is_as_rare_as_it_should_be():
    """Two equally good models: the test says "different" at 5 % about one time in twenty."""
    generator, said = np.random.default_rng(0), 0
    true = [["B-X", "O", "B-X", "O"]] * 40
    for trial in range(40):
        tables = [[[name if generator.random() < 0.7 else "O" for name in row] for row in true] for _ in range(2)]
        said += tag.paired_test(true, *tables, seed=trial).significant
    assert said <= 6


def test_what_cannot_be_scored():
    with pytest.raises(DataError, match="1 sentences but 2"):
        tag.scores([["O"]], [tag.TagRun([["O"], ["O"]])])
    with pytest.raises(DataError, match="sentence 2 has 1 tokens but 2"):
        tag.scores([["O"], ["O"]], [tag.TagRun([["O"], ["O", "O"]])])
    with pytest.raises(DataError):
        tag.scores([], [tag.TagRun([])])


def test_tags_nobody_knows_count_as_wrong():
    found = tag.compare([["B-NEW", "O"]], [["O", "B-OLD"]])
    assert (found.right.sum(), found.true.sum(), found.answered.sum(), found.broken) == (0, 1, 1, 0)


def test_broken_answers_are_counted():
    found = tag.compare([["B-A", "I-A", "O"], ["O"]], [["I-A", "I-A", "O"], ["I-A"]])
    assert found.broken == 2
    assert found.right.sum() == 1  # as conlleval reads it
    assert tag.strict_f1([["B-A", "I-A", "O"]], [["I-A", "I-A", "O"]]) == 0


# ---- what goes in ----------------------------------------------------------------------------------------------------


class Notes(Report):
    def __init__(self):
        self.said = []

    def note(self, sentence):
        self.said.append(sentence)


def test_examples_number_mend_and_convert():
    notes = Notes()
    X, y = [["a", "b"], [], ["c", "d"]], [["O", "I-X"], [], ["B-X", "O"]]
    found = tag.examples(X, y, tokenizer=WORDS, scheme="bioes", report=notes)
    assert found.classes.tolist() == ["O", "S-X"]
    assert found.tags.tolist() == [0, 1, 1, 0]
    assert found.starts.tolist() == [0, 2, 4]
    assert (found.repaired, found.empty, found.scheme, found.data_scheme) == (1, 1, "bioes", "iob2")
    assert len(notes.said) == 2
    known = tag.examples([["z"]], [["B-NEW"]], tokenizer=WORDS, classes=found.classes)
    assert known.tags.tolist() == [-1]


def test_weights_and_ghosts():
    found = tag.examples([["a"], ["b"]], [["O"], ["B-X"]], tokenizer=WORDS, sample_weight=[2, 1])
    assert found.weights.tolist() == [2, 1]
    left = tag.examples([["a", "c"], ["b"]], [["O", "B-X"], ["B-Y"]], tokenizer=WORDS, sample_weight=[1, 0])
    assert left.classes.tolist() == ["B-X", "O"]
    for bad in ([1], [float("nan"), 1], [-1, 1]):
        with pytest.raises((DataError, UsageError)):
            tag.examples([["a"], ["b"]], [["O"], ["B-X"]], tokenizer=WORDS, sample_weight=bad)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ("a bare string", [["O"]]),
        ([["a"]], None),
        ([["a"]], [["O"], ["O"]]),
        ([["a", "b"]], [["O"]]),
        ([["a", "b"]], ["OO"]),
        ([["a", ""]], [["O", "B-X"]]),
        ([[1, 2]], [["O", "B-X"]]),
        ([7], [["O"]]),
        ([], []),
        ([[]], [[]]),
        ([["a", "b"]], [["O", "O"]]),
        (["Ada in Rome"], [[(0, 30, "X")]]),
        (["Ada in Rome"], [[(0, 5, "X"), (4, 6, "Y")]]),
    ],
)
def test_bad_examples_are_errors(X, y):
    with pytest.raises((DataError, UsageError)):
        tag.examples(X, y, tokenizer=WORDS)


def test_texts_with_spans():
    found = tag.examples(["去𠀀京 🦄ville", "no one"], [[(1, 3, "LOC"), (4, 5, "X")], []], tokenizer=WORDS)
    assert found.sentences[0] == ("去", "𠀀", "京", "🦄", "ville")
    assert found.classes[found.tags].tolist() == ["O", "B-LOC", "I-LOC", "B-X", "O", "O", "O"]


def test_the_tokenizer_suits_the_tokens():
    assert tag.tokenizer_for("auto", [["我", "爱", "北", "京"]]) == Words(lower=False)
    assert tag.tokenizer_for("auto", [["我", "喜欢", "北京"]]) == ChineseWords(lower=False)
    assert tag.tokenizer_for("characters", []) == Characters()


# ---- what comes out ----------------------------------------------------------------------------------------------------


def test_answers_know_their_text():
    texts = ["去𠀀京 🦄ville now", ["in", "New", "York", "."], []]
    sentences = tag.sentences(texts, WORDS)
    classes = np.array(["B-LOC", "E-LOC", "O"])
    paths = [[2, 0, 1, 2, 2, 2], [2, 0, 1, 2], []]
    found = tag.answers(sentences, paths, classes, "bioes", "iob2")
    assert found[0] == ["O", "B-LOC", "I-LOC", "O", "O", "O"]
    assert found[0].spans == [tag.Span(1, 3, "LOC", "𠀀京")]
    assert found[1].text == "in New York."
    assert [span.text for span in found[1].spans] == ["New York"]
    assert found[2] == []
    assert found[2].spans == []
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert again[0].spans == found[0].spans
    assert found[1].to_plain()["spans"] == [{"start": 3, "end": 11, "label": "LOC", "text": "New York"}]


def test_toy_sets_need_context():
    for make, most in ((tag.toy, 0.5), (tag.toy_pos, 0.92)):
        inputs, targets = make(seed=2, rows=200)
        assert [len(tokens) for tokens in inputs] == [len(tags) for tags in targets]
        assert tag.headline(targets, tag.most_frequent(*make(seed=1), inputs)) < most
        assert tag.headline(targets, targets) == 1
        assert make(seed=2, rows=200) == (inputs, targets)


def test_reliability_counts_tokens_that_were_answered_as_spans():
    classes = np.array(["B-LOC", "E-LOC", "O", "S-LOC"])
    targets = [["B-LOC", "I-LOC", "O"], ["O", "B-LOC"], []]
    answers = [["B-LOC", "I-LOC", "O"], ["B-LOC", "O"], []]
    marginals = [np.full((3, 4), 0.1), np.full((2, 4), 0.1), np.zeros((0, 4))]
    marginals[0][0, 0], marginals[0][1, 1], marginals[1][0, 3] = 0.9, 0.5, 0.5  # of B-, E- and S-LOC, as was learned
    error, bins = tag.reliability(targets, answers, marginals, classes, "bioes")
    assert [(round(bin["confidence"], 9), bin["accuracy"], bin["count"]) for bin in bins] == [
        (0.5, 0.5, 2),
        (0.9, 1.0, 1),
    ]
    assert error.value == pytest.approx((0 * 2 + 0.1 * 1) / 3)
    assert error.low <= error.value <= error.high
    _, bins = tag.reliability(targets, [["O"] * 3, ["O"] * 2, []], marginals, classes, "bioes")
    assert sum(bin["count"] for bin in bins) == 5  # no span was answered: all tokens
    speech, _ = tag.reliability(
        [["N", "V"]], [["N", "N"]], [np.array([[0.75, 0.25], [0.75, 0.25]])], np.array(["N", "V"]), "none"
    )
    assert speech.value == pytest.approx(0.25)
