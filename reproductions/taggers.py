"""Every tagger on every data set for tagging: entities, chunks, slots, parts of speech; English and Chinese.

    python -m reproductions.taggers --budget 60                             # an hour of it; the next call goes on
    python -m reproductions.taggers --data snips --rooms crf bilstm_crf     # some cells; snips comes with Erya
    python -m reproductions.taggers --rows 200 --seeds 1                    # does it run? keeps nothing

Each training is a cell, kept in ``results/taggers.json`` at once, see ``surveys.py``. The score is the strict F1 of spans, of parts of
speech the accuracy. Trained on the training part alone, also where a development part is at hand, which tells when to stop; where
there is none, ``fit`` holds a tenth of the training sentences out. CLUENER's test part has no tags: its development part is the test.

Vectors are our own, of nothing but ``wiki_en`` and the characters of ``wiki_zh``; training them again gives the same bytes:

    erya train vectors/word2vec ../shared/data/wiki_en -o wiki_en_300.erya --set dim=300
    erya train vectors/word2vec "../shared/data/wiki_zh/train-*.txt.xz" --set tokenizer=characters --set dim=100 -o FILE
"""

from __future__ import annotations

import statistics
from typing import Any

from reproductions.cells import Cells, headline
from reproductions.markdown import NOT_YET, footnote, table
from reproductions.sources import Source, tagged, tagged_sample, tagged_stream
from reproductions.surveys import Survey

WIKI = "wiki_en_300.erya"
WIKI_ZH = "wiki_zh_characters_100.erya"
WORDS: dict[str, dict[str, Any]] = {"hmm": {}, "perceptron": {}, "crf": {}, "bilstm": {}, "bilstm_crf": {}}
CHINESE = {"preset": "chinese"}
CHARACTERS: dict[str, dict[str, Any]] = {
    "hmm": {},
    "perceptron": {},
    "crf": {},
    "bilstm": CHINESE,
    "bilstm_crf": CHINESE,
    "bilstm_crf+vectors": CHINESE | {"vectors": WIKI_ZH},
}
BIG = CHINESE | {"epochs": 8, "batch_size": 32}  # two million characters

# what is not as the model's default has it, by data set and model; a change here is a new cell
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "snips": WORDS,
    "conll2003": WORDS | {"bilstm_crf+vectors": {"vectors": WIKI, "extra_words": 90_000}},
    "conll2000": WORDS | {"crf": {"preset": "chunks"}},
    "ud_ewt": WORDS,
    "resume": CHARACTERS,
    "weibo": CHARACTERS,
    "cluener": CHARACTERS,
    "ccks_medical": CHARACTERS,
    "msra": CHARACTERS | {"bilstm": BIG, "bilstm_crf": BIG, "bilstm_crf+vectors": BIG | {"vectors": WIKI_ZH}},
}

SURVEY = Survey(
    name="taggers",
    task="tag",
    sources={
        "snips": Source(("SNIPS, 39 slots", "SNIPS，39 种槽位"), tagged_sample("snips"), bundled=True),
        "conll2003": Source(
            ("CoNLL-2003, English, 4 kinds of entities", "CoNLL-2003 英文，4 类实体"), tagged("conll2003", dev="dev")
        ),
        "conll2000": Source(("CoNLL-2000, chunks, words alone", "CoNLL-2000 组块，只用词"), tagged("conll2000")),
        "ud_ewt": Source(
            ("UD English EWT, 17 parts of speech: accuracy", "UD 英语 EWT，17 种词性：准确率"),
            tagged("ud_ewt", dev="dev"),
        ),
        "resume": Source(("Resume, 8 kinds of entities", "Resume 简历，8 类实体"), tagged("resume", dev="dev")),
        "weibo": Source(("Weibo, 4 kinds, names and nouns", "微博，4 类，分专名与泛指"), tagged("weibo", dev="dev")),
        "cluener": Source(("CLUENER, 10 kinds of entities", "CLUENER，10 类实体"), tagged("cluener", "dev")),
        "ccks_medical": Source(
            ("CCKS 2017, clinical, 5 kinds, last fifth", "CCKS 2017 病历，5 类，末五分之一作测试"),
            tagged_stream("ccks_medical"),
        ),
        "msra": Source(("MSRA, 3 kinds of entities", "MSRA，3 类实体"), tagged("msra")),
    },
    settings=SETTINGS,
    needs={
        WIKI: "285b5bbc46c642d56d194ee1df9bc3453094f4586c893140c13f5469dfb4c2e1",
        WIKI_ZH: "eda5cd7c5b3e3e36abaa6992a6c76486c2edbd65503575a0adb334c3e85c49fd",
    },
    paper={
        "conll2003": {"bilstm_crf+vectors": 90.94},
        "msra": {"bilstm_crf+vectors": 91.87},
        "cluener": {"bilstm_crf": 70.0},
    },
    why={
        "conll2003": (
            "Published: Lample et al. 2016, with vectors of a corpus that is many times larger; without vectors papers say 80.8 – 83.6.",
            "“已发表”一栏是 Lample 等 2016，其词向量的训练语料大得多；不用词向量时，各论文为 80.8–83.6。",
        ),
        "msra": (
            "Published: the character BiLSTM-CRF that Zhang and Yang 2018 compare with, with pretrained characters and pairs.",
            "“已发表”一栏是 Zhang 与 Yang 2018 用来对比的字级 BiLSTM-CRF，字与双字向量都经过预训练。",
        ),
        "cluener": (
            "Published: the figure of the data set's authors.",
            "“已发表”一栏是数据集作者给出的数字。",
        ),
    },
)


def summary(lang: str) -> str:
    """One line a data set, one column a model: the mean score in percent, and the minutes that each training took."""
    kept = Cells(SURVEY.name)
    rooms = list(dict.fromkeys(room for settings in SETTINGS.values() for room in settings))
    found = {
        (data, room): SURVEY.entry(kept, data, room)
        for data, settings in SETTINGS.items()
        for room in rooms
        if room in settings
    }
    used = [cell for cells in found.values() for cell in cells]
    if not used:
        return NOT_YET[lang] + "\n"
    head = [{"en": "data", "zh": "数据"}[lang], *(f"`{room}`" for room in rooms)]
    lines = [
        [SURVEY.sources[data].title[lang == "zh"], *(_entry(found.get((data, room), []), lang) for room in rooms)]
        for data in SETTINGS
    ]
    return table(head, lines) + footnote(used, lang)


def _entry(cells: list[dict[str, Any]], lang: str) -> str:
    """``94.2 ± 0.2 · 1.2 min``: mean and standard deviation over the seeds; a dash where nothing was measured."""
    if not cells:
        return "–"
    scores = [headline(cell) for cell in cells]
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    minutes = statistics.mean(cell["minutes"] for cell in cells)
    time = f"{minutes:.1f} min" if minutes >= 0.95 else f"{60 * minutes:.0f} s"
    if lang == "zh":
        time = time.replace(" min", " 分").replace(" s", " 秒")
    return f"{statistics.mean(scores):.1f}{spread} · {time}"


if __name__ == "__main__":
    SURVEY.main(__doc__)
