"""Word vectors in other programs' files: word2vec text and binary, GloVe text, fastText .vec, NumPy with a word list.

Read as streams, plain or .gz, .xz, .zst; every length that a file announces is held against what the file can hold before
it reaches an allocation, and nothing comes back unless all of it made sense. A text number becomes the nearest float32,
and what ``write`` writes reads back as the same bits. Not here: fastText's .bin, which holds a model, not a table.
"""

from __future__ import annotations

from erya.text.vector_files.reading import read, sniff
from erya.text.vector_files.table import FORMATS, VectorTable
from erya.text.vector_files.writing import write

__all__ = ["FORMATS", "VectorTable", "read", "sniff", "write"]
