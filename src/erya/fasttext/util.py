"""``fasttext.util``: ready-made vectors from fasttext.cc, narrower models, the nearest of many vectors, precision and recall.

Nothing is fetched before ``download_model`` is called.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sized
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from erya.atomic import atomic_write
from erya.errors import DataError, ResourceError, UsageError, nearest, quoted
from erya.fasttext.model import FastTextModel
from erya.language import say
from erya.text.files import blocks

ADDRESS = "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/"
CHUNK = 1 << 20  # bytes
SECONDS = 60  # without a byte, and the other side is given up
LARGEST = 64 << 30  # bytes that an archive may unpack to; the models there have 7
AXES_FROM = 100_000  # rows whose covariance gives the axes
IF_EXISTS = ("strict", "ignore", "overwrite")

# the languages of https://fasttext.cc/docs/en/crawl-vectors.html
_CODES = """
af als am an ar arz as ast az azb ba bar bcl be bg bh bn bo bpy br bs ca ce ceb ckb co cs cv cy da de diq dv el eml en
eo es et eu fa fi fr frr fy ga gd gl gom gu gv he hi hif hr hsb ht hu hy ia id ilo io is it ja jv ka kk km kn ko ku ky
la lb li lmo lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no nso oc or os pa pam
pfl pl pms pnb ps pt qu rm ro ru sa sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt ug uk ur
uz vec vi vls vo wa war xmf yi yo zea zh
"""
valid_lang_ids = set(_CODES.split())


# ---- ready-made vectors ------------------------------------------------------------------------------------------


def download_model(lang_id: str, if_exists: str = "strict", dimension: int | None = None) -> str | None:
    """Fetch the vectors of a language (4 to 7 GB) from fasttext.cc into the working folder.

    Args:
        lang_id: e.g. ``"en"``; one of ``valid_lang_ids``.
        if_exists: where a file is there: "strict": say so and give None, "ignore": take it, "overwrite": fetch anew.
        dimension: accepted, without effect, as in the original; see ``reduce_model``.

    Returns:
        The file's name, ``cc.en.300.bin``. A file stands whole or not at all.

    Raises:
        UsageError: no such language, or no such ``if_exists``.
        ResourceError: no network, no space.
        DataError: what came is cut off or damaged.
    """
    _check(lang_id, if_exists)
    name = f"cc.{lang_id}.300.bin"
    packed, whole = Path(f"{name}.gz"), Path(name)
    if whole.is_file() and if_exists != "overwrite":
        if if_exists == "ignore":
            return name
        _tell_that_it_is_there(whole)
        return None
    if packed.is_file() and if_exists == "strict":
        _tell_that_it_is_there(packed)
        return None
    if not packed.is_file() or if_exists == "overwrite":
        fetch(ADDRESS + packed.name, packed)
    atomic_write(whole, lambda stream: stream.writelines(blocks(packed, bomb_size=LARGEST)))
    return name


def _check(lang_id: str, if_exists: str) -> None:
    if lang_id not in valid_lang_ids:
        guess = nearest(lang_id, sorted(valid_lang_ids))
        raise UsageError(
            "unknown-language",
            say(f"Invalid lang id: {quoted(lang_id, 20)}", f"没有语言 {quoted(lang_id, 20)}"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else "fasttext.util.valid_lang_ids",
        )
    if if_exists not in IF_EXISTS:
        raise UsageError(
            "bad-setting",
            say(f"if_exists={quoted(if_exists, 20)}: unknown", f"if_exists={quoted(if_exists, 20)}：无法识别"),
            help=" | ".join(IF_EXISTS),
        )


def _tell_that_it_is_there(path: Path) -> None:
    sys.stderr.write(
        say(
            f"{path} exists: if_exists='ignore' takes it, 'overwrite' fetches it anew\n",
            f"{path} 已存在：if_exists='ignore' 直接使用，'overwrite' 重新下载\n",
        )
    )


def fetch(address: str, path: Path) -> None:
    """Fetch a file, showing how far it is on standard error; it stands whole or not at all.

    Raises:
        ResourceError: it cannot be reached, or there is no space.
        DataError: less came than was announced.
    """
    by_hand = say(f"fetch it by other means and put it here as {path.name}", f"请用其他方式下载，存为 {path.name}")
    try:
        with urlopen(address, timeout=SECONDS) as answer:
            announced = int(answer.headers.get("Content-Length") or 0)
            atomic_write(path, lambda stream: _copy(answer, stream, path.name, announced))
    except HTTPError as error:
        raise ResourceError(
            "no-download",
            say(f"{address}: the server answers {error.code}", f"{address}：服务器返回 {error.code}"),
            help=by_hand,
        ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ResourceError(
            "no-network", say(f"{address} cannot be reached: {reason}", f"无法连接 {address}：{reason}"), help=by_hand
        ) from error


def _copy(answer: BinaryIO, stream: BinaryIO, name: str, announced: int) -> None:
    done, drawn = 0, -1
    while chunk := answer.read(CHUNK):
        stream.write(chunk)
        done += len(chunk)
        percent = 1000 * done // announced if announced else done // (100 * CHUNK)
        if percent != drawn and sys.stderr.isatty():
            drawn = percent
            sys.stderr.write(f"\r{_size(name, done, announced)}")
            sys.stderr.flush()
    sys.stderr.write(("\r" if sys.stderr.isatty() else "") + _size(name, done, announced) + "\n")
    if announced and done != announced:
        raise DataError(
            "cut-off",
            say(f"{name}: {done:,} of {announced:,} bytes came", f"{name}：只收到 {announced:,} 字节中的 {done:,}"),
            help=say("call it once more", "请再试一次"),
        )


def _size(name: str, done: int, announced: int) -> str:
    """``cc.en.300.bin.gz  312.4 of 4,503.6 MB  6.9 %``."""
    if not announced:
        return f"{name}  {done / 1e6:,.1f} MB"
    return f"{name}  {done / 1e6:,.1f} / {announced / 1e6:,.1f} MB  {100 * done / announced:.1f} %"


# ---- vectors -----------------------------------------------------------------------------------------------------


def reduce_model(ft_model: FastTextModel, target_dim: int) -> FastTextModel:
    """Make all vectors narrower, by the principal components of the input matrix; changes ``ft_model`` and returns it.

    Raises:
        ValueError: ``target_dim`` is not below the model's width.
    """
    dim = ft_model.get_dimension()
    if not 0 < target_dim < dim:
        raise UsageError(
            "bad-dim", say(f"Nothing to do: dim is {dim}", f"无需处理：维数为 {dim}"), help=f"1 … {dim - 1}"
        )
    input = ft_model.get_input_matrix()
    some = input[:AXES_FROM].astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(some, rowvar=False))  # the largest last
    turned = np.ascontiguousarray(axes[:, ::-1][:, :target_dim], dtype=np.float32)
    ft_model.set_matrices(input @ turned, ft_model.get_output_matrix() @ turned)
    return ft_model


def find_nearest_neighbor(
    query: NDArray[Any], vectors: NDArray[Any], ban_set: Collection[int], cossims: NDArray[Any] | None = None
) -> int:
    """The row of ``vectors`` (N, D) whose product with ``query`` (D,) is the largest.

    Args:
        query: a vector.
        vectors: where to look; at length 1 the products are cosines.
        ban_set: rows that are not meant.
        cossims: (N,) room for the products, which are left there; None: made anew.

    Raises:
        UsageError: no row is left.
    """
    products = np.matmul(vectors, query, out=cossims)
    allowed = np.ones(len(products), dtype=bool)
    allowed[[row for row in ban_set if 0 <= row < len(products)]] = False
    if not allowed.any():
        raise UsageError("no-row", say("all rows are in ban_set", "所有行都在 ban_set 里"), help="ban_set={…}")
    return int(np.argmax(np.where(allowed, products, -np.inf)))


# ---- scores ------------------------------------------------------------------------------------------------------


class _Labels(Sized, Protocol):
    def __contains__(self, label: object, /) -> bool: ...


def test(predictions: Iterable[Iterable[Any]], labels: Iterable[_Labels], k: int = 1) -> tuple[float, float]:  # noqa: PT028
    """Precision at k and recall at k of lists of answers, beside lists of true labels.

    Raises:
        UsageError: there are no answers or no labels.
    """
    right = lines = known = 0
    for answers, true in zip(predictions, labels, strict=False):  # as the original: what is longer is not looked at
        right += sum(answer in true for answer in answers)
        lines, known = lines + 1, known + len(true)
    if not lines or not known:
        raise UsageError(
            "no-rows", say("there is nothing to score", "没有可评分的内容"), help="test(predictions, labels)"
        )
    return right / (k * lines), right / known
