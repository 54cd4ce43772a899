"""Models of the original program, ``.bin`` and ``.ftz``: read with every size checked before it is used, written whole or not at all.

    int32 793712314, 12 · int32 × 12 and float64: the settings · int32 size, words, labels, int64 tokens, cut buckets (−1: none)
    size × (bytes, NUL, int64 count, int8 kind) · cut × (int32 bucket, int32 row) · bool, matrix: input · bool, matrix: output
    dense matrix:      int64 rows, columns · float32
    quantized matrix:  bool lengths apart · int64 rows, columns · int32, uint8 codes · quantizer · (uint8 codes · quantizer)
    quantizer:         int32 width, parts, width of a part, of the last · float32 (width · 256)

All little-endian. Large matrices stay in the file: they are mapped, and pages come when rows are asked for. A file is refused that
is cut off, has bytes left over, or says what cannot be: negative or contradicting sizes, names without end or twice,
kinds and losses that do not exist, numbers that are not finite. The original trusts all of these, and crashes at predict.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.errors import ModelFileError, UsageError, quoted, typed
from erya.language import say
from erya.models.fasttext import line_kernels as kernels
from erya.models.fasttext.arguments import LOSSES, MODELS, Arguments
from erya.models.fasttext.dictionary import Dictionary
from erya.models.fasttext.line_kernels import PAD
from erya.models.fasttext.mapped_rows import let_go
from erya.models.fasttext.original import Original
from erya.models.fasttext.product_quantizer import CENTROIDS, ProductQuantizer
from erya.models.fasttext.quantized import Quantized
from erya.text.files import unreadable

MAGIC, VERSION, OLD_VERSION = 793712314, 12, 11
SETTINGS = struct.Struct("<12id")
SIZES = struct.Struct("<3i2q")
MOST_NGRAMS = 1000  # words or characters of an n-gram; more would be no n-gram but a trap
MOST_COUNT = 10**15  # the weight of an unfinished node in the original's tree
SMALL = 64 << 20  # bytes; a dense matrix up to this size is copied out of the file
BLOCK = 1 << 20  # bytes checked at once, while they are in the cache

Floats = NDArray[np.float32]
Matrix = Floats | Quantized


class Entries(NamedTuple):
    """The names of a dictionary as they lie in a file."""

    arena: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    counts: NDArray[np.int64]


# ---- reading -----------------------------------------------------------------------------------------------------


def read(path: Path | str) -> Original:
    """The model in a file.

    Raises:
        ModelFileError: the file is damaged, no model of the original, or from a newer program.
        DataError: it cannot be opened.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _Reader(path, file).model()
    except OSError as error:
        raise unreadable(path, error) from error


