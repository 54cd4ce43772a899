"""Files of sentences with tags into a data set: formats, refusals with their places, and the account of it."""

from __future__ import annotations

import gzip
import json

import pytest

import erya
from erya.errors import DataError, UsageError
from erya.text.read_tags import stream_tagged


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")

    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return put


def tags(path, **options):
    return erya.read(path, task="tag", **options)


SMALL = "Ada B-PER\nLovelace I-PER\nwrote O\n\nin O\nLondon B-LOC\n\n"


def test_conll(write):
    data = tags(write("a.conll", SMALL))
    assert data.train.inputs == [("Ada", "Lovelace", "wrote"), ("in", "London")]
    assert data.train.targets == [("B-PER", "I-PER", "O"), ("O", "B-LOC")]
    assert (data.task, data.kind, data.reading.format) == ("tag", "tags", "conll")
    assert data.labels == ["B-LOC", "B-PER", "I-PER", "O"]
    assert "tags: IOB2 (BIO)" in data.reading.notes
    assert data.digest != tags(write("b.conll", SMALL.replace("B-LOC", "B-PER"))).digest


@pytest.mark.parametrize("name", ["a.txt", "a", "a.tsv", "a.bmes", "a.conll.gz"])
def test_whatever_it_is_called(write, name):
    content = SMALL.replace(" ", "\t")
    assert tags(write(name, content)).train.targets[1] == ("O", "B-LOC")


def test_a_folder_with_parts(write):
    for part in ("train", "dev", "test"):
        write(f"d/{part}.conll", SMALL + f"{part} O\n\n")
        write(f"d/{part}.jsonl", '{"text": "x", "label": "y"}\n')
    folder = write("d/train.conll", SMALL).parent
    data = tags(folder)
    assert [len(part) for _, part in data.parts()] == [2, 3, 3]


def test_columns_by_number(write):
    path = write("a.conll", "U.N. NNP B-ORG\nmet VBD O\n\n")
    assert tags(path, tags="2").train.targets == [("NNP", "VBD")]
    assert any("parts of speech" in note for note in tags(path, tags="2").reading.notes)
    with pytest.raises(DataError, match="numbers from 1") as caught:
        tags(path, tags="ner")
    assert caught.value.code == "column-missing"
    with pytest.raises(DataError, match="not 9"):
        tags(path, tags="9")
    unique = write("u.conll", "\n".join(f"w{n} x{n}" for n in range(60)) + "\n")
    with pytest.raises(DataError) as caught:
        tags(unique)
    assert caught.value.code == "labels-unique"


def test_broken_tags_are_counted_and_said(write):
    data = tags(write("a.conll", SMALL + "in O\nNew I-LOC\nYork I-LOC\n\nX B-PER\nY I-LOC\n\n"))
    (note,) = [note for note in data.reading.notes if "conlleval" in note]
    assert note.startswith("2 tags of train")
    assert "sentence 3" in note
    assert data.train.targets[2] == ("O", "I-LOC", "I-LOC")  # as they stand; fit mends them


def test_bad_sentences_stop_or_are_skipped_and_counted(write):
    path = write("a.conll", SMALL + "alone\nx O\n\n")
    with pytest.raises(DataError) as caught:
        tags(path)
    assert caught.value.code == "bad-conll"
    assert caught.value.where.startswith("a.conll:8")
    reading = tags(path, bad_rows="skip").reading
    assert (reading.rows_in, reading.used, reading.rejected) == (3, 2, 1)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.conll", "", "empty-file"),
        ("a.conll", "\n \n", "no-rows"),
        ("a.conll", "-DOCSTART- O\n\n", "no-rows"),
        ("a.jsonl", "\n", "no-rows"),
        ("a.conll", bytes(range(256)) * 9, "not-text"),
        ("a.json", '[{"text": "in Rome", "spans": [[3, 7, "LOC"]]}]', "json-array"),
    ],
)
def test_nothing_to_read(write, name, content, code):
    with pytest.raises(DataError) as caught:
        tags(write(name, content))
    assert caught.value.code == code
    assert "header" not in str(caught.value)


def test_one_tag_is_nothing_to_learn(write):
    path = write("a.conll", "a O\nb O\n\n")
    with pytest.raises(DataError) as caught:
        tags(path)
    assert caught.value.code == "one-class"
    assert len(tags(path, check=False).train) == 1


# ---- spans --------------------------------------------------------------------------------------------------------------


def rows(*objects):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


