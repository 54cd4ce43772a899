"""A trained tagger as the tokenizer of other models: inside their files, the same bits after opening, nothing hostile let in."""

import base64
import json
import pickle

import pytest
from sklearn.model_selection import cross_val_score

import erya
from erya import artefact, nested
from erya.errors import ModelFileError, UsageError
from erya.run_folder import RunFolder
from erya.segmenter import Segmenter
from erya.tasks import tag
from erya.text import tokenizers

LINES = [
    "我 喜欢 北京大学",
    "他 在 北京 工作",
    "北京大学 在 北京",
    "我 在 家 喜欢 看 书",
    "他 喜欢 工作",
    "书 在 家",
] * 8
TEXTS = [
    "我喜欢北京大学",
    "他在北京工作",
    "我在家看书",
    "书在家",
    "他工作",
    "我喜欢看书",
    "北京大学在北京",
    "他在家",
] * 3
LABELS = ["学", "工", "学", "学", "工", "学", "学", "工"] * 3


@pytest.fixture(scope="module")
def tagger():
    return erya.tag.HMM().fit(*tag.from_words(LINES))


def model_of(tokenizer, id="classify/naive_bayes", **settings):
    return erya.model(id, "tiny", {"tokenizer": tokenizer, **settings})


def test_it_cuts_words_and_says_where(tagger):
    cut = tokenizers.make(tagger)
    text = "我喜欢  北京大学，NEW york"
    assert cut.tokens(text)[:3] == ["我", "喜欢", "北京大学"]
    assert cut.tokens(text)[-2:] == ["new", "york"]
    assert [text[start:end].lower() for start, end in cut.spans(text)] == cut.tokens(text)
    assert cut.tokens("") == cut.spans("  ") == []
    assert list(cut.tokens_of_texts(TEXTS)) == [cut.tokens(text) for text in TEXTS]


def test_many_texts_at_once_are_each_alone_and_pairs_keep_their_separator(tagger):
    cut = tokenizers.make(tagger)
    documents = ["他在北京", ("我在家", "他工作"), "", ("", "书")] * 400
    assert list(tokenizers.token_lists(cut, documents)) == [tokenizers.tokens_of(cut, one) for one in documents]
    words = tokenizers.Words()
    assert list(tokenizers.token_lists(words, documents)) == [tokenizers.tokens_of(words, one) for one in documents]


def test_punctuation_is_left_out_where_asked(tagger):
    cut = Segmenter(tokenizers.make(tagger).data, punctuation=False)
    text = "他，在…北京！"
    assert all(any(letter.isalnum() for letter in word) for word in cut.tokens(text))
    assert [text[start:end] for start, end in cut.spans(text)] == cut.tokens(text)


def test_as_data_and_back(tagger):
    cut = tokenizers.make(tagger)
    plain = json.loads(json.dumps(cut.to_plain()))
    assert tokenizers.from_plain(plain) == cut
    assert pickle.loads(pickle.dumps(cut)).tokens(TEXTS[0]) == cut.tokens(TEXTS[0])
    assert tokenizers.make(cut) is cut


@pytest.mark.parametrize(
    "id", ["classify/naive_bayes", "classify/logistic_regression", "classify/fasttext", "vectors/word2vec"]
)
def test_it_lives_inside_the_other_model(tagger, tmp_path, id):
    vectors = id.startswith("vectors")
    model = model_of(tagger, id, **({"min_count": 1} if vectors else {}))
    model.fit(TEXTS, None if vectors else LABELS)
    path = model.save(tmp_path / "m.erya")
    again = erya.load(path)
    assert again.fingerprint() == model.fingerprint()
    assert again.tokenizer_.tokens(TEXTS[0]) == ["我", "喜欢", "北京大学"]
    assert again.save(tmp_path / "n.erya").read_bytes() == path.read_bytes()
    arrays = artefact.load(path).state.arrays
    assert not any(name.startswith(nested.PREFIX) for name in arrays)
    size = len(tokenizers.make(tagger).data)
    without = model_of("chinese_words", id, **({"min_count": 1} if vectors else {})).fit(
        TEXTS, None if vectors else LABELS
    )
    assert path.stat().st_size < without.save(tmp_path / "w.erya").stat().st_size + 2 * size  # inside once, not twice
    if not vectors:
        assert again.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
        assert again.set_params(**model.get_params()).fit(TEXTS, LABELS).fingerprint() == model.fingerprint()