class _Reader:
    """A file, and how far it is read."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file, self.at = path, file, 0
        self.size = path.stat().st_size
        self.map: mmap.mmap | None = None

    def refuse(self, en: str, zh: str, at: int | None = None) -> NoReturn:
        """Raise what is wrong, and where."""
        place = self.at if at is None else at
        raise ModelFileError(
            "model-damaged",
            say(f"{quoted(self.path.name)} is damaged: {en}", f"{quoted(self.path.name)} 已损坏：{zh}"),
            where=say(f"{quoted(self.path)}, byte {place}", f"{quoted(self.path)}，第 {place} 字节"),
            help=say(
                f"get or write the file again; how long it is: ls -l {typed(self.path)}",
                f"请重新获取或写出该文件；查看其大小：ls -l {typed(self.path)}",
            ),
        )

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.need(size)
        data = self.file.read(size)
        if len(data) != size:
            self.refuse("the file ends too early", "文件提前结束")
        self.at += size
        return data

    def need(self, size: int) -> None:
        """Refuse the file where so many bytes are not left."""
        if size < 0 or size > self.size - self.at:
            left = self.size - self.at
            self.refuse(f"{size} bytes are announced, {left} are left", f"文件声明有 {size} 字节，只剩 {left} 字节")

    def flag(self) -> bool:
        """The next byte, which is 0 or 1."""
        value = self.take(1)[0]
        if value > 1:
            self.refuse(f"a flag is {value}, neither 0 nor 1", f"标志位为 {value}，既非 0 也非 1", self.at - 1)
        return bool(value)

    # ---- parts ----------------------------------------------------------------------------------------------------

    def model(self) -> Original:
        """The whole file."""
        version = self.version()
        arguments = self.arguments(version)
        dictionary = self.dictionary(arguments)
        quantized = self.flag()
        if dictionary.prune_pairs is not None and not quantized:
            self.refuse("buckets were cut, and yet the input is not quantized", "桶已被裁剪，但输入矩阵未量化")
        input = self.matrix(quantized, arguments.dim)
        if not self.fits(arguments, dictionary, len(input)):
            self.refuse(
                f"{len(input)} input rows for {dictionary.size} words and {dictionary.rows - dictionary.size} buckets",
                f"输入矩阵有 {len(input)} 行，而词有 {dictionary.size} 个、桶有 {dictionary.rows - dictionary.size} 个",
            )
        quantized_output = self.flag()
        output = self.matrix(quantized and quantized_output, arguments.dim)
        targets = len(dictionary.target_counts)
        if len(output) != targets:
            self.refuse(
                f"{len(output)} output rows for {targets} targets",
                f"输出矩阵有 {len(output)} 行，而目标有 {targets} 个",
            )
        if self.at != self.size:
            left = self.size - self.at
            self.refuse(f"{left} bytes are left over", f"末尾多出 {left} 字节")
        return Original(arguments, dictionary, input, output)

    def version(self) -> int:
        """What the file is."""
        if self.size < 8:
            self.refuse("no model of fastText: too short", "不是 fastText 模型：文件太短")
        magic, version = struct.unpack("<2i", self.take(8))
        if magic != MAGIC:
            self.refuse("no model of fastText: it begins otherwise", "不是 fastText 模型：开头字节不符", 0)
        if version not in (OLD_VERSION, VERSION):
            self.refuse(
                f"version {version} of the format; {OLD_VERSION} and {VERSION} are known",
                f"格式版本为 {version}；只认识 {OLD_VERSION} 和 {VERSION}",
                4,
            )
        return int(version)

    def arguments(self, version: int) -> Arguments:
        """The settings."""
        begin = self.at
        *whole, sample = SETTINGS.unpack(self.take(SETTINGS.size))
        dim, window, epochs, min_count, negative, word_ngrams, loss, model, buckets, min_n, max_n, rate = whole
        if not (1 <= loss <= len(LOSSES) and 1 <= model <= len(MODELS)):
            self.refuse(f"there is no loss {loss} or no model {model}", f"不存在损失函数 {loss} 或模型 {model}", begin)
        limits = {
            "dim": (dim, 1, self.size // 4),
            "wordNgrams": (word_ngrams, 0, MOST_NGRAMS),
            "minn": (min_n, 0, MOST_NGRAMS),
            "maxn": (max_n, 0, MOST_NGRAMS),
            "bucket": (buckets, 0, 2**31 - 1),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                self.refuse(
                    f"{name} is {value}, not {least} to {most}",
                    f"{name} 为 {value}，不在 {least} 到 {most} 之间",
                    begin,
                )
        for name, value in {
            "ws": window,
            "epoch": epochs,
            "minCount": min_count,
            "neg": negative,
            "lrUpdateRate": rate,
        }.items():
            if value < 0:
                self.refuse(f"{name} is {value}, below 0", f"{name} 为 {value}，小于 0", begin)
        if not (math.isfinite(sample) and sample >= 0):
            self.refuse(f"t is {sample}", f"t 为 {sample}", begin)
        if version == OLD_VERSION and MODELS[model - 1] == "supervised":
            max_n = 0  # classifiers of that version used no character n-grams, whatever they say
        return Arguments(
            dim,
            window,
            epochs,
            min_count,
            negative,
            word_ngrams,
            LOSSES[loss - 1],
            MODELS[model - 1],
            buckets,
            min_n,
            max_n,
            rate,
            sample,
        )

    def dictionary(self, arguments: Arguments) -> Dictionary:
        """Words, labels and cut buckets."""
        begin = self.at
        size, words, labels, tokens, cut = SIZES.unpack(self.take(SIZES.size))
        if min(size, words, labels, tokens) < 0 or words + labels != size or cut < -1:
            self.refuse(
                f"{words} words and {labels} labels of {size} names, {tokens} tokens, {cut} kept buckets",
                f"名称 {size} 个，其中词 {words} 个、标签 {labels} 个；词次 {tokens}，保留的桶 {cut} 个",
                begin,
            )
        self.need(11 * size + 8 * max(0, cut))  # a letter, NUL, count and kind are the least that a name takes
        entries = self.entries(size, words)
        prune = None if cut < 0 else self.pruned(cut, arguments.buckets)
        try:
            return Dictionary(*entries, words, arguments, tokens=tokens, prune=prune)
        except ValueError as error:
            self.refuse(f"in the dictionary {error}", f"词典有误：{error}", begin)

    def entries(self, size: int, words: int) -> Entries:
        """The names, found in the file's own bytes."""
        begin, state = self.at, np.zeros(3, dtype=np.int64)
        starts, lengths = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int32)
        counts = np.zeros(size, dtype=np.int64)
        arena = np.zeros(0, dtype=np.uint8)
        room = min(self.size - begin, 32 * size + 4096)
        while True:  # how long the names are is only known at their end
            self.file.seek(begin)
            arena = np.frombuffer(self.file.read(room) + bytes(PAD), dtype=np.uint8)
            kernels.entries(arena, len(arena) - PAD, words, starts, lengths, counts, state)
            if state[0] == size or state[2] != kernels.SHORT or room == self.size - begin:
                break
            room = min(self.size - begin, 4 * room)
        name, at, problem = state.tolist()
        if name < size:
            said = {
                kernels.SHORT: ("has no end", "没有结尾"),
                kernels.EMPTY: ("is empty", "为空"),
                kernels.KIND: ("is of no kind, or of the wrong one", "类别不存在或不正确"),
                kernels.COUNT: ("has an absurd count", "计数不合理"),
            }[problem]
            self.refuse(
                f"name {name + 1} of {size} {said[0]}", f"第 {name + 1} 个名称（共 {size} 个）{said[1]}", begin + at
            )
        self.at = begin + at
        self.file.seek(self.at)
        return Entries(np.concatenate([arena[:at], np.zeros(PAD, dtype=np.uint8)]), starts, lengths, counts)

    def pruned(self, cut: int, buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The kept buckets and their rows."""
        pairs = np.frombuffer(self.take(8 * cut), dtype="<i4").reshape(-1, 2).astype(np.int64)
        if len(pairs) and not (
            pairs.min() >= 0 and pairs[:, 0].max() < buckets and np.array_equal(np.sort(pairs[:, 1]), np.arange(cut))
        ):
            self.refuse("kept buckets are not numbered one by one", "保留的桶编号不连续")
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def fits(self, arguments: Arguments, dictionary: Dictionary, rows: int) -> bool:
        """Whether every row that a text can ask for is there, and no more."""
        return rows == dictionary.rows or (rows == dictionary.size and not arguments.has_ngrams)

    # ---- matrices -------------------------------------------------------------------------------------------------

    def matrix(self, quantized: bool, dim: int) -> Matrix:
        """The next matrix."""
        return self.quantized(dim) if quantized else self.dense(dim)

    def shape(self, dim: int) -> int:
        begin = self.at
        rows, columns = struct.unpack("<2q", self.take(16))
        if rows < 0 or columns != dim:
            self.refuse(
                f"a matrix of {rows} × {columns}, dim is {dim}", f"矩阵为 {rows} × {columns}，而 dim 为 {dim}", begin
            )
        return int(rows)

    def dense(self, dim: int) -> Floats:
        rows = self.shape(dim)
        size = 4 * rows * dim
        self.need(size)
        if size <= SMALL:
            found = np.frombuffer(bytearray(self.take(size)), dtype="<f4").reshape(rows, dim)
            if not np.isfinite(found).all():
                self.refuse("a matrix holds numbers that are not finite", "矩阵含有非有限数")
            return found
        begin = self.at
        block = np.empty(BLOCK // 4, dtype="<u4")
        view = memoryview(block.data).cast("B")
        for first in range(0, size, BLOCK):  # read, not mapped: the pages are not to count as this process's memory
            some = min(BLOCK, size - first)
            if self.file.readinto(view[:some]) != some:  # type: ignore[attr-defined]
                self.refuse("the file ends too early", "文件提前结束")
            if not kernels.all_finite(block, some // 4):
                self.refuse("a matrix holds numbers that are not finite", "矩阵含有非有限数", begin + first)
        self.at = begin + size
        if self.map is None:
            self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)  # changes stay in memory
        return np.frombuffer(self.map, dtype="<f4", count=rows * dim, offset=begin).reshape(rows, dim)

    def quantized(self, dim: int) -> Quantized:
        lengths = self.flag()
        rows = self.shape(dim)
        (size,) = struct.unpack("<i", self.take(4))
        begin = self.at
        self.need(max(size, 0))
        codes = np.frombuffer(self.take(max(size, 0)), dtype=np.uint8)
        quantizer = self.quantizer(dim)
        if size != rows * quantizer.parts:
            self.refuse(
                f"{size} codes for {rows} rows of {quantizer.parts} parts",
                f"编码有 {size} 个，而矩阵有 {rows} 行、每行 {quantizer.parts} 段",
                begin,
            )
        codes = codes.reshape(rows, quantizer.parts)
        if not lengths:
            return Quantized(codes, quantizer)
        norm_codes = np.frombuffer(self.take(rows), dtype=np.uint8)
        return Quantized(codes, quantizer, norm_codes, self.quantizer(1))

    def quantizer(self, dim: int) -> ProductQuantizer:
        begin = self.at
        width, parts, dsub, last = struct.unpack("<4i", self.take(16))
        if width != dim or not 1 <= dsub <= dim or parts != -(-dim // dsub) or last != dim - (parts - 1) * dsub:
            self.refuse(
                f"{parts} parts of {dsub} columns, the last of {last}, for vectors of {width}; dim is {dim}",
                f"{parts} 段，每段 {dsub} 列，末段 {last} 列，向量宽 {width}；而 dim 为 {dim}",
                begin,
            )
        centroids = np.frombuffer(self.take(4 * CENTROIDS * dim), dtype="<f4").copy()
        if not np.isfinite(centroids).all():
            self.refuse("centroids that are not finite", "质心含有非有限数", begin)
        return ProductQuantizer(dim, dsub, centroids)


# ---- writing -----------------------------------------------------------------------------------------------------


def write(path: Path | str, model: Original) -> None:
    """Write a model so that the original reads it; whole or not at all.

    Raises:
        UsageError: ``path`` is no place for a file, or the model cannot be told in this format.
        ResourceError: no space, no permission.
    """
    _check(model)
    atomic_write(path, lambda stream: _write(stream, model))


def _check(model: Original) -> None:
    pruned = model.dictionary.prune_pairs is not None
    if pruned and not isinstance(model.input, Quantized):
        raise UsageError(
            "not-quantized",
            say("a model whose buckets were cut is written quantized", "裁剪过桶的模型必须量化后再写出"),
        )
    if isinstance(model.output, Quantized) and not isinstance(model.input, Quantized):
        raise UsageError(
            "not-quantized",
            say("the output alone cannot be quantized in this format", "此格式不能只量化输出矩阵"),
        )


def _write(stream: BinaryIO, model: Original) -> None:
    arguments, dictionary = model.arguments, model.dictionary
    stream.write(struct.pack("<2i", MAGIC, VERSION))
    stream.write(
        SETTINGS.pack(
            arguments.dim,
            arguments.window,
            arguments.epochs,
            arguments.min_count,
            arguments.negative,
            arguments.word_ngrams,
            LOSSES.index(arguments.loss) + 1,
            MODELS.index(arguments.model) + 1,
            arguments.buckets,
            arguments.min_n,
            arguments.max_n,
            arguments.update_rate,
            arguments.sample,
        )
    )
    size, words, prune = len(dictionary), dictionary.size, dictionary.prune_pairs
    stream.write(SIZES.pack(size, words, size - words, dictionary.tokens, -1 if prune is None else len(prune[0])))
    stream.write(_entries(dictionary))
    if prune is not None:
        stream.write(np.stack(prune, axis=1).astype("<i4").tobytes())
    for matrix in (model.input, model.output):
        stream.write(bytes([isinstance(matrix, Quantized)]))
        if isinstance(matrix, Quantized):
            _write_quantized(stream, matrix)
        else:
            _write_dense(stream, matrix)


def _entries(dictionary: Dictionary) -> memoryview:
    out = np.zeros(int(dictionary.name_lengths.sum()) + 10 * len(dictionary), dtype=np.uint8)
    kernels.write_entries(
        dictionary.arena, dictionary.name_starts, dictionary.name_lengths, dictionary.all_counts, dictionary.size, out
    )
    return out.data


def _write_dense(stream: BinaryIO, matrix: Floats) -> None:
    stream.write(struct.pack("<2q", *matrix.shape))
    rows = max(1, BLOCK // (4 * max(1, matrix.shape[1])))
    for first in range(0, len(matrix), rows):
        block = matrix[first : first + rows]
        stream.write(np.ascontiguousarray(block, dtype="<f4").data)
        let_go(block)


def _write_quantized(stream: BinaryIO, matrix: Quantized) -> None:
    stream.write(bytes([matrix.norm_codes is not None]))
    stream.write(struct.pack("<2qi", matrix.rows, matrix.columns, matrix.codes.size))
    stream.write(np.ascontiguousarray(matrix.codes).data)
    _write_quantizer(stream, matrix.quantizer)
    if matrix.norm_codes is not None and matrix.norm_quantizer is not None:
        stream.write(matrix.norm_codes.tobytes())
        _write_quantizer(stream, matrix.norm_quantizer)


def _write_quantizer(stream: BinaryIO, quantizer: ProductQuantizer) -> None:
    stream.write(struct.pack("<4i", quantizer.dim, quantizer.parts, quantizer.dsub, quantizer.last_width))
    stream.write(quantizer.centroids.astype("<f4").tobytes())
