"""Folders of GPT-2: equal to ``transformers``, there and back. Hostile ones: ``tests/bad_input/test_gpt2_folders.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import erya
from erya.errors import UsageError
from erya.generate import GPT
from erya.parts import foreign_tensors
from erya.tasks import generate
from tests.golden_gpt2.spoiling import change, header_of, put

GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden_gpt2"
FILES = ("config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer_config.json")
ANSWERS = json.loads((GOLDEN / "answers.json").read_text(encoding="utf-8"))
NUMBERS = json.loads((GOLDEN / "vocab.json").read_text(encoding="utf-8"))
SMALL = {"dim": 12, "layers": 2, "heads": 2, "context": 16, "epochs": 2, "patience": None, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def opened():
    return GPT.from_folder(GOLDEN)


@pytest.fixture
def folder(tmp_path):
    """A copy that a test may spoil."""
    for name in FILES:
        shutil.copy(GOLDEN / name, tmp_path / name)
    return tmp_path


def logits(model, ids):
    with torch.no_grad():
        return model.network_.logits(model.network_(torch.tensor([[0, *ids]])))[0].numpy()


# ---- the same answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ANSWERS["texts"])
def test_pieces_and_logits_are_those_of_transformers(opened, name):
    text, wanted = ANSWERS["texts"][name], foreign_tensors.opened(GOLDEN / "logits.safetensors").read(name)
    ids = opened.vocabulary_.encode(text, opened.units_).tolist()
    assert [NUMBERS[opened.vocabulary_.units[number]] for number in ids] == ANSWERS["ids"][name]
    assert opened.units_.glue(opened.vocabulary_.words(ids)) == text
    theirs = ["<|endoftext|>" if place == 0 else unit for place, unit in enumerate(opened.vocabulary_.units)]
    columns = [NUMBERS[unit] for place, unit in enumerate(theirs) if place != 1]
    found = np.delete(logits(opened, ids)[-len(wanted) :], 1, axis=1)
    np.testing.assert_allclose(found, wanted[:, columns], rtol=0, atol=1e-5)
    assert np.abs(wanted).max() > 1


def test_a_text_costs_what_it_costs_there(opened):
    """The unknown unit, which a GPT-2 lacks, takes no share of the softmax; neither where it is asked step by step."""
    text = ANSWERS["texts"]["english"]
    wanted = foreign_tensors.opened(GOLDEN / "logits.safetensors").read("english")[-1].astype(np.float64)
    end = (np.log(np.exp(wanted).sum()) - wanted[NUMBERS["<|endoftext|>"]]) / np.log(2)
    assert opened.surprisals([text])[0].bits[-1] == pytest.approx(end, abs=1e-4)
    assert opened.trace(text).arrays["bits"][-1] == pytest.approx(end, abs=1e-4)
    assert dict(opened.next_units(text, 400))[""] == pytest.approx(2**-end, rel=1e-4)
    assert opened.network_.closed


@pytest.mark.parametrize("text", [text for text, _ in ANSWERS["more"]])
def test_strange_texts_are_cut_as_there(opened, text):
    assert [NUMBERS[unit] for unit in opened.units_.cut(text)] == dict(ANSWERS["more"])[text]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_is_lost(opened, text):
    assert opened.units_.glue(opened.units_.cut(text)) == text
    assert 1 not in opened.vocabulary_.encode(text, opened.units_)


def test_there_and_back(opened, tmp_path):
    assert len(opened.to_folder(tmp_path / "out")) == 1
    again = erya.load(tmp_path / "out")
    assert again.fingerprint() == opened.fingerprint()
    assert erya.load(again.save(tmp_path / "m.erya")).fingerprint() == opened.fingerprint()
    again.to_folder(tmp_path / "out")  # over itself
    with pytest.raises(UsageError, match="has not been fitted"):
        GPT().to_folder(tmp_path / "new")


def test_other_ways_to_write_the_same_folder(opened, folder):
    """Two files of weights, names without a prefix, a head of its own that is the same, old masks, one file of the tokenizer."""
    header, body = header_of(folder / "model.safetensors")
    header.pop("__metadata__")
    short = {name.removeprefix("transformer."): entry for name, entry in header.items()}
    places = {}
    for number in range(2):
        chosen, parts, position = {}, [], 0
        for name, entry in reversed(short.items()):
            if name.startswith("h.0") == (number == 0):
                part = body[slice(*entry["data_offsets"])]
                chosen[name] = {**entry, "data_offsets": [position, position + len(part)]}
                parts.append(part)
                position += len(part)
        if number:
            table = body[slice(*short["wte.weight"]["data_offsets"])]
            chosen["lm_head.weight"] = {
                "dtype": "F32",
                "shape": [320, 32],
                "data_offsets": [position, position + len(table)],
            }
            position += len(table)
            chosen["h.0.attn.bias"] = {"dtype": "U8", "shape": [1, 4], "data_offsets": [position, position + 4]}
            parts += [table, b"\1\0\1\1"]
        put(folder / f"part-{number}.safetensors", chosen, b"".join(parts))
        places |= dict.fromkeys(chosen, f"part-{number}.safetensors")
    for name in ("model.safetensors", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    shutil.copy(GOLDEN / "tokenizer.json", folder)
    assert GPT.from_folder(folder).fingerprint() == opened.fingerprint()


@pytest.mark.parametrize("kind", ["BF16", "F16"])
def test_half_precision_is_widened(opened, folder, kind):
    header, body = header_of(folder / "model.safetensors")
    parts, position = [], 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        values = np.frombuffer(body[slice(*entry["data_offsets"])], dtype=np.float32)
        half = values.astype(np.float16) if kind == "F16" else (values.view(np.uint32) >> 16).astype(np.uint16)
        parts.append(half.tobytes())
        header[name] = {**entry, "dtype": kind, "data_offsets": [position, position + half.nbytes]}
        position += half.nbytes
    put(folder / "model.safetensors", header, b"".join(parts))
    found = GPT.from_folder(folder)
    for name, array in found.state().arrays.items():
        if name.startswith("network."):
            assert array.dtype == np.float32
            np.testing.assert_allclose(array, opened.state().arrays[name], rtol=2**-7, atol=1e-6)


def test_rows_without_a_piece_keep_their_share(opened, folder):
    """A table that was made longer than the vocabulary, for the sake of a processor."""
    header, body = header_of(folder / "model.safetensors")
    last = header["transformer.wte.weight"]
    assert last["data_offsets"][1] == len(body)
    last["shape"][0] += 3
    last["data_offsets"][1] += 3 * 128
    put(folder / "model.safetensors", header, body + np.full(96, 0.25, dtype=np.float32).tobytes())
    change(folder / "config.json", vocab_size=323)
    longer = GPT.from_folder(folder)
    ids = opened.vocabulary_.encode("the cat", opened.units_).tolist()
    found = logits(longer, ids)
    np.testing.assert_allclose(found[:, :321], logits(opened, ids), atol=1e-5)
    assert longer.units_.glue(longer.vocabulary_.units[321:]) == ""
    assert (found[:, 321:] > -100).all()
    longer.to_folder(folder / "out")
    assert GPT.from_folder(folder / "out").fingerprint() == longer.fingerprint()


# ---- our own models there -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["characters", "bpe"])
def test_a_model_of_ours_there(tmp_path, tokenizer):
    """The logits of all units are the same; pieces that were never seen take nearly nothing away."""
    texts = [*generate.toy(seed=1, rows=120), "春眠不觉晓，é🦄 " * 3]
    model = GPT(tokenizer=tokenizer, **{**SMALL, "epochs": 6, "batch_size": 8}).fit(texts)
    lost = model.to_folder(tmp_path / "out")
    assert "never seen" in lost[1]
    there = GPT.from_folder(tmp_path / "out")
    for text in ("the cat", "眠é🦄") if tokenizer == "characters" else ("the cat",):
        ids = model.vocabulary_.encode(text, model.units_).tolist()
        theirs = there.vocabulary_.encode(text, there.units_).tolist()
        assert theirs == ids
        assert 1 not in ids
        ours, found = logits(model, ids), logits(there, theirs)
        np.testing.assert_allclose(
            np.delete(found[:, : ours.shape[1]], 1, axis=1), np.delete(ours, 1, axis=1), atol=1e-5
        )
    before, after = -model.score(texts[:30]), -there.score(texts[:30])
    assert after == pytest.approx(before, rel=0.03)
    assert there.surprisals(["Ω"])[0].bits.min() > 0


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"tokenizer": "words"}, "other-units"), ({"tokenizer": "bpe", "min_count": 2}, "unknown-units")],
)
def test_units_that_a_folder_cannot_hold(tmp_path, changed, code):
    model = GPT(**{**SMALL, "epochs": 1, **changed}).fit([*generate.toy(seed=1, rows=20), "zebra 🦄"])
    with pytest.raises(UsageError) as caught:
        model.to_folder(tmp_path / "out")
    assert caught.value.code == code
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(opened, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"letters\.txt"):
        opened.to_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_transformers_opens_what_is_written(opened, tmp_path):
    transformers = pytest.importorskip("transformers")
    opened.to_folder(tmp_path / "out")
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    text = ANSWERS["texts"]["spaces"]
    theirs = tokenizer(text)["input_ids"]
    ids = opened.vocabulary_.encode(text, opened.units_).tolist()
    assert [number + 2 for number in theirs] == ids
    with torch.no_grad():
        wanted = model(torch.tensor([[tokenizer.eos_token_id, *theirs]])).logits[0].numpy()
    np.testing.assert_allclose(logits(opened, ids)[:, 2:], wanted[:, :-1], atol=1e-5)
