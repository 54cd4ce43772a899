"""The bundled data: whole, small, licensed, and what its cards say."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from erya.errors import DataError
from erya.text import read, sample_card, sample_names
from erya.text.conll import sentences
from erya.text.files import blocks, lines
from erya.text.readers import Row, texts
from erya.text.tokenizers import make


def test_names():
    assert sample_names() == ("names", "poetry", "snips")
    with pytest.raises(DataError) as caught:
        sample_card("peotry")
    assert caught.value.code == "sample-missing"
    assert "sample:poetry" in caught.value.help


@pytest.mark.parametrize("name", sample_names())
def test_the_files_are_those_of_the_card(name):
    card = sample_card(name)
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in card.folder.glob("*.gz")}
    assert found == card.files
    assert card.bytes == sum((card.folder / file).stat().st_size for file in found)
    licence = (card.folder / "LICENCE").read_text(encoding="utf-8")
    assert card.licence.split("-")[0] in licence
    assert "https://" in licence
    assert set(card.title) == set(card.about) == {"en", "zh"}
    assert any("\u4e00" <= character <= "\u9fff" for character in card.about["zh"])
    make(card.tokenizer)


def test_together_they_stay_below_5_megabytes():
    assert sum(sample_card(name).bytes for name in sample_names()) < 5_000_000


@pytest.mark.parametrize(
    ("name", "rows", "labels", "language"),
    [
        ("snips", (13_075, 700, 700), 7, "en"),
        ("poetry", (12_000, 1_600, 1_600), 4, "zh"),
        ("names", (16_040, 2_005, 2_005), 18, "en"),
    ],
)
def test_a_sample_is_a_data_set(name, rows, labels, language):
    data, card = read(f"sample:{name}"), sample_card(name)
    assert tuple(len(part) for _, part in data.parts()) == rows
    assert len(data.labels) == labels
    assert data.labels == list(card.labels)
    assert data.tokenizer == card.tokenizer
    assert data.reading.rejected == 0
    assert data.reading.rows_in == sum(rows) == sum(card.sizes.values())
    assert data.languages[language] > 0.99
    assert data.source == f"sample:{name}"
    assert read(f"sample:{name}").digest == data.digest


def test_the_test_part_of_a_sample_never_changes():
    data = read("sample:snips")
    assert data.split(seed=5).test.inputs == data.test.inputs
    assert data.digest == "4d305edd9468fa2591000c9a9db8cb902bd22836f0ab6dbcbcf90dad8d6f7610"
    assert read("sample:poetry").digest == "5aa815be97960f675291d59a28a89f13aa8eadb08375eafb195243342a7e3bd9"
    assert read("sample:names").digest == "dda5a2fbb60407738d54c876ec698ceadbc931d4aebd33890e6b7c9131d8fe3b"


def test_slots_of_snips():
    card = sample_card("snips")
    for part in ("train", "dev", "test"):
        items = list(sentences(texts(lines(blocks(card.folder / f"{part}.conll.gz")), "utf-8")))
        assert all(isinstance(item, Row) for item in items)
        assert abs(len(items) - card.sizes[part]) <= 1
        tags = {tag[2:] for item in items for tag in item.values[1] if tag != "O"}
        assert len(tags) == 39


def test_tang_poems():
    folder = sample_card("poetry").folder
    poems = []
    for part in ("train", "dev", "test"):
        poems += gzip.decompress((folder / f"tang.{part}.txt.gz").read_bytes()).decode().splitlines()
    assert len(poems) == len(set(poems)) == 36_816
    assert all(len(poem) > 10 for poem in poems)