FORMS = [
    {"spans": [[1, 3, "LOC"], [4, 5, "X"]]},
    {"label": [[4, 5, "X"], [1, 3, "LOC"]]},  # Doccano, in whatever order
    {"labels": [[1, 3, "LOC"], [4, 5, "X"]]},
    {
        "entities": [
            {"id": 1, "label": "LOC", "start_offset": 1, "end_offset": 3},
            {"id": 2, "label": "X", "start_offset": 4, "end_offset": 5},
        ],
        "relations": [],
    },
    {"annotations": [{"start": 1, "end": 3, "type": "LOC"}, {"begin": 4, "end": 5, "labels": "", "label": ["X"]}]},
    {"entities": [], "label": [[1, 3, "LOC"], [4, 5, "X"]], "Comments": []},  # the one that says something
    {"label": {"X": {"🦄": [[4, 4]]}, "LOC": {"𠀀京": [[1, 2]]}}},  # CLUENER: ends are included
    {"label": {"LOC": {"𠀀京": [[1, 3]]}, "X": {"🦄": [[4, 5]]}, "Y": {}}},  # or not: the words tell
]


@pytest.mark.parametrize("form", FORMS)
def test_texts_with_spans(write, form):
    data = tags(write("a.jsonl", rows({"id": 3, "text": "去𠀀京 🦄ville", **form})))
    (sentence,) = data.train.inputs
    assert sentence == ("去", "𠀀", "京", "🦄", "ville")
    assert data.train.targets == [("O", "B-LOC", "I-LOC", "B-X", "O")]
    assert sentence.given
    assert [sentence.text[start:end] for start, end in sentence.offsets] == list(sentence)


def test_tokens_with_tags(write):
    path = write(
        "a.jsonl", rows({"tokens": ["in", "Rome"], "ner_tags": ["O", "B-LOC"]}, {"tokens": ["a"], "tags": ["O"]})
    )
    assert tags(path).train.targets == [("O", "B-LOC"), ("O",)]
    own = write("b.jsonl", rows({"w": ["in", "Rome"], "t": ["O", "B-LOC"]}))
    assert tags(own, tokens="w", tags="t").train.inputs == [("in", "Rome")]


@pytest.mark.parametrize(
    ("row", "code", "told"),
    [
        ({"text": "Ada Lovelace", "spans": [[0, 12, "PER"], [4, 12, "X"]]}, "spans-overlap", "PER 0:12.*X 4:12"),
        ({"text": "Ada", "spans": [[0, 4, "PER"]]}, "span-outside", "PER 0:4.*3 characters"),
        ({"text": "Ada", "spans": [[-1, 2, "PER"]]}, "span-outside", "-1:2"),
        ({"text": "Ada", "spans": [["0", 2, "PER"]]}, "not-a-span", "whole numbers"),
        ({"text": "Ada", "spans": [[2, 2, "PER"]]}, "span-empty", "PER 2:2"),
        ({"text": "Ada", "label": {"PER": {"Ada": [[1, 3]]}}}, "span-differs", "PER .1, 3. is 'da', not 'Ada'"),
        ({"text": "Ada", "label": {"PER": {"Ada": [[-3, 2]]}}}, "span-differs", "not 'Ada'"),
        ({"text": "Ada", "label": {"PER": [[0, 2]]}}, "not-a-span", "words: "),
        ({"text": "Ada", "label": {"PER": {"Ada": [[0, 2.0]]}}}, "not-a-span", "words: "),
        ({"text": "Ada B", "label": {"A": {"Ada": [[0, 2]]}, "B": {"a B": [[2, 4]]}}}, "spans-overlap", "A 0:3.*B 2:5"),
        ({"text": "Ada", "spans": "PER"}, "no-spans", "spans"),
        ({"text": "Ada"}, "no-spans", "spans"),
        ({"spans": []}, "empty-text", "text"),
        ({"tokens": ["a", "b"], "tags": ["O"]}, "lengths-differ", r"2 tokens but 1 tag\)"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, "not-tokens", "words"),
        ({"tokens": ["a"], "tags": [0]}, "no-tags", "names"),
        ({"tokens": ["a"], "tags": "O"}, "no-tags", "no list"),
    ],
)
def test_impossible_rows_are_refused_with_their_place(write, row, code, told):
    path = write("a.jsonl", rows({"text": "in Rome", "spans": [[3, 7, "LOC"]]}, row))
    with pytest.raises(DataError, match=told) as caught:
        tags(path)
    assert caught.value.code == code
    assert caught.value.where.startswith("a.jsonl:2")
    assert tags(path, bad_rows="skip").reading.rejected == 1


