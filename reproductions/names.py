"""From which of 18 languages is a name? Recurrent networks that read characters.

    python -m reproductions.names                     # all cells: minutes
    python -m reproductions.names --rooms gru --seeds 1

The task of the PyTorch tutorial "Classifying Names with a Character-Level RNN", which names no accuracy. Each training is a cell, kept in
``results/names.json`` at once, see ``surveys.py``. The names come with Erya: 16,040 to learn from, 2,005 to stop on, 2,005 to test. Many
names are in use in two languages, and the same ones stand in the source under both: nobody reaches 100.
"""

from __future__ import annotations

from typing import Any

from reproductions.sources import Source, sample
from reproductions.surveys import Survey

CHARACTERS = {"tokenizer": "characters", "min_count": 1}

# what is not as the model's default has it, by data set and model; a change here is a new cell
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "names": {
        "rnn": CHARACTERS,
        "gru": CHARACTERS,
        "lstm": CHARACTERS,
    },
}

SURVEY = Survey(
    name="names",
    sources={"names": Source(("names, 18 languages", "姓名，18 种语言"), sample("names"), bundled=True)},
    settings=SETTINGS,
    why={
        "names": (
            "The tutorial that the task comes from names no accuracy.",
            "这个任务出自 PyTorch 教程，教程没有给出准确率。",
        )
    },
)


if __name__ == "__main__":
    SURVEY.main(__doc__)
