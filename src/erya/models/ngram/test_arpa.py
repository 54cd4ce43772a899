"""ARPA in and out: the same scores, other programs' habits, and files that are damaged or lie."""

from __future__ import annotations

import gzip
import time

import numpy as np
import pytest

from erya.errors import DataError, ModelFileError
from erya.models.ngram.estimator import NGram
from erya.tasks import generate

# as SRILM writes it: no weight where it is 1, blanks and tabs, a remark before the data; "b c" has no suffix "c" as a context
SOUND = """\
made by hand

\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-0.8\t</s>
-99\t<s>\t-0.3
-0.5\ta\t-0.2
-0.9 b -0.1
-1.4\t<unk>

\\2-grams:
-0.2\t<s> a\t-0.4
-0.3\ta b
-0.6\tb </s>
-0.7\tb a\t-0.25

\\3-grams:
-0.1\t<s> a b
-0.15\ta b </s>

\\end\\
"""


def put(tmp_path, text, name="m.arpa"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="module")
def toy():
    return NGram(order=4, tokenizer="words").fit(generate.toy(1))


def logs_of(model, text):
    (told,) = model.surprisals([text])
    return (-told.bits * np.log10(2)).tolist()


def test_scores_by_hand(tmp_path):
    model = NGram.from_arpa(put(tmp_path, SOUND))
    assert model.units_.name == "characters"
    assert logs_of(model, "ab") == pytest.approx([-0.2, -0.1, -0.15])
    # a a: "<s> a a" and "a a" are not there: -0.4 - 0.2 - 0.5; then "a </s>": -0.2 - 0.8
    assert logs_of(model, "aa") == pytest.approx([-0.2, -0.4 - 0.2 - 0.5, -0.2 - 0.8])
    # behind an unknown unit nothing is known
    assert logs_of(model, "ax") == pytest.approx([-0.2, -0.4 - 0.2 - 1.4, -0.8])
    assert logs_of(model, "ba") == pytest.approx([-0.3 - 0.9, -0.7, -0.25 - 0.2 - 0.8])
    assert model.predict([""])


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_habits_of_other_programs(tmp_path, ends):
    text = SOUND.replace("-0.3\ta b", "-0.3\ta b\t0").replace("<unk>", "<UNK>").replace("made by hand\n\n", "")
    packed = put(tmp_path, gzip.compress(text.replace("\n", ends).encode()), "m.arpa.gz")
    assert logs_of(NGram.from_arpa(packed), "axb") == logs_of(NGram.from_arpa(put(tmp_path, SOUND)), "axb")
    strict = NGram.from_arpa(put(tmp_path, text.replace("\n-1.4\t<UNK>", "").replace("ngram 1=5", "ngram 1=4")))
    assert logs_of(strict, "x")[0] < -1e5  # a closed vocabulary


@pytest.mark.parametrize("smoothing", ["kneser_ney", "add_k", "mle"])
@pytest.mark.parametrize("tokenizer", ["words", "characters", "whitespace"])
def test_there_and_back(tmp_path, smoothing, tokenizer):
    texts = [*generate.toy(1, 60), "a line\nand  another\tone", "", "dog"]
    model = NGram(order=3, tokenizer=tokenizer, smoothing=smoothing).fit(texts)
    path = tmp_path / "m.arpa"
    lost = model.write_arpa(path)
    assert len(lost) == 1
    again = NGram.from_arpa(path)
    assert again.units_ == model.units_
    assert sorted(again.vocabulary_.units) == sorted(model.vocabulary_.units)
    assert again.tree_.sizes.tolist() == model.tree_.sizes.tolist()
    for text in [*texts[:5], *texts[-3:], "春 dog 两"]:
        (first,), (second,) = model.surprisals([text]), again.surprisals([text])
        np.testing.assert_allclose(first.bits, second.bits, rtol=0, atol=1e-5)
        assert first.unknown.tolist() == second.unknown.tolist()
    again.write_arpa(tmp_path / "n.arpa")
    third = NGram.from_arpa(tmp_path / "n.arpa", tokenizer=model.units_)
    np.testing.assert_allclose(logs_of(third, texts[0]), logs_of(again, texts[0]), rtol=0, atol=1e-6)


def test_pruned_and_saved_anew(tmp_path, toy):
    import erya

    pruned = NGram(order=4, tokenizer="words", prune=(0, 0, 2)).fit(generate.toy(1))
    pruned.write_arpa(tmp_path / "m.arpa")
    model = NGram.from_arpa(tmp_path / "m.arpa")
    opened = erya.load(model.save(tmp_path / "m.erya"))
    assert opened.fingerprint() == model.fingerprint()
    np.testing.assert_allclose(logs_of(opened, "the cat"), logs_of(pruned, "the cat"), rtol=0, atol=1e-5)
    cut = put(tmp_path, (tmp_path / "m.arpa").read_bytes()[:-20], "cut.arpa")
    with pytest.raises(ModelFileError):
        NGram.from_arpa(cut)


