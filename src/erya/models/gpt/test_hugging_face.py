"""Folders of GPT-2: equal to ``transformers``, there and back, and the ones that are refused."""

from __future__ import annotations

import json
import shutil
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import erya
from erya.errors import ModelFileError, UsageError
from erya.generate import GPT
from erya.parts import foreign_tensors
from erya.tasks import generate

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


def change(path, **values):
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, **values}), encoding="utf-8")


def header_of(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


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


# ---- hostile and damaged ------------------------------------------------------------------------------------------


def entry(**values):
    def spoil(folder):
        header, body = header_of(folder / "model.safetensors")
        header["transformer.wpe.weight"].update(values)
        put(folder / "model.safetensors", header, body)

    return spoil


def config(**values):
    return lambda folder: change(folder / "config.json", **values)


def length(number):
    def spoil(folder):
        path = folder / "model.safetensors"
        path.write_bytes(struct.pack("<Q", number) + path.read_bytes()[8:])

    return spoil


def without(name):
    def spoil(folder):
        header, body = header_of(folder / "model.safetensors")
        start, end = header.pop(name)["data_offsets"]
        for other in header.values():
            if "data_offsets" in other and other["data_offsets"][0] >= end:
                other["data_offsets"] = [place - (end - start) for place in other["data_offsets"]]
        put(folder / "model.safetensors", header, body[:start] + body[end:])

    return spoil


def one_more(name, kind="F32", values=b"\0\0\0\0"):
    def spoil(folder):
        header, body = header_of(folder / "model.safetensors")
        size = len(values) // 4
        header[name] = {"dtype": kind, "shape": [size], "data_offsets": [len(body), len(body) + len(values)]}
        put(folder / "model.safetensors", header, body + values)

    return spoil


def numbers(values):
    def spoil(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[: -values.nbytes] + values.tobytes())

    return spoil


def other_head(folder):
    header, body = header_of(folder / "model.safetensors")
    table = np.ones((320, 32), dtype=np.float32).tobytes()
    place = [len(body), len(body) + len(table)]
    header["lm_head.weight"] = {"dtype": "F32", "shape": [320, 32], "data_offsets": place}
    put(folder / "model.safetensors", header, body + table)


def shard(name):
    def spoil(folder):
        (folder / "model.safetensors").rename(folder.parent / "stolen.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"wte.weight": name}}))

    return spoil


def written(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def removed(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def vocabulary(**values):
    return lambda folder: change(folder / "vocab.json", **values)


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


HUGE = 2**63
HOSTILE = {
    "an empty file of weights": (written("model.safetensors", b""), "length of its header"),
    "a header longer than the file": (length(1 << 40), "length of its header"),
    "a header of 2^64 bytes": (length(2**64 - 1), "length of its header"),
    "a header cut off": (length(40), "JSON"),
    "a shape of 2^63": (entry(shape=[HUGE, 32]), "shape makes no sense"),
    "a shape that overflows to fit": (entry(shape=[2**40, 2**40]), "does not fit its shape"),
    "a negative shape": (entry(shape=[-64, -32]), "shape makes no sense"),
    "an offset outside": (entry(data_offsets=[1 << 40, (1 << 40) + 8192]), "overlaps another, or leaves a gap"),
    "an overlap": (entry(data_offsets=[0, 8192]), "overlaps"),
    "offsets that go backwards": (entry(data_offsets=[8192, 0]), "does not fit its shape"),
    "an unknown type": (entry(dtype="F8_E4M3"), "type is unknown"),
    "integers as weights": (entry(dtype="I32"), "not floats"),
    "doubles in half the place": (entry(dtype="F64", shape=[32, 32]), r"config\.json asks for \(64, 32\)"),
    "another shape": (entry(shape=[32, 64]), r"config\.json asks for \(64, 32\)"),
    "bytes behind the end": (
        lambda folder: (folder / "model.safetensors").open("ab").write(b"more"),
        "its arrays need",
    ),
    "an array is missing": (without("transformer.h.1.mlp.c_fc.bias"), r"'h\.1\.mlp\.c_fc\.bias' is missing"),
    "an array of something else": (one_more("score.weight"), "none of GPT-2's"),
    "NaN": (numbers(np.array([np.nan], dtype=np.float32)), "NaN or infinity"),
    "a head of its own": (other_head, "lm_head"),
    "shards elsewhere": (shard("../stolen.safetensors"), "no file of this folder"),
    "shards at a root": (shard("/etc/stolen.safetensors"), "no file of this folder"),
    "shards in a folder": (shard("a/b.safetensors"), "no file of this folder"),
    "a shard that is not there": (shard("b.safetensors"), "No such file"),
    "weights that are code": (pickled, "may run code"),
    "no weights": (removed("model.safetensors"), "No such file"),
    "no tokenizer": (removed("vocab.json", "merges.txt"), "no tokenizer of GPT-2"),
    "another model": (config(model_type="llama"), "model_type llama"),
    "no model": (written("config.json", b"[1]"), "model_type None"),
    "a configuration cut off": (written("config.json", b'{"model_type": "gpt2", '), "JSON"),
    "a configuration of brackets": (written("config.json", b"[" * 100_000), "config.json cannot be used"),
    "2^63 layers": (config(n_layer=HUGE), "n_layer"),
    "a billion wide": (config(n_embd=10**9, n_head=1), "n_embd"),
    "zero wide": (config(n_embd=0), "n_embd"),
    "wide by a word": (config(n_embd="32"), "n_embd"),
    "deep by a truth": (config(n_layer=True), "n_layer"),
    "heads that do not divide": (config(n_head=5), "n_head"),
    "2^63 inside": (config(n_inner=HUGE), "n_inner"),
    "more rows than there are": (config(vocab_size=10**7), r"config\.json asks for \(10000000, 32\)"),
    "more layers than there are": (config(n_layer=3), r"'h\.2\.ln_1\.weight' is missing"),
    "fewer layers than there are": (config(n_layer=1), "none of GPT-2's"),
    "an epsilon below zero": (config(layer_norm_epsilon=-1.0), "layer_norm_epsilon"),
    "another bend": (config(activation_function="relu"), "activation_function"),
    "scaled by layer": (config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx"),
    "not scaled": (config(scale_attn_weights=False), "scale_attn_weights"),
    "reordered": (config(reorder_and_upcast_attn=True), "reorder_and_upcast_attn"),
    "crossed": (config(add_cross_attention=True), "add_cross_attention"),
    "code of its own": (config(auto_map={"AutoModel": "x.Y"}), "auto_map"),
    "quantized": (config(quantization_config={"bits": 4}), "quantization_config"),
    "a piece beyond the rows": (vocabulary(zz=HUGE), "320 vectors and a piece 9,223,372,036,854,775,808"),
    "two pieces of one number": (vocabulary(zz=5), "two pieces have one number"),
    "a piece below zero": (vocabulary(zz=-1), "table of pieces"),
    "no numbers": (written("vocab.json", b'{"a": "b"}'), "table of pieces"),
    "a byte that cannot be said": (written("vocab.json", b'{"a": 0, "<|endoftext|>": 1}'), "255 of the 256 bytes"),
    "a merge of three": (written("merges.txt", b"#version: 0.2\na b c\n"), "merge 1 is no pair"),
    "a merge of unknown pieces": (written("merges.txt", b"h e\nq q\n"), "not in the vocabulary"),
    "merges that are no text": (written("merges.txt", b"\xff\xfe"), "UTF-8"),
    "a blank before every text": (
        lambda folder: change(folder / "tokenizer_config.json", add_prefix_space=True),
        "add_prefix_space",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused(folder, name):
    spoil, reason = HOSTILE[name]
    spoil(folder)
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=reason) as caught:
            erya.load(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.exit == 4
    assert caught.value.where
    assert peak < 16 << 20
    assert time.monotonic() - began < 2