def test_a_text_without_characters_is_left_out(write):
    path = write("a.jsonl", rows({"text": " ", "spans": []}, {"text": "in Rome", "spans": [[3, 7, "LOC"]]}))
    assert tags(path).reading.rejected == 1


# ---- brat ---------------------------------------------------------------------------------------------------------------


def test_brat(write):
    write("b/one.txt", "Ada met Bob.\r\n\nNew\nYork is 𠀀🦄 big.\n")
    path = write(
        "b/one.ann",
        "T1\tPER 0 3\tAda\nT2\tPER 8 11\tBob\nT3\tLOC 15 23\tNew York\nT4\tX 27 29\t𠀀🦄\nR1\tknows Arg1:T1 Arg2:T2\n",
    )
    for source in (path.parent, path, path.with_suffix(".txt")):
        data = tags(source)
        assert [sentence.text for sentence in data.train.inputs] == ["Ada met Bob.", "New\nYork is 𠀀🦄 big."]
        assert data.train.targets[0] == ("B-PER", "O", "B-PER", "O")
        assert data.train.targets[1] == ("B-LOC", "I-LOC", "O", "B-X", "I-X", "O", "O")
        assert any("1 lines of relations" in note for note in data.reading.notes)


def test_brat_with_parts(write):
    for part in ("train", "valid"):
        write(f"b/{part}/x.txt", "Ada met")
        write(f"b/{part}/x.ann", "T1\tPER 0 3\tAda\n")
    data = tags(write("b/readme", "x").parent)
    assert [name for name, _ in data.parts()] == ["train", "dev"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("T2\tX 5 2;8 9\ta b", "span-in-pieces"),
        ("T2\tX 5 99\ta", "span-outside"),
        ("T2\tX 4 7\tBob", "span-differs"),
        ("T2\tX 0 5\tAda m", "spans-overlap"),
        ("T2 X 0 5", "bad-brat"),
    ],
)
def test_brat_refusals(write, line, code):
    write("x.txt", "Ada met Bob")
    path = write("x.ann", f"T1\tPER 0 3\tAda\n{line}\n")
    with pytest.raises(DataError) as caught:
        tags(path)
    assert caught.value.code == code
    assert caught.value.where.startswith("x.ann:2" if code != "spans-overlap" else "x.ann:1")


def test_a_span_that_tags_cannot_say_takes_its_sentence_with_it(write):
    write("x.txt", "left and right\nlobe of it\n\nAda met Bob\n")
    path = write("x.ann", "T1\tPART 0 4;15 19\tleft lobe\nT2\tPER 27 30\tAda\n")
    data = tags(path, bad_rows="skip")
    assert data.train.inputs == [("Ada", "met", "Bob")]
    (reject,) = data.reading.rejects
    assert (reject.code, reject.line) == ("span-in-pieces", 1)
    assert reject.raw == "left and right\nlobe of it"


# ---- the rest --------------------------------------------------------------------------------------------------------------


def test_the_sample_knows_its_tags():
    data = tags("sample:snips")
    assert [len(part) for _, part in data.parts()] == [13_075, 700, 700]
    assert len({tag[2:] for tag in data.labels if tag != "O"}) == 39
    with pytest.raises(DataError, match="no tags"):
        tags("sample:poetry")


def test_it_splits_like_any_data_set(write):
    path = write("a.conll", "".join(f"w{n} O\nPARIS B-LOC\n\n" for n in range(50)))
    data = tags(path).split(seed=1)
    assert sum(len(part) for _, part in data.parts()) == 50
    assert len(data.test) == 5
    assert tags(path).split(seed=1).test.inputs == data.test.inputs


def test_formats_that_hold_no_tags():
    with pytest.raises(UsageError, match="no tags"):
        tags("x.csv", format="csv")


def test_sentences_to_predict(write):
    assert list(stream_tagged(str(write("a.conll", "a O\nb O\n\nc O\n")))) == [(1, ("a", "b")), (2, ("c",))]
    assert list(stream_tagged(str(write("a.txt", "去 Rome\n\n")))) == [(1, "去 Rome"), (2, "")]
    found = list(stream_tagged(str(write("a.jsonl", rows({"text": "x y"}, {"tokens": ["x", "y"]}, {"no": 1})))))
    assert found[:2] == [(1, "x y"), (2, ("x", "y"))]
    assert found[2].code == "empty-text"
