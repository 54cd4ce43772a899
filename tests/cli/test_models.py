"""list, about, learn, data."""

from __future__ import annotations

import json

import pytest

from erya import catalog

from .conftest import MODEL


def test_list_shows_every_model_with_its_year(erya):
    found = erya("list")
    for card in catalog.cards():
        (line,) = [line for line in found.lines if card.ids[0] + " " in line]
        assert str(card.year) in line
    assert found.lines[0].startswith("classify ")
    assert erya("list", "classify").out.splitlines()[:2] == found.lines[:2]


def test_list_as_data(erya):
    document = erya("list", "--json", lang="zh").document
    assert document["schema"] == "erya.list/1"
    assert {model["model"] for model in document["models"]} == set(catalog.ids())
    assert all(model["installed"] in (True, False) for model in document["models"])


def test_what_is_not_installed_is_said(erya, monkeypatch):
    monkeypatch.setitem(catalog.EXTRA_MODULE, "neural", "no_such_module")
    neural = [card for card in catalog.cards() if card.extra == "neural"]
    if not neural:
        pytest.skip("no neural room")
    found = erya("list")
    assert found.out.count("needs no_such_module") == sum(len(card.tasks) for card in neural)
    assert 'pip install "erya[neural]"' in found.out
    assert erya("about", neural[0].ids[0]).code == 0


def test_about(erya):
    found = erya("about", MODEL)
    assert found.code == 0, found.err
    card = catalog.card_of(MODEL)
    assert card.title["en"] in found.out
    for name in catalog.find(MODEL).parameters():
        assert f"\n  {name} " in found.out
    assert card.title["zh"] in erya("about", MODEL, "--lang", "zh").out
    document = erya("about", MODEL, "--json").document
    assert document["schema"] == "erya.about/1"
    assert [setting["name"] for setting in document["settings"]] == list(catalog.find(MODEL).parameters())
    assert all(setting["meaning"] for setting in document["settings"])
    assert erya("about", MODEL, "--lang", "fr").code == 2


@pytest.mark.parametrize("id", catalog.ids())
def test_every_setting_of_every_model_is_explained(erya, id):
    if not catalog.card_of(id).installed:
        pytest.skip("not installed")
    unexplained = [
        setting["name"] for setting in erya("about", id, "--json").document["settings"] if not setting["meaning"]
    ]
    assert unexplained == []


def test_learn_copies_notes_and_notebook(erya, tmp_path):
    found = erya("learn", "classify/fasttext", "-o", "study")
    assert found.code == 0, found.err
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["README.md", "train.ipynb"]
    assert erya("learn", "classify/fasttext", "-o", "study").code == 0  # the same files again: fine
    (tmp_path / "study" / "README.md").write_text("my own notes")
    refused = erya("learn", "classify/fasttext", "-o", "study")
    assert refused.code == 2
    assert (tmp_path / "study" / "README.md").read_text() == "my own notes"
    assert erya("learn", "classify/fasttext", "-o", "study", "--force").code == 0
    assert (tmp_path / "study" / "README.md").read_text() != "my own notes"
    assert erya("learn", "classify/fasttext", "--lang", "zh").code == 0
    assert "README.zh.md" in [path.name for path in (tmp_path / "fasttext").iterdir()]


def test_data_lists_describes_shows_and_exports(erya, tmp_path):
    listed = erya("data")
    assert [line.split("  ")[0] for line in listed.lines if line.startswith("sample:")] == [
        "sample:names",
        "sample:poetry",
        "sample:snips",
    ]
    assert "MIT" in erya("data", "poetry").out
    assert len(erya("data", "poetry", "--head", "4").lines) == 4
    assert erya("data", "names", "-o", "names.jsonl").code == 0
    rows = [json.loads(line) for line in (tmp_path / "names.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 20050
    assert set(rows[0]) == {"text", "label", "part"}
    documents = [
        erya("data", *arguments, "--json").document for arguments in ([], ["poetry"], ["poetry", "--head", "2"])
    ]
    assert {document["schema"] for document in documents} == {"erya.data/1"}
    assert len(documents[2]["head"]) == 2
