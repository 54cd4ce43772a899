"""TextCNN's answers without torch: word vectors and filters multiplied beforehand, so that an answer is made of sums.

What a token adds to a filter at each place of its window does not depend on the text: it is folded once, when the token is first
met, and kept. A few texts are answered by NumPy alone (a fresh process answers before Numba would have been imported), many by
the kernels. Both within 1e-5 of the network in torch.

Not here: pooling by the mean, by regions, and more than one strongest response, which only the network in torch knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.text.tokenizers import Document, Tokenizer, token_lists
from erya.text.vocabulary import PADDING, Vocabulary

TABLE_BYTES = 256 << 20  # of folded tokens; with more, all are forgotten and folded anew as they occur
FEW_TOKENS = 2048  # up to so many are answered by NumPy
TOKENS_AT_ONCE = 1 << 12  # texts of so many tokens are answered together
DOCUMENTS_AT_ONCE = 4096

Floats = NDArray[np.float32]


def _tanh_cube(values: Floats) -> Floats:
    found: Floats = np.tanh(values**3 + values)
    return found


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda values: np.maximum(values, np.float32(0)),
    "tanh": np.tanh,
    "sigmoid": lambda values: np.exp(-np.logaddexp(np.float32(0), -values)),
    "softplus": lambda values: np.logaddexp(np.float32(0), values),
    "cube": lambda values: values**3,
    "tanh_cube": _tanh_cube,
    "identity": lambda values: values,
}


def shapes(
    vocabulary: int, dim: int, windows: Sequence[int], filters: int, classes: int, *, channels: int, strongest: int
) -> dict[str, tuple[int, ...]]:
    """The weights of ``network.TextCNN`` by name, and the shape of each."""
    tables: dict[str, tuple[int, ...]] = {"embedding": (vocabulary, dim)}
    if channels == 2:
        tables["fixed"] = (vocabulary, dim)
    kernels = {f"filters.{place}": (channels * dim, window, filters) for place, window in enumerate(windows)}
    biases = {f"biases.{place}": (filters,) for place in range(len(windows))}
    ends = {"output": (strongest * filters * len(windows), classes), "output_bias": (classes,)}
    return {**tables, **kernels, **biases, **ends}


class Folded:
    """A fitted TextCNN that answers.

    Args:
        weights: the network's arrays by name, float32, as ``shapes`` has them for one strongest response.
        windows: the widths w.
        activation: one of ``ACTIVATIONS``.
        tokenizer: how text becomes tokens.
        vocabulary: V tokens; padding is 0, the unknown token 1.
    """

    def __init__(
        self,
        weights: Mapping[str, NDArray[Any]],
        windows: Sequence[int],
        activation: str,
        tokenizer: Tokenizer,
        vocabulary: Vocabulary,
    ) -> None:
        self._windows, self._activation = np.array(windows, dtype=np.int64), ACTIVATIONS[activation]
        self._tokenizer, self._vocabulary = tokenizer, vocabulary
        tables = [weights[name] for name in ("embedding", "fixed") if name in weights]
        self._embedding: Floats = tables[0] if len(tables) == 1 else np.concatenate(tables, axis=1)  # (V, D)
        places = range(len(windows))
        self._width = len(weights["biases.0"])  # F
        self._bias: Floats = np.concatenate([weights[f"biases.{place}"] for place in places])  # (W·F,)
        self._filters: list[Floats] = [weights[f"filters.{place}"] for place in places]  # (D, w, F)
        self._output: Floats = weights["output"]  # (W·F, C)
        self._output_bias: Floats = weights["output_bias"]
        self._lock = threading.Lock()
        self._many: _Many | None = None
        self._numbers: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a copied or pickled model folds for itself

    def logits(self, documents: Sequence[Document], longest: int) -> NDArray[np.float64] | None:
        """(N, C); None where a text has more than ``longest`` tokens: such are read in windows."""
        if sum(len(part) for document in documents for part in _parts(document)) <= FEW_TOKENS:
            ids = [self._vocabulary.ids(tokens) for tokens in token_lists(self._tokenizer, documents)]
            if any(len(text) > longest for text in ids):
                return None
            if sum(map(len, ids)) <= FEW_TOKENS:
                return self._few(ids)
        with self._lock:
            found = np.zeros((len(documents), len(self._output_bias)))
            for first in range(0, len(documents), DOCUMENTS_AT_ONCE):
                rows, starts = self._numbered(documents[first : first + DOCUMENTS_AT_ONCE])
                stops = starts[1:] - 1  # each text is closed by a padding token
                if int((stops - starts[:-1]).max(initial=0)) > longest:
                    return None
                found[first : first + DOCUMENTS_AT_ONCE] = self._answered(rows, starts[:-1], stops)
            return found

    def logits_of_tokens(self, token_lists: Sequence[Sequence[str]], longest: int) -> NDArray[np.float64] | None:
        """The same of texts that are cut already."""
        if any(len(tokens) > longest for tokens in token_lists):
            return None
        ids = [self._vocabulary.ids(tokens) for tokens in token_lists]
        if sum(map(len, ids)) <= FEW_TOKENS:
            return self._few(ids)
        flat = np.array([id for text in ids for id in (*text, 0)], dtype=np.int64)
        ends = np.cumsum([len(text) + 1 for text in ids])
        with self._lock:
            return self._answered(flat, np.concatenate([[0], ends[:-1]]), ends - 1)

    def _few(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """(N, C) by NumPy: only the tokens that occur are folded."""
        tokens, inverse = np.unique([0, *(id for text in texts for id in text)], return_inverse=True)
        vectors = self._embedding[tokens]  # (U, D)
        starts = 1 + np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        features = np.zeros((len(texts), len(self._bias)), dtype=np.float32)
        for number, (window, filters) in enumerate(zip(self._windows.tolist(), self._filters, strict=True)):
            shares = (vectors @ filters.reshape(len(filters), -1)).reshape(
                len(tokens), window, self._width
            )  # (U, w, F)
            columns = slice(number * self._width, (number + 1) * self._width)
            for text in range(len(texts)):
                places = inverse[starts[text] : starts[text + 1]]
                sums = np.zeros((len(places) + window, self._width), dtype=np.float32)  # the last one stays empty
                for position in range(window):
                    begin = window - 1 - position
                    sums[begin : begin + len(places)] += shares[places, position]
                features[text, columns] = sums.max(axis=0)
        found: NDArray[np.float64] = (self._active(features) @ self._output + self._output_bias).astype(np.float64)
        return found

    def _active(self, strongest: Floats) -> Floats:
        return self._activation(strongest + self._bias).astype(np.float32, copy=False)

    def _numbered(self, documents: Sequence[Document]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of all tokens, a padding token behind each text, and where the texts start, (N + 1,)."""
        from erya.text.token_numbers import TokenNumbers

        if self._numbers is None:
            self._numbers = TokenNumbers(self._tokenizer, PADDING, self._vocabulary.tokens)
        with self._numbers.lock:
            found = self._numbers.number(documents)
            self._numbers.forget()
        size, unknown = len(self._vocabulary), int(self._vocabulary.unknown or 0)
        ids: NDArray[np.int64] = found.ids.astype(np.int64)
        ids[ids >= size] = unknown
        return ids, found.starts

    def _answered(
        self, ids: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(N, C) by the kernels."""
        if self._many is None:
            self._many = _Many(self._embedding, self._filters, self._windows, self._output, self._output_bias)
        found, first = np.zeros((len(starts), len(self._output_bias))), 0
        most = min(TOKENS_AT_ONCE, self._many.most)
        while first < len(starts):
            last = max(first + 1, int(np.searchsorted(stops, starts[first] + most, side="right")))
            strongest = self._many.strongest(ids, starts[first:last], stops[first:last])  # (n, W·F)
            found[first:last] = self._many.answer(self._active(strongest))
            first = last
        return found


class _Many:
    """The table of folded tokens, and the kernels that read it; F and C are padded to multiples of 16."""

    def __init__(
        self,
        embedding: Floats,
        filters: Sequence[Floats],
        windows: NDArray[np.int64],
        output: Floats,
        output_bias: Floats,
    ) -> None:
        from erya.parts.simd import aligned, padded

        self._embedding, self._windows = np.ascontiguousarray(embedding), windows
        self._real, dim = filters[0].shape[2], embedding.shape[1]
        self._width = padded(self._real)
        wide = [np.pad(one, ((0, 0), (0, 0), (0, self._width - self._real))).reshape(dim, -1) for one in filters]
        self._filters = np.ascontiguousarray(np.concatenate(wide, axis=1))  # (D, S)
        self._output = np.ascontiguousarray(np.pad(output, ((0, 0), (0, padded(output.shape[1]) - output.shape[1]))))
        self._output_bias = output_bias
        self.most = max(1024, TABLE_BYTES // (4 * self._filters.shape[1]))  # tokens that are kept
        self._row = np.zeros(len(embedding), dtype=np.int64)  # of each token in the table; 0: not folded
        self._used = 1  # row 0 is the padding's, zeros
        self._table = aligned(min(self.most, len(embedding), 1024) + 1, self._filters.shape[1])

    def strongest(self, ids: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Floats:
        """(N, W·F) the greatest responses, thresholds not added."""
        from erya.models.textcnn import folded_kernels as kernels

        begin, end = int(starts[0]), int(stops[-1])
        some = ids[begin:end]
        self._fold(some)
        found = np.empty((len(starts), len(self._windows) * self._width), dtype=np.float32)
        rows = self._row[some]
        kernels.strongest(self._table, rows, starts - begin, stops - begin, self._windows, self._width, found)
        return found.reshape(len(starts), len(self._windows), self._width)[:, :, : self._real].reshape(len(starts), -1)

    def _fold(self, ids: NDArray[np.int64]) -> None:
        """Fold the tokens that are not in the table yet; where it would grow too large, forget the others first."""
        from erya.models.textcnn import folded_kernels as kernels
        from erya.parts.simd import aligned

        new = np.unique(ids[(self._row[ids] == 0) & (ids != 0)])
        if not len(new):
            return
        if self._used + len(new) > self.most + 1:
            self._row[:] = 0
            self._used, new = 1, np.unique(ids[ids != 0])
        needed = self._used + len(new)
        if needed > len(self._table):
            table = aligned(max(needed, min(2 * needed, self.most + 1, len(self._row))), self._table.shape[1])
            table[: self._used] = self._table[: self._used]
            self._table = table
        kernels.fold(self._embedding, new, self._filters, self._table, self._used)
        self._row[new] = np.arange(self._used, needed)
        self._used = needed

    def answer(self, features: Floats) -> NDArray[np.float64]:
        """(N, C) logits."""
        from erya.models.textcnn import folded_kernels as kernels

        classes = len(self._output_bias)
        found = np.zeros((len(features), self._output.shape[1]), dtype=np.float32)
        found[:, :classes] = self._output_bias
        kernels.answer(np.ascontiguousarray(features), self._output, found)
        return found[:, :classes].astype(np.float64)


def _parts(document: Document) -> tuple[str, ...]:
    return (document,) if isinstance(document, str) else document


def _nothing() -> None:
    """What a Folded is in a copy of its model."""
