"""Artefact files: what is written comes back, and nothing else is ever accepted."""

import hashlib
import io
import itertools
import json
import mmap
import os
import random
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from erya import artefact, container, tensors
from erya.artefact import Content, load, save
from erya.errors import DivergedError, ModelFileError, UsageError
from erya.state import State, pack_strings, unpack_strings

MANIFEST, TOKENIZER, TRAINING, CARD, WEIGHTS = artefact.PARTS


def content(**changes):
    arrays = {
        "weights": np.arange(15.0).reshape(3, 5),
        "bias": np.array([-0.0, 1e-300, 7.5], dtype=np.float64),
        "ids": np.arange(7, dtype=np.int32),
        **pack_strings("vocabulary", ["a", "尔雅", "new\nline", "\ud800"]),
    }
    values = {
        "model": "classify/toy",
        "params": {"dim": 5, "tokenizer": "auto", "rates": [0.1, 0.5], "dropout": None},
        "state": State(arrays, {"classes": ["坏", "好"], "tokenizer": {"name": "words", "lower": True}}),
        "state_version": 3,
        "training": {"seed": 7, "curve": [{"epoch": 1, "loss": 0.5}]},
        "card": "# toy 玩具\n",
    }
    return Content(**{**values, **changes})


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "m.erya", content())


def refusal(path, data=None):
    """The error with which a file is refused; fails where it is accepted, slow or greedy."""
    if data is not None:
        path.write_bytes(data)
    size = path.stat().st_size
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(ModelFileError) as caught:
            load(path)
    finally:
        seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seconds < 2.0  # twice the promise: tracing doubles the time
    assert peak < 2 * size + (64 << 20)
    error = caught.value
    assert error.exit == 4
    assert error.code.startswith("model-")
    assert error.message
    assert error.where
    return error


# ---- what is written comes back -----------------------------------------------------------------------------------


def test_round_trip(path):
    wrote, read = content(), load(path)
    assert (read.model, read.params, read.state_version) == (wrote.model, wrote.params, wrote.state_version)
    assert (read.training, read.card, read.state.data) == (wrote.training, wrote.card, wrote.state.data)
    assert set(read.state.arrays) == set(wrote.state.arrays)
    for name, array in wrote.state.arrays.items():
        assert read.state.arrays[name].dtype == array.dtype
        assert read.state.arrays[name].tobytes() == array.tobytes()
    assert unpack_strings("vocabulary", read.state.arrays) == ["a", "尔雅", "new\nline", "\ud800"]


def test_save_does_not_change_the_content(tmp_path):
    given = content()
    save(tmp_path / "m.erya", given)
    assert given.state.data == content().state.data


@pytest.mark.parametrize("dtype", sorted(tensors._TYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 5), (7,), (3, 5, 7)])
def test_types_and_shapes(tmp_path, dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(tensors._TYPES[dtype])
    read = load(save(tmp_path / "m.erya", content(state=State({"x": array})))).state.arrays["x"]
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert np.array_equal(read, array)
    assert not read.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(15.0).reshape(3, 5)),
        np.arange(30.0).reshape(3, 10)[:, ::2],
        np.arange(15.0).reshape(3, 5).astype(">f8"),
        np.arange(15.0)[::-1],
    ],
    ids=["fortran", "strided", "big-endian", "backwards"],
)
def test_any_memory_layout(tmp_path, array):
    read = load(save(tmp_path / "m.erya", content(state=State({"x": array})))).state.arrays["x"]
    assert np.array_equal(read, array)


def test_no_tokenizer_no_part(tmp_path):
    read = load(save(tmp_path / "m.erya", content(state=State(data={"a": 1}))))
    assert read.state.data == {"a": 1}
    assert TOKENIZER not in zipfile.ZipFile(tmp_path / "m.erya").namelist()


def test_arrays_are_read_only_and_outlive_everything(path):
    weights = load(path).state.arrays["weights"]
    path.unlink()
    with pytest.raises(ValueError):
        weights[0, 0] = 1
    assert weights.sum() == 105


