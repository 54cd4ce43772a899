"""What several test files share: the models under test, where the shared data lies, a small fitted model of each kind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from erya import catalog, tasks

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # as many workers as processors: torch's threads would only wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def the_same_draws():
    """What a test draws from torch without a generator of its own is the same in every order of the tests."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measuring data beside the checkout; a test that needs it is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return folder


def small_model(id: str, **settings):
    """A model in its tiny preset: seconds, not minutes, in every test that fits one."""
    return catalog.model(id, "tiny", settings)


@pytest.fixture(scope="session")
def fitted():
    """``fitted(id)``: the tiny model fitted on the task's toy set, once a session."""
    cache = {}

    def get(id: str):
        if id not in cache:
            toy = tasks.find(id.split("/")[0]).toy(seed=1)
            cache[id] = small_model(id).fit(*toy) if isinstance(toy, tuple) else small_model(id).fit(toy)
        return cache[id]

    return get