def test_a_tagger_of_words_on_top_of_one_that_finds_them(tagger, tmp_path):
    X = [[word for word in line.split()] for line in LINES]
    y = [["B-org" if word == "北京大学" else "O" for word in row] for row in X]
    model = erya.tag.HMM(tokenizer=tagger).fit(X, y)
    (answer,) = erya.load(model.save(tmp_path / "ner.erya")).predict(["他喜欢北京大学"])
    assert [span.text for span in answer.spans] == ["北京大学"]


def test_a_path_is_opened_where_settings_are_text(tagger, tmp_path):
    """As ``--set tokenizer=seg.erya`` reaches the processes of ``compare`` and ``tune``."""
    path = tagger.save(tmp_path / "seg.erya")
    found = model_of(str(path)).fit(TEXTS, LABELS)
    assert found.fingerprint() == model_of(tagger).fit(TEXTS, LABELS).fingerprint()
    assert found.shown_params()["tokenizer"]["plain"]["kind"] == "tagger"
    assert "file" not in found.shown_params()["tokenizer"]["plain"]


def test_scikit_learn_clones_keep_the_tagger_trained(tagger):
    model = model_of(tagger)
    assert cross_val_score(model, TEXTS, LABELS, cv=2).mean() > 0.5
    assert not hasattr(model, "tokenizer_")


def test_what_finds_no_words_is_refused(tagger):
    entities = erya.tag.HMM().fit([["to", "Paris"], ["to", "go"]], [["O", "B-city"], ["O", "O"]])
    speech = erya.tag.HMM().fit([["to", "go"]], [["PART", "VERB"]])
    deep = erya.tag.HMM(tokenizer=tagger).fit(*tag.from_words(LINES))
    bayes = model_of("words").fit(TEXTS, LABELS)
    for model, code in (
        (entities, "not-a-segmenter"),
        (speech, "not-a-segmenter"),
        (deep, "nested-too-deep"),
        (bayes, "not-a-segmenter"),
        (erya.tag.HMM(), "not-fitted"),
    ):
        with pytest.raises(UsageError) as raised:
            model_of(model).fit(TEXTS, LABELS)
        assert raised.value.code == code


def test_hostile_files_inside_are_refused(tagger, tmp_path):
    plain = tokenizers.make(tagger).to_plain()
    data = bytearray(base64.b64decode(plain["file"]))
    data[len(data) // 2] ^= 1
    deep = erya.tag.HMM(tokenizer=tagger).fit(*tag.from_words(LINES)).save(tmp_path / "deep.erya").read_bytes()
    bayes = model_of("words").fit(TEXTS, LABELS).save(tmp_path / "b.erya").read_bytes()
    for file in (bytes(data), bytes(data[:100]), b"", deep, bayes, b"PK\x03\x04"):
        with pytest.raises(ValueError, match=r"\S"):
            tokenizers.from_plain({**plain, "file": nested.encoded(file)})
    for wrong in (
        {**plain, "file": "§"},
        {**plain, "file": 3},
        {**plain, "lower": 1},
        {**plain, "more": 1},
        {"kind": "tagger"},
    ):
        with pytest.raises(ValueError, match=r"\S"):
            tokenizers.from_plain(wrong)


def test_a_file_whose_inner_file_is_not_there_is_refused(tagger, tmp_path):
    content = artefact.load(model_of(tagger).fit(TEXTS, LABELS).save(tmp_path / "m.erya"))
    content.state.data["tokenizer"] = {"kind": "tagger", "lower": True, "punctuation": True, "sha256": "0" * 64}
    artefact.save(tmp_path / "x.erya", content)
    with pytest.raises(ModelFileError):
        erya.load(tmp_path / "x.erya")


def test_a_run_folder_keeps_the_tagger_beside_its_json(tagger, tmp_path):
    folder = RunFolder(tmp_path / "m.erya")
    folder.acquire(create=True)
    run = {
        "format": artefact.FORMAT,
        "id": "classify/naive_bayes",
        "params": model_of(tagger).plain_params(),
        "how": {},
    }
    run |= {"absolute": {}, "digest": "", "threads": 1, "device": "cpu", "versions": {}, "ended": None}
    run |= {"budget_seconds": None, "budget_steps": None}
    folder.write(run)
    folder.write(run)
    assert (folder.path / "run.json").stat().st_size < 4000
    assert folder.read() == run
    (beside,) = folder.path.glob("nested-*")
    beside.write_bytes(beside.read_bytes()[:-1])
    with pytest.raises(ModelFileError):
        folder.read()
    folder.remove()
    assert not folder.path.exists()


def test_a_tagger_that_is_too_large_is_refused(tagger, monkeypatch):
    monkeypatch.setattr(nested, "LARGEST", 1000)
    with pytest.raises(UsageError, match="MiB"):
        tokenizers.make(tagger)
