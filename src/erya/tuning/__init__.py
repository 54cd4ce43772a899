"""Good settings within a budget: search over one or several models, then one model that is judged on rows nothing was chosen by.

``request`` what is checked first, ``entrants`` who takes part and what is drawn, ``tpe`` what Optuna draws, ``schedule`` which
training comes next, ``clock`` what time allows, ``trainings`` the processes, ``search`` all of it together, ``outcome`` the document,
``wording``, ``table`` and ``report`` what people read of it.
"""

from __future__ import annotations

from erya.tuning.request import METHODS
from erya.tuning.search import Tuned, tune

__all__ = ["METHODS", "Tuned", "tune"]
