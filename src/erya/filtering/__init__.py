"""Filtering: the rows of files to which a classifier gives a label, byte for byte as they stood.

``settings`` says which rows, ``layout`` how a file is read, ``pieces`` cuts it, ``one_piece`` is the work itself and ``counts`` what is
counted of it. ``run`` puts many files through several processes (``pool``, ``process``, ``worker``) into a folder whose ``journal``
remembers what is done; ``stream`` does the same between two pipes, and ``sample`` looks at a few rows before hours are spent.
"""

from erya.filtering.counts import Tally
from erya.filtering.one_piece import filter_file
from erya.filtering.settings import Settings, columns_of, digest_of

__all__ = ["Settings", "Tally", "columns_of", "digest_of", "filter_file"]
