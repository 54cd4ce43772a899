"""One folder a model. Copy a neighbour's folder to add one; the catalog finds it by its ``card.toml``.

The folders that ERYA_ROOMS names hold further rooms. They become part of this package as soon as it is imported, so that a
worker process that receives such a model finds its class, too.
"""

from __future__ import annotations

import os
from pathlib import Path


def outside() -> list[Path]:
    """The folders of ERYA_ROOMS, there or not; the catalog complains about those that are not."""
    return [Path(name).expanduser().resolve() for name in os.environ.get("ERYA_ROOMS", "").split(os.pathsep) if name]


def join() -> None:
    """Let the rooms of ERYA_ROOMS be imported as ``erya.models.<room>``."""
    __path__.extend(str(folder) for folder in outside() if str(folder) not in __path__)


join()
