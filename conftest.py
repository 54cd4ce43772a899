"""For all tests, those in tests/ and those that live in the rooms: English messages, and hypothesis without a clock."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["ERYA_LANG"] = "en"
if "PYTEST_XDIST_WORKER" in os.environ:
    # as many processes as cores: threads of torch on top would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# hundreds of tests start the command line: its sources are compiled once, not each time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# a busy machine is no failure; the same examples each time, so that a red run can be repeated
settings.register_profile("erya", deadline=None, derandomize=True)
settings.load_profile("erya")