@pytest.mark.parametrize("mapped_from", [0, 1 << 40])
def test_read_and_mapped_alike(path, monkeypatch, mapped_from):
    monkeypatch.setattr(artefact, "_MAPPED_FROM", mapped_from)
    read = load(path)
    assert np.array_equal(read.state.arrays["weights"], content().state.arrays["weights"])
    assert all(array.ctypes.data % array.itemsize == 0 for array in read.state.arrays.values())
    if mapped_from:  # overwritten in place afterwards: what was verified stays
        path.write_bytes(bytes(path.stat().st_size))
        assert read.state.arrays["weights"].sum() == 105


def test_same_content_same_bytes(path, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("ERYA_LANG", "zh")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    turned = content()
    turned.state.arrays = dict(reversed(turned.state.arrays.items()))
    again = save("again.erya", turned)
    assert again.read_bytes() == path.read_bytes()


def test_it_is_an_ordinary_zip(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(artefact.PARTS)
        manifest = json.loads(archive.read(MANIFEST))
        for name, promise in manifest["parts"].items():
            data = archive.read(name)
            assert promise == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert manifest["format"] == 1
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        comment = archive.comment.decode()
    data = path.read_bytes()
    assert data.endswith(comment.encode())
    assert comment[-64:] == hashlib.sha256(data[:-64]).hexdigest()


def test_weights_are_safetensors_at_64_bytes(path):
    from safetensors.numpy import load as load_safetensors

    data = path.read_bytes()
    weights = zipfile.ZipFile(path).read(WEIGHTS)
    found = load_safetensors(weights)
    for name, array in content().state.arrays.items():
        assert np.array_equal(found[name], array)
    start = data.index(weights)
    assert start % 64 == 0
    assert (start + 8 + struct.unpack("<Q", weights[:8])[0]) % 64 == 0


def test_a_file_beyond_4_gib(tmp_path):
    """The frame around a part of 5 GiB, which is a hole in a sparse file."""
    size = 5 << 30
    names = [MANIFEST, WEIGHTS, "after.txt"]
    entries = [
        container.Entry(MANIFEST, 2, 0),
        container.Entry(WEIGHTS, size, 0),
        container.Entry("after.txt", 3, zlib.crc32(bytes(3))),
    ]
    headers, starts, directory = container.layout(entries)
    path = tmp_path / "large.erya"
    with path.open("wb") as file:
        for header, start, entry in zip(headers, starts, entries, strict=True):
            file.seek(start - len(header))
            file.write(header)
            file.seek(entry.size, os.SEEK_CUR)
        file.write(directory + b"0" * 64)
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == [
            (entry.name, entry.size) for entry in entries
        ]
        assert archive.open("after.txt").read() == bytes(3)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        view = memoryview(memory)
        parts = container.open_parts(view, names)
        assert [len(parts[name]) for name in names] == [2, size, 3]
        for part in parts.values():
            part.release()
        view.release()


def test_large_save_keeps_memory_low(tmp_path):
    big = np.ones((1 << 20, 8))  # 64 MiB
    tracemalloc.start()
    save(tmp_path / "m.erya", content(state=State({"x": big})))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert load(tmp_path / "m.erya").state.arrays["x"].sum() == big.size


# ---- what cannot be written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"state": State({"x": np.array([1.0, np.nan])})}, DivergedError),
        ({"state": State({"x": np.array([1.0, -np.inf], dtype=np.float32)})}, DivergedError),
        ({"state": State({"x": np.array(["a"])})}, UsageError),
        ({"state": State({"x": np.array([{}])})}, UsageError),
        ({"state": State({"x": np.zeros((1,) * 9)})}, UsageError),
        ({"state": State(data={"a": {1: 2}})}, UsageError),
        ({"state": State(data={"a": float("inf")})}, UsageError),
        ({"params": {"a": object()}}, UsageError),
        ({"params": {"a": b"bytes"}}, UsageError),
        ({"params": {"a": list(range(200_000))}}, UsageError),
        ({"card": "x" * (2 << 20)}, UsageError),
        ({"model": "../evil"}, UsageError),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, changes, kind):
    path = save(tmp_path / "m.erya", content())
    before = path.read_bytes()
    with pytest.raises(kind):
        save(path, content(**changes))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["m.erya"]


def test_nesting_without_end_is_not_written(tmp_path):
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(UsageError):
        save(tmp_path / "m.erya", content(params={"a": deep}))


def test_a_score_that_is_nan_does_not_lose_the_model(tmp_path):
    path = save(
        tmp_path / "m.erya", content(training={"curve": [{"loss": float("nan"), "score": (1.5, float("inf"))}]})
    )
    assert load(path).training == {"curve": [{"loss": None, "score": [1.5, None]}]}


# ---- damage -------------------------------------------------------------------------------------------------------


def change_byte(path, place, value):
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        file.write(bytes([value]))


def test_every_byte_changed(path):
    whole = path.read_bytes()
    named = set()
    for place in range(len(whole)):
        change_byte(path, place, whole[place] ^ 1 << place % 8)
        with pytest.raises(ModelFileError) as caught:
            load(path)
        change_byte(path, place, whole[place])
        assert caught.value.exit == 4
        named.update(part for part in artefact.PARTS if part in caught.value.message)
    assert named == set(artefact.PARTS)
    assert load(path).model == "classify/toy"  # every change was undone: none was refused for another's sake


def test_the_message_names_the_part(path, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    data = bytearray(path.read_bytes())
    data[data.index(zipfile.ZipFile(path).read(WEIGHTS)) + 400] ^= 4
    error = refusal(path, bytes(data))
    assert error.message == f"{path} is damaged: {WEIGHTS} does not match its SHA-256; nothing was loaded"
    assert WEIGHTS in error.where
    assert error.help
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert "已损坏" in refusal(path).message


def test_cut_at_every_length(path):
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(ModelFileError):
            load(path)


def test_ten_thousand_random_changes(path):
    whole, generator = path.read_bytes(), random.Random(0)
    for _ in range(10_000):
        data = bytearray(whole)
        for _ in range(generator.randint(1, 8)):
            data[generator.randrange(len(data))] ^= generator.randint(1, 255)
        if data != whole:
            with pytest.raises(container.Refused):
                artefact._content(memoryview(data), "model")


@pytest.mark.parametrize("extra", [b"\0", b"\n", b"x" * 76, b"x" * 5000])
def test_bytes_before_between_and_after(path, extra):
    whole = path.read_bytes()
    refusal(path, whole + extra)
    refusal(path, extra + whole)
    refusal(path, whole[:300] + extra + whole[300:])
    refusal(path, whole + whole)


def test_two_bytes_swapped_and_blocks_missing(path):
    whole = path.read_bytes()
    middle = len(whole) // 2
    for start, length in itertools.product(range(64, len(whole) - 600, 97), (1, 64, 512)):
        path.write_bytes(whole[:start] + whole[start + length :])
        with pytest.raises(ModelFileError):
            load(path)
    refusal(path, whole[middle:] + whole[:middle])


@pytest.mark.parametrize("data", [b"", b"P", b"PK\3\4", b"text,label\n" * 100, bytes(200), b"PK\5\6" + bytes(18)])
def test_other_files(tmp_path, data):
    refusal(tmp_path / "m.erya", data)


def test_missing_names_the_nearest(path):
    with pytest.raises(ModelFileError) as caught:
        load(path.with_name("n.erya"))
    assert caught.value.code == "model-missing"
    assert "m.erya" in caught.value.help


def test_folder_pipe_device(tmp_path):
    assert refusal(tmp_path).code == "model-unknown"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert refusal(tmp_path / "pipe").code == "model-unknown"
        with pytest.raises(ModelFileError):
            load("/dev/zero")


# ---- malice: the seal is right, the rest is not -------------------------------------------------------------------


def parts_of(given=None):
    return {name: b"".join(pieces) for name, pieces in artefact._parts(given or content(), "model")}


def forged(parts, manifest=None, *, fix=True):
    """A sealed file of these parts; the manifest's sizes and hashes are made to fit them."""
    parts = dict(parts)
    if fix:
        table = json.loads(parts[MANIFEST])
        rest = {name: data for name, data in parts.items() if name != MANIFEST}
        table["parts"] = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in rest.items()
        }
        parts = {MANIFEST: json.dumps({**table, **(manifest or {})}).encode(), **rest}
    stream = io.BytesIO()
    container.write(stream, [(name, [data]) for name, data in parts.items()])
    return stream.getvalue()


def resealed(data):
    """A zip that somebody else wrote, with a true seal."""
    return data + hashlib.sha256(data).hexdigest().encode()


def zipped(entries, **options):
    """What Python's own zipfile makes of ``[(ZipInfo or name, bytes)]``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data, **options)
        archive.comment = container.SEAL + b"0" * 64
    return resealed(stream.getvalue()[:-64])


def test_the_forger_can_write_a_good_file(path):
    """Otherwise the refusals below would prove nothing."""
    path.write_bytes(forged(parts_of()))
    assert load(path).model == "classify/toy"


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a\\..\\evil", "C:evil", "weights.safetensors2", "model.pkl", "MANIFEST.JSON", "."]
)
def test_names(path, name):
    error = refusal(path, forged({**parts_of(), name: b"evil"}))
    assert "no such part" in error.message or "不应有" in error.message
    assert [found.name for found in path.parent.iterdir()] == ["m.erya"]


def test_names_with_strange_bytes(path):
    refusal(path, zipped([*parts_of().items(), ("名字", b"")]))
    refusal(path, zipped([*parts_of().items(), ("x" * 60_000, b"")]))
    refusal(path, forged({**parts_of(), "": b""}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_of_other_makers(path):
    parts = list(parts_of().items())
    refusal(path, zipped(parts))  # same parts, other headers
    refusal(path, zipped([*parts, parts[-1]]))
    refusal(path, zipped([*parts, parts[0]]))
    refusal(path, zipped(parts, compress_type=zipfile.ZIP_DEFLATED))
    refusal(path, zipped([parts[0], *reversed(parts[1:])]))
    refusal(path, zipped(parts[1:]))
    refusal(path, zipped([]))
    refusal(path, zipped([(f"{number}", b"") for number in range(60_000)]))


def test_bomb(path):
    parts = parts_of()
    bomb = [(MANIFEST, parts[MANIFEST]), (WEIGHTS, bytes(200 << 20))]
    refusal(path, zipped(bomb, compress_type=zipfile.ZIP_DEFLATED, compresslevel=9))


def test_link(path):
    info = zipfile.ZipInfo(WEIGHTS)
    info.external_attr = 0o120777 << 16
    refusal(path, zipped([(MANIFEST, parts_of()[MANIFEST]), (info, b"/etc/passwd")]))


def test_order_doubles_and_missing_parts(path):
    parts = parts_of()
    backwards = {MANIFEST: parts[MANIFEST], **dict(reversed([item for item in parts.items() if item[0] != MANIFEST]))}
    refusal(path, forged(backwards))
    for name in (TRAINING, CARD, WEIGHTS):
        left = {key: data for key, data in parts.items() if key != name}
        assert name in refusal(path, forged(left)).message
    refusal(path, forged({MANIFEST: parts[MANIFEST]}, fix=False))
    stream = io.BytesIO()
    container.write(stream, [(name, [parts[name]]) for name in (MANIFEST, WEIGHTS, WEIGHTS)])
    refusal(path, stream.getvalue())


def test_any_byte_around_the_parts_under_a_new_seal(path):
    """Offsets, sizes, flags, padding, times, attributes: whatever is not the one form is refused."""
    whole = path.read_bytes()
    inside = set()
    for part in parts_of().values():
        start = whole.index(part)
        inside.update(range(start, start + len(part)))
    around = [place for place in range(len(whole) - 64) if place not in inside]
    assert len(around) > 400
    for place in around:
        data = bytearray(whole[:-64])
        data[place] ^= 1 << place % 8
        path.write_bytes(resealed(bytes(data)))
        with pytest.raises(ModelFileError):
            load(path)


def test_hidden_bytes_between_parts(path):
    data = path.read_bytes()
    directory = data.index(b"PK\1\2")
    refusal(path, resealed(data[:directory] + b"hidden" + data[directory:-64]))


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": 0},
        {"format": -1},
        {"format": True},
        {"format": "1"},
        {"format": 1.0},
        {"format": None},
        {"kind": "pickle"},
        {"kind": 1},
        {"model": "../../evil"},
        {"model": "os.system"},
        {"model": "classify/toy\n"},
        {"model": ""},
        {"params": []},
        {"params": None},
        {"state_version": 0},
        {"state_version": 2**63},
        {"state_version": True},
        {"state": []},
        {"state": {"tokenizer": {}}},
        {"erya": 1},
        {"erya": "x" * 1000},
        {"more": 1},
        {"parts": {}},
        {"parts": []},
        {"parts": {WEIGHTS: {"size": 2**63, "sha256": "0" * 64}}},
    ],
    ids=str,
)
def test_manifests(path, manifest):
    assert refusal(path, forged(parts_of(), manifest)).code != "model-newer"


@pytest.mark.parametrize("name", [TOKENIZER, TRAINING, CARD, WEIGHTS])
def test_a_part_that_is_not_the_promised_one(path, name):
    parts = parts_of()
    parts[name] = parts[name][:-1] + bytes([parts[name][-1] ^ 1])
    error = refusal(path, forged(parts, fix=False))
    assert f"{name} " in error.message
    assert "SHA-256" in error.message


def deep(opening, closing, levels):
    return opening * levels + b"1" + closing * levels


@pytest.mark.parametrize("part", [MANIFEST, TOKENIZER, TRAINING])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1} x',
        b"\xef\xbb\xbf{}",
        deep(b'{"a":', b"}", 65),
        deep(b"[", b"]", 100_000),
        b"[" * 1_000_000,
        b"[" + b"[],\n" * 400_000 + b"1]",
        b"{" + b",".join(b'"%x":1' % number for number in range(300_000)) + b"}",
        b'{"a":"' + b"x" * (20 << 20) + b'"}',
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_json(path, part, data):
    assert part in refusal(path, forged({**parts_of(), part: data}, fix=part != MANIFEST)).where


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"x"'])
def test_training_and_manifest_are_objects(path, data):
    refusal(path, forged({**parts_of(), TRAINING: data}))
    refusal(path, forged({**parts_of(), MANIFEST: data}, fix=False))


def test_card(path):
    refusal(path, forged({**parts_of(), CARD: b"\xff"}))
    refusal(path, forged({**parts_of(), CARD: b"x" * (2 << 20)}))


def weights(header, body=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(dtype="F64", shape=(2,), offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


GOOD = struct.pack("<2d", 1.0, 2.0)
HUGE = 2**62


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**63),
        weights({"x": entry()}, GOOD, length=2**40),
        weights({"x": entry()}, GOOD, length=8),
        weights({"x": entry()}, GOOD, length=0),
        weights({"x": entry()}, GOOD + b"\0" * 8),
        weights({"x": entry()}, GOOD[:-1]),
        weights({"x": entry()}, b""),
        weights({}, GOOD),
        weights([], b""),
        weights(b"{", b""),
        weights({"x": entry(), "y": entry()}, GOOD),  # overlap
        weights({"x": entry(shape=(1,), offsets=(0, 8)), "y": entry(shape=(1,), offsets=(4, 12))}, GOOD),
        weights({"x": entry(offsets=(16, 32))}, GOOD + GOOD),  # gap
        weights({"x": entry(offsets=(16, 0))}, GOOD),
        weights({"x": entry(offsets=(-16, 0))}, GOOD),
        weights({"x": entry(offsets=(0, HUGE))}, GOOD),
        weights({"x": entry(offsets=(0,))}, GOOD),
        weights({"x": entry(shape=(HUGE,))}, GOOD),
        weights({"x": entry(shape=(HUGE, 4))}, GOOD),  # 2**64 wraps to 0
        weights({"x": entry(shape=(2**32, 2**32), offsets=(0, 0))}, b""),
        weights({"x": entry(shape=(0, 2**40), offsets=(0, 0))}, b""),
        weights({"x": entry(shape=(0, HUGE), offsets=(0, 0))}, b""),
        weights({"x": entry(shape=(-1, -2))}, GOOD),
        weights({"x": entry(shape=(2.0,))}, GOOD),
        weights({"x": entry(shape=(True, 2))}, GOOD),
        weights({"x": entry(shape=(1,) * 9 + (2,))}, GOOD),
        weights({"x": entry(shape=(1,) * 150_000)}, GOOD),
        weights({"x": {"dtype": "F64", "shape": 2, "data_offsets": [0, 16]}}, GOOD),
        weights({"x": {"dtype": "F64", "shape": [2]}}, GOOD),
        weights({"x": {**entry(), "more": 1}}, GOOD),
        weights({"x": entry(dtype="O")}, GOOD),
        weights({"x": entry(dtype="F128")}, GOOD),
        weights({"x": entry(dtype=["F64"])}, GOOD),
        weights({"x": [1]}, GOOD),
        weights({"__metadata__": {"a": "b"}, "x": entry()}, GOOD),
        weights(b'{"x":' + json.dumps(entry()).encode() + b',"x":' + json.dumps(entry()).encode() + b"}", GOOD),
        weights({"b": entry("U8", (1,), (0, 1)), "x": entry(offsets=(1, 17))}, b"\0" + GOOD),  # not aligned
        weights({"x": entry("BOOL", (2,), (0, 2))}, b"\1\2"),
        weights({"x": entry()}, struct.pack("<2d", 1.0, float("nan"))),
        weights({"x": entry()}, struct.pack("<2d", 1.0, float("-inf"))),
        weights({"x": entry("F32", (4,))}, struct.pack("<4f", 1, 2, 3, float("inf"))),
        weights({"x": entry("F16", (8,))}, struct.pack("<8e", *[1.0] * 7, float("nan"))),
        weights({f"{number}": entry(shape=(0,), offsets=(0, 0)) for number in range(11_000)}, b""),
        weights(b"{" + b'"x":[' * 1000, b""),
        weights(b"[" * 3_000_000, b""),
    ],
    ids=lambda data: f"{len(data)}:{data[8:40].decode('latin-1')}",
)
def test_weights(path, data):
    assert WEIGHTS in refusal(path, forged({**parts_of(), WEIGHTS: data})).where


def test_weights_forger_can_write_good_ones(path):
    path.write_bytes(forged({**parts_of(), WEIGHTS: weights({"x": entry()}, GOOD)}))
    assert load(path).state.arrays["x"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", artefact.PARTS)
def test_fuzzed_parts_under_a_true_seal(name):
    """Whatever stands in a part, it is accepted or refused; no other error comes out."""
    generator, parts = random.Random(1), parts_of()
    accepted = refused = 0
    for _ in range(3000):
        data = bytearray(parts[name])
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(data))
            data[place : place + generator.choice([0, 1, 1, 5])] = generator.choice(FRAGMENTS)
        try:
            read = artefact._content(memoryview(forged({**parts, name: bytes(data)}, fix=name != MANIFEST)), "model")
        except container.Refused:
            refused += 1
        else:
            accepted += 1
            assert all(np.isfinite(array).all() for array in read.state.arrays.values())
    assert refused > (0 if name == CARD else 1000)
    assert accepted or name == MANIFEST


FRAGMENTS = [b"", b"0", b"9", b"-", b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b"\xff", b"\0", b"null", b"1e999", b"NaN"]  # fmt: skip


def test_text_of_a_file_cannot_paint_the_terminal(path):
    error = refusal(path, forged({**parts_of(), WEIGHTS: weights({"\x1b[31m\u202e": entry("O")}, GOOD)}))
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)


# ---- other kinds and formats --------------------------------------------------------------------------------------


def test_newer_format(path, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    error = refusal(path, forged(parts_of(), {"format": 2, "erya": "9.9.9", "surprise": True}))
    assert error.code == "model-newer"
    assert "9.9.9" in error.message
    assert error.help == "pip install --upgrade erya"
    later = zipped([(MANIFEST, b'{"format": 3}'), ("something/new.bin", b"1")])  # not even the form is known
    assert refusal(path, later).code == "model-newer"


def test_checkpoints_are_no_models(path):
    save(path, content(), kind="checkpoint")
    assert load(path, kind="checkpoint").model == "classify/toy"
    assert "erya resume" in refusal(path).help
    save(path, content())
    with pytest.raises(ModelFileError):
        load(path, kind="checkpoint")
