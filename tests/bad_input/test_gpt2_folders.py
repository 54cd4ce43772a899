"""Hostile and damaged GPT-2 folders: one clear error each, in bounded time and memory, and nothing of them is used."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import erya as package
from erya.errors import ModelFileError
from tests.golden_gpt2.spoiling import change, header_of, put

GOLDEN = Path(__file__).parents[1] / "golden_gpt2"
FILES = ("config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer_config.json")


@pytest.fixture(scope="module", autouse=True)
def opened_before():
    """What must be imported takes its time once."""
    return package.load(GOLDEN)


@pytest.fixture
def folder(tmp_path):
    """A copy that a test may spoil."""
    for name in FILES:
        shutil.copy(GOLDEN / name, tmp_path / name)
    return tmp_path


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
    "a configuration of brackets": (written("config.json", b"[" * 100_000), "cannot be used: it is nested deeper"),
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
    "one merge again and again": (written("merges.txt", b"h e\n" * 400), "more merges than pieces"),
    "a million merges": (written("merges.txt", b"h e\n" * 1_000_000), "more than 500,000 merges"),
    "a vocabulary without end": (written("vocab.json", b"{" + b'"a":1,' * 2_000_000), "more than 2,000,000 values"),
    "a sparse file of 33 MB": (lambda folder: os.truncate(folder / "vocab.json", 33 << 20), "larger than 32 MB"),
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
            package.load(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.exit == 4
    assert caught.value.where
    assert peak < 32 << 20
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", ["a shape of 2^63"])
def test_the_command_line_says_so(erya, folder, name):
    HOSTILE[name][0](folder)
    ended = erya("convert", folder, "a.erya")
    assert ended.code == 4
    assert ended.first.startswith("error: ")
    assert str(folder.name) in ended.place
    assert not (erya.folder / "a.erya").exists()