def test_the_treebank_writes_its_unknown_words_itself(tmp_path):
    model = NGram(order=2, tokenizer="whitespace").fit(["a <unk> b", "a b <unk>"] * 3)
    lost = model.write_arpa(tmp_path / "m.arpa")
    assert len(lost) == 2
    again = NGram.from_arpa(tmp_path / "m.arpa", tokenizer="whitespace")  # by its looks it has characters
    np.testing.assert_allclose(logs_of(again, "a <unk> b"), logs_of(model, "a <unk> b"), rtol=0, atol=1e-5)
    mixed = NGram(order=2, tokenizer="whitespace", min_count=2).fit(["a <unk> b", "a <unk> c"])
    with pytest.raises(DataError, match="told apart"):
        mixed.write_arpa(tmp_path / "m.arpa")


@pytest.mark.parametrize(
    ("tokenizer", "text"),
    [
        ("words", "a▁b ▁ c"),
        ("characters", "▁"),
        ("whitespace", "a <s> b"),
        ("words", "a \ud800"),
        ("whitespace", "</s>"),
    ],
)
def test_units_that_cannot_be_told_apart(tmp_path, tokenizer, text):
    model = NGram(order=2, tokenizer=tokenizer).fit([text])
    with pytest.raises(DataError) as caught:
        model.write_arpa(tmp_path / "m.arpa")
    assert caught.value.code == "arpa-name"
    assert not (tmp_path / "m.arpa").exists()


def test_the_tokenizer_beside_the_file(tmp_path):
    path = put(tmp_path, SOUND)
    beside = put(tmp_path, '{"units": "whitespace"}', "m.arpa.tokenizer.json")
    assert NGram.from_arpa(path).units_.name == "whitespace"
    beside.write_text('{"units": "magic"}')
    with pytest.raises(ModelFileError):
        NGram.from_arpa(path)
    assert NGram.from_arpa(path, tokenizer="words").units_.name == "words"


def changed(old, new, count=1):
    assert old in SOUND
    return SOUND.replace(old, new, count)


HOSTILE = {
    "no arpa": "the cat sat",
    "empty": "",
    "no head": changed("ngram 1=5\nngram 2=4\nngram 3=2\n", ""),
    "two to the 63rd": changed("ngram 3=2", "ngram 3=9223372036854775808"),
    "a number of 40 digits": changed("ngram 2=4", "ngram 2=" + "9" * 40),
    "more than the file can hold": changed("ngram 2=4", "ngram 2=1000000"),
    "one too few": changed("ngram 2=4", "ngram 2=3"),
    "one too many": changed("ngram 2=4", "ngram 2=5"),
    "no unigrams told": changed("ngram 1=5", "ngram 1=0"),
    "an order left out": changed("ngram 2=4\n", ""),
    "a thousand orders": changed("ngram 3=2", "\n".join(f"ngram {order}=0" for order in range(3, 1000))),
    "negative count": changed("ngram 2=4", "ngram 2=-4"),
    "nan": changed("-0.3\ta b", "nan\ta b"),
    "infinity": changed("-0.3\ta b", "inf\ta b"),
    "infinite weight": changed("-0.4", "inf"),
    "underscore": changed("-0.3\ta b", "-0_3\ta b"),
    "word for a number": changed("-0.3\ta b", "minus\ta b"),
    "above one": changed("-0.3\ta b", "0.3\ta b"),
    "too few columns": changed("-0.3\ta b", "-0.3\ta"),
    "too many columns": changed("-0.3\ta b", "-0.3\ta b\t0\t0"),
    "weight of the highest": changed("-0.1\t<s> a b", "-0.1\t<s> a b\t-0.2"),
    "no unigram": changed("-0.3\ta b", "-0.3\ta c"),
    "no context": changed("-0.1\t<s> a b", "-0.1\ta a b"),
    "twice": changed("-0.3\ta b", "-0.3\tb a"),
    "unigram twice": changed("-0.9 b -0.1", "-0.9 a -0.1"),
    "begins in the middle": changed("-0.3\ta b", "-0.3\ta <s>"),
    "ends in the middle": changed("-0.1\t<s> a b", "-0.1\tb </s> b"),
    "no end of texts": changed("-0.8\t</s>\n", "").replace("ngram 1=5", "ngram 1=4"),
    "sections in another order": changed("\\2-grams:", "\\3-grams:"),
    "a section too many": changed("\\end\\", "\\4-grams:\n-1 a b a b\n\\end\\"),
    "cut off": SOUND[:-40],
    "no end": changed("\\end\\\n", ""),
    "not utf-8": SOUND.encode().replace(b"-0.9 b -0.1", b"-0.9 \xff -0.1"),
    "a line without end": changed("\\3-grams:", "\\3-grams:\n" + "-0.1 " * 3_000_000),
    "zeros": bytes(3_000_000),
    "damaged archive": gzip.compress(SOUND.encode())[:-9],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_and_hostile_files_are_refused_at_once(tmp_path, name):
    path = put(tmp_path, HOSTILE[name])
    begin = time.process_time()
    with pytest.raises((ModelFileError, DataError)) as caught:
        NGram.from_arpa(path)
    assert time.process_time() - begin < 1
    assert "m.arpa" in str(caught.value)
    assert type(caught.value) is ModelFileError or name == "damaged archive"


def test_the_line_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"m\.arpa:17"):
        NGram.from_arpa(put(tmp_path, changed("-0.3\ta b", "0.3\ta b")))
    with pytest.raises(DataError):
        NGram.from_arpa(tmp_path / "absent.arpa")
