"""A sixth model is one folder: found by the list, the loader and the contract battery without any other edit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import erya
from erya import catalog
from erya.errors import UsageError

HERE = Path(__file__).parent


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """A folder of rooms with two toy models in it, named by ERYA_ROOMS."""
    import shutil

    shutil.copytree(HERE / "toy_room", tmp_path / "rooms" / "longest_word")
    shutil.copytree(HERE / "toy_rooms" / "toy", tmp_path / "rooms" / "toy")
    monkeypatch.setenv("ERYA_ROOMS", str(tmp_path / "rooms"))
    yield tmp_path / "rooms"
    if str(tmp_path / "rooms") in erya.models.__path__:
        erya.models.__path__.remove(str(tmp_path / "rooms"))
    for name in [name for name in sys.modules if name.startswith(("erya.models.longest_word", "erya.models.toy"))]:
        del sys.modules[name]


def run(*arguments: str, rooms: Path, **settings) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ERYA_ROOMS": str(rooms), "ERYA_LANG": "en", "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, check=False, **settings
    )


def test_found_by_list_and_loader(rooms, tmp_path):
    listed = run("erya", "list", rooms=rooms)
    assert listed.returncode == 0, listed.stderr
    assert "classify/longest_word" in listed.stdout
    model = catalog.model("classify/longest_word").fit(["a bb", "ccc d", "a b"], ["x", "y", "x"])
    path = model.save(tmp_path / "m.erya")
    assert erya.load(path).predict(["ccc"]).tolist() == model.predict(["ccc"]).tolist()
    assert erya.classify.LongestWord is type(model)


@pytest.mark.parametrize(
    ("files", "room", "tests"),
    [
        (["tests/test_contract.py", "tests/test_contract_several.py"], "longest_word", 21),
        (["tests/test_contract.py", "tests/test_contract_vectors.py"], "vectors/toy", 25),
    ],
)
def test_passes_the_contract_battery(rooms, files, room, tests):
    repository = Path(__file__).resolve().parents[1]
    options = ["-q", "-p", "no:cacheprovider", "-n", "0", "-k", room]
    done = run("pytest", *options, *files, rooms=rooms, cwd=repository)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count(".") >= tests, "the whole battery ran"


def test_a_card_says_which_targets_its_model_takes(monkeypatch):
    assert "classify/tags" not in catalog.taking("several")
    monkeypatch.setenv("ERYA_ROOMS", str(HERE / "several_rooms"))
    for kind in ("one", "several", "soft"):
        assert "classify/tags" in catalog.taking(kind)
    assert "classify/naive_bayes" in catalog.taking("one")
    assert "classify/single" not in {*catalog.taking("several"), *catalog.taking("soft")}
    assert set(catalog.taking("one")) == set(catalog.ids("classify"))


def test_vectors_are_found_loaded_and_opened_from_foreign_files(rooms, tmp_path):
    from erya.tasks import vectors
    from erya.text import vector_files

    model = catalog.model("vectors/toy", "tiny").fit(vectors.toy(rows=60)[0])
    assert erya.vectors.ToyVectors is type(model)
    path = model.save(tmp_path / "v.erya")
    assert erya.load(path).most_similar("soup") == model.most_similar("soup")
    table = vector_files.VectorTable(model.words_, model.vectors_)
    for name, format in (("v.bin", "word2vec-bin"), ("v.txt", "glove"), ("v.vec", "fasttext-vec"), ("v.npy", "numpy")):
        vector_files.write(tmp_path / name, table, format)
        opened = erya.load(tmp_path / name)
        assert opened.id == "vectors/keyed"
        assert opened.most_similar("soup", topn=3) == model.most_similar("soup", topn=3), name
        again = erya.load(opened.save(tmp_path / "again.erya"))
        assert again.id == "vectors/keyed"
        assert (again.vectors_ == opened.vectors_).all()


def test_ready_made_vectors_are_no_room():
    assert "vectors/keyed" not in catalog.ids()
    assert catalog.find("vectors/keyed").id == "vectors/keyed"
    assert "KeyedVectors" in dir(erya.vectors)
    with pytest.raises(UsageError, match="not trained"):
        catalog.card_of("vectors/keyed")


def test_what_is_no_vector_file_is_none(tmp_path):
    for name, text in (("a.csv", "text,label\na b,x\n"), ("b.txt", "running text\nof two lines\n"), ("c.txt", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert catalog.foreign_format(tmp_path / name) is None, name
    assert catalog.foreign_format(tmp_path / "missing.vec") is None
    assert catalog.foreign_format(tmp_path) is None


def test_a_broken_card_is_named(rooms):
    (rooms / "longest_word" / "card.toml").write_text("title = 3")
    catalog._cards.cache_clear()
    with pytest.raises(UsageError) as caught:
        catalog.cards()
    assert "card.toml" in str(caught.value)


@pytest.mark.parametrize("told", ["59", "601", "true", "'many'", "60.5"])
def test_a_number_of_toy_rows_that_is_none_is_named(rooms, told):
    path = rooms / "longest_word" / "card.toml"
    card = path.read_text(encoding="utf-8")
    head = next(line for line in card.splitlines() if line.startswith("[tasks.") and line.count(".") == 1)
    path.write_text(card.replace(head, f"{head}\ntoy_rows = 120"), encoding="utf-8")
    catalog._cards.cache_clear()
    assert [
        entry.toy_rows for card in catalog.cards() for entry in card.tasks.values() if card.folder == path.parent
    ] == [120]
    path.write_text(card.replace(head, f"{head}\ntoy_rows = {told}"), encoding="utf-8")
    catalog._cards.cache_clear()
    with pytest.raises(UsageError) as caught:
        catalog.cards()
    assert "toy_rows" in str(caught.value)


def test_reading_cards_imports_no_room():
    code = "import sys; from erya import catalog; catalog.cards(); print([m for m in sys.modules if m.startswith('erya.models.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_front_door():
    import erya.classify

    assert "FastText" in dir(erya.classify)
    assert erya.classify.NaiveBayes.id == "classify/naive_bayes"
    from erya.classify import NaiveBayes

    assert NaiveBayes is erya.classify.NaiveBayes
    with pytest.raises(AttributeError, match="NaiveBayes"):
        _ = erya.classify.NaiveBays
    with pytest.raises(AttributeError):
        _ = erya.no_such_thing


@pytest.mark.parametrize(
    ("wrong", "right"), [("classify/fastext", "classify/fasttext"), ("textcnn", "classify/textcnn")]
)
def test_a_misspelt_id_names_the_nearest(wrong, right):
    with pytest.raises(UsageError) as caught:
        catalog.find(wrong)
    assert right in str(caught.value)
    with pytest.raises(UsageError, match="smothing"):
        catalog.model("classify/naive_bayes", settings={"smothing": 1})
    with pytest.raises(UsageError, match="preset"):
        catalog.model("classify/naive_bayes", "huge")


def test_stubs_are_up_to_date():
    folder = Path(erya.__file__).parent
    for task in catalog.tasks_with_models():
        assert (folder / f"{task}.pyi").read_text(encoding="utf-8") == catalog.stub(task), "run: python -m erya.catalog"


def test_every_parent_that_is_a_model_here_exists():
    known = {card.room for card in catalog.cards()}
    for card in catalog.cards():
        for parent in card.parents:
            assert parent.fixed["en"]
            assert parent.fixed["zh"]
            if "/" in parent.model:
                assert parent.model.split("/")[1] in known
