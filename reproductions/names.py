"""From which of 18 languages is a name? Recurrent networks that read characters, and a convolution beside them.

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

CHARACTERS = {"tokenizer": "characters"}
# the learning rate falls, and aims that leave some doubt: both keep a small set of short texts from being learned by heart
CALM = CHARACTERS | {"label_smoothing": 0.1, "schedule": "cosine", "batch_size": 64}
RECURRENT = CALM | {
    "dim": 128,
    "hidden_width": 200,
    "pooling": "last",
    "epochs": 15,
    "patience": 15,
    "learning_rate": 0.004,
}

# what is not as the model's default has it, by data set and model; a change here is a new cell
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "names": {
        "rnn": RECURRENT | {"learning_rate": 0.001},
        "gru": RECURRENT,
        "lstm": RECURRENT,
        "textcnn": CALM
        | {"dim": 64, "window": [2, 3, 4, 5], "filters": 200, "epochs": 20, "patience": 20, "learning_rate": 0.002},
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
