"""What a comparison means for whoever must choose: sentences drawn from the ``erya.compare/1`` document, nothing else."""

from __future__ import annotations

from typing import Any

from erya.board_table import score_names, score_title
from erya.language import say
from erya.tasks.classify import HEADLINE

COSTS = ("train_seconds", "first_answer_seconds", "model_bytes", "peak_rss_bytes")
CLEARLY = 0.9  # a cost within a tenth of another is the same cost: timings are not that exact
CONFUSED_SHARE = 0.25  # a pair of labels is worth a sentence when it makes this share of all errors
WIDE_INTERVAL = 0.04
RARE_LABEL = 50  # training rows


def advise(document: dict[str, Any]) -> dict[str, Any]:
    """``{"recommended": model or None, "sentences": [...]}``: verdict first, then what to look at, then what to do."""
    if document.get("task") == "vectors":
        return _advise_on_words(document)
    if document.get("task") == "tag":
        return _advise_on_tags(document)
    if document.get("task") == "generate":
        return _advise_on_texts(document)
    rows = [row for row in document["rows"] if row["scores"]]
    if not rows:
        return {"recommended": None, "sentences": [say("No model finished.", "没有一个模型完成训练。")]}
    best = rows[0]
    if not document["beats_chance"]:
        return {"recommended": None, "sentences": [_no_better_than_chance(document, best), *_about_data(document)]}
    equals = [best, *[row for row in rows[1:] if not _significant(document, best["model"], row["model"])]]
    chosen = min(equals, key=lambda row: _cost(row, equals))
    return {
        "recommended": chosen["model"],
        "sentences": [
            _verdict(document, best, chosen, equals),
            *_cheaper(best, chosen, equals),
            *_about_errors(document, chosen),
            *_about_data(document),
        ],
    }


# ---- word vectors -------------------------------------------------------------------------------------------


def _advise_on_words(document: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in document["rows"] if row["model"] in document["words"]]
    if not rows:
        return {"recommended": None, "sentences": [say("No model finished.", "没有一个模型完成训练。")]}
    ranking = next((name for name in document["columns"] if name in rows[0]["scores"]), None)
    if ranking is None:
        return {"recommended": None, "sentences": [_nothing_asked(document)]}
    best = rows[0]
    equals = [best, *[row for row in rows[1:] if _no_worse(document, best, row, ranking)]]
    chosen = min(equals, key=lambda row: _cost(row, equals))
    sentences = [_take(best, chosen, equals, rows, ranking), *_cheaper(best, chosen, equals)]
    known = document["words"][chosen["model"]]["analogies"]["total"]
    if known["known"] < known["asked"] / 4:
        sentences.append(
            say(
                f"Only {known['known']:,} of {known['asked']:,} analogy questions are about words that it knows: "
                "more text, or similarity sets of your own words, would tell more.",
                f"{known['asked']:,} 道类比题中只有 {known['known']:,} 道的词它都认识："
                "换更多的文本，或用自己领域的相似度数据，才看得更清楚。",
            )
        )
    return {"recommended": chosen["model"], "sentences": sentences}


def _nothing_asked(document: dict[str, Any]) -> str:
    return say(
        "None of the bundled analogies is about words of this corpus, so nothing could be scored: "
        "use more text, or give a similarity set with --similarity FILE.",
        "内置类比题中没有一道的词出现在这份语料里，无法评分：请用更多文本，或用 --similarity 给出相似度数据。",
    )


def _no_worse(document: dict[str, Any], best: dict[str, Any], row: dict[str, Any], ranking: str) -> bool:
    """Whether the difference may be luck: by the test on common questions, else by intervals that overlap."""
    if ranking not in row["scores"]:
        return False
    tested = [pair for pair in document["pairs"] if {pair["a"], pair["b"]} == {best["model"], row["model"]}]
    if tested and ranking == "analogy_accuracy":
        return not tested[0]["significant"]
    return bool(row["scores"][ranking]["high"] >= best["scores"][ranking]["low"])


def _take(
    best: dict[str, Any],
    chosen: dict[str, Any],
    equals: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    ranking: str,
) -> str:
    name = score_title(ranking)
    if len(rows) == 1:
        return say(
            f"{best['name']} reaches {_score(best, ranking)} ({name}). Compare it with a second model before you settle.",
            f"{best['name']} 的{name}得分为 {_score(best, ranking)}。定下来之前，再找一个模型比一比。",
        )
    if len(equals) == 1:
        return say(
            f"Take {best['name']}: {_score(best, ranking)} ({name}), clearly better than every other model here.",
            f"选 {best['name']}：{name} {_score(best, ranking)}，明显好于这里的其他所有模型。",
        )
    if chosen is best:
        return say(
            f"Take {best['name']}: {_score(best, ranking)} ({name}), the highest; those that may be as good are not cheaper.",
            f"选 {best['name']}：{name} {_score(best, ranking)}，为最高；可能同样好的模型也不更省。",
        )
    return say(
        f"Take {chosen['name']}: {_score(chosen, ranking)} ({name}). {best['name']} scores highest ({_score(best, ranking)}), but "
        f"the difference may be luck, and {chosen['name']} is cheaper.",
        f"选 {chosen['name']}：{name} {_score(chosen, ranking)}。{best['name']} 得分最高（{_score(best, ranking)}），"
        f"但差别可能只是运气，而 {chosen['name']} 更省。",
    )


# ---- running text ---------------------------------------------------------------------------------------------


def _advise_on_texts(document: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in document["rows"] if row["scores"]]
    if not rows:
        return {"recommended": None, "sentences": [say("No model finished.", "没有一个模型完成训练。")]}
    best, letters = rows[0], document["baseline"]["majority"]
    if not document["beats_chance"]:
        needs = best["scores"]["bits_per_character"]["value"]
        sentence = say(
            f"No model is better than letters counted one by one ({letters:.2f} bits a character): the best, {best['name']}, needs "
            f"{needs:.2f}. There is too little text, or it is of another kind than the test.",
            f"没有模型好于逐字统计（每字符 {letters:.2f} 比特）：最好的 {best['name']} 也要 {needs:.2f}。文本太少，或与测试部分不是一类。",
        )
        return {"recommended": None, "sentences": [sentence]}
    equals = [best, *[row for row in rows[1:] if not _significant(document, best["model"], row["model"])]]
    chosen = min(equals, key=lambda row: _cost(row, equals))
    bits = chosen["scores"]["bits_per_character"]["value"]
    verdict = say(
        f"Take {chosen['name']}: {bits:.3f} bits a character, where letters counted one by one need {letters:.2f}.",
        f"推荐 {chosen['name']}：每字符 {bits:.3f} 比特，逐字统计则要 {letters:.2f}。",
    )
    sentences = [verdict]
    if chosen is not best:
        fewest = best["scores"]["bits_per_character"]["value"]
        sentences.append(
            say(
                f"{best['name']} ranks first with {fewest:.3f}, but the difference is not significant, and "
                f"{chosen['name']} is cheaper.",
                f"{best['name']} 以 {fewest:.3f} 排第一，但差别不显著，而 {chosen['name']} 更省。",
            )
        )
    sentences += _cheaper(best, chosen, equals)
    units = {found["units"] for found in document["texts"].values()}
    if len(units) > 1:
        sentences.append(
            say(
                "The models cut text differently: perplexities are of different units and do not compare; bits a character do.",
                "各模型切分文本的方式不同：困惑度的单位不同，不能互比；每字符比特数可以。",
            )
        )
    unknown = chosen["scores"].get("unknown", {}).get("value", 0.0)
    if unknown > 0.001:
        sentences.append(
            say(
                f"{unknown:.1%} of the test's units are unknown to it; their spelling is counted.",
                f"测试文本中有 {unknown:.1%} 的单元它不认识，其拼写已计入。",
            )
        )
    return {"recommended": chosen["model"], "sentences": sentences}


# ---- tags ---------------------------------------------------------------------------------------------------


def _advise_on_tags(document: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in document["rows"] if row["scores"]]
    if not rows:
        return {"recommended": None, "sentences": [say("No model finished.", "没有一个模型完成训练。")]}
    ranking, best = _ranking(document), rows[0]
    share = f"{document['baseline']['majority']:.1%}"
    if not document["beats_chance"]:
        refused = say(
            f"No model is surely better than giving each token its most frequent tag ({share}): the best, {best['name']}, reaches "
            f"{_score(best, ranking)}. Look at the tags before any model.",
            f"没有模型明显好于“给每个词最常见的标签”（{share}）：最好的 {best['name']} 只有 {_score(best, ranking)}。"
            "先检查标注，再谈模型。",
        )
        return {"recommended": None, "sentences": [refused, *_about_sentences(document)]}
    equals = [best, *[row for row in rows[1:] if not _significant(document, best["model"], row["model"])]]
    chosen = min(equals, key=lambda row: _cost(row, equals))
    without = say(
        f"Giving each token its most frequent tag, whatever stands around it, gets {share}.",
        f"不看上下文、给每个词最常见的标签，得分为 {share}。",
    )
    sentences = [_take(best, chosen, equals, rows, ranking), without, *_cheaper(best, chosen, equals)]
    kinds = document["kinds"].get(chosen["model"])
    return {
        "recommended": chosen["model"],
        "sentences": [*sentences, *_about_spans(kinds), *_about_sentences(document)],
    }


def _about_spans(kinds: dict[str, Any] | None) -> list[str]:
    """Which kind of mistake makes most of what is wrong, where one does."""
    if kinds is None:
        return []
    named = {
        "type": say("the place is right and the type is not", "位置对而类型错"),
        "boundary": say("the type is right and the boundary is not", "类型对而边界错"),
        "added": say("there is nothing", "那里本没有片段"),
        "missed": say("a span is missed altogether", "片段被完全漏掉"),
    }
    wrong = sum(kinds[name] for name in (*named, "both"))
    most = max(named, key=lambda name: kinds[name])
    if wrong < 20 or kinds[most] < 0.4 * wrong:
        return []
    share = f"{kinds[most] / wrong:.0%}"
    return [say(f"In {share} of its mistakes {named[most]}.", f"它的错误有 {share} 是{named[most]}。")]


def _about_sentences(document: dict[str, Any]) -> list[str]:
    data, found = document["data"], []
    count = data["duplicates_across_splits"]
    if count > 0.02 * data["rows"]["test"]:
        found.append(
            say(
                f"{count} sentences occur in more than one part: the scores are a little too high.",
                f"有 {count} 个句子同时出现在多个部分中：分数略微偏高。",
            )
        )
    return found


# ---- labels -------------------------------------------------------------------------------------------------


def _no_better_than_chance(document: dict[str, Any], best: dict[str, Any]) -> str:
    majority, ranking = document["baseline"]["majority"], _ranking(document)
    return say(
        f"No model is surely better than always answering '{document['baseline']['label']}' ({majority:.1%}): "
        f"the best, {best['name']}, reaches {_score(best, ranking)}. Look at the labels and the rows before any model.",
        f"没有模型明显好于总是回答“{document['baseline']['label']}”（{majority:.1%}）："
        f"最好的 {best['name']} 只有 {_score(best, ranking)}。先检查标签和数据，再谈模型。",
    )


def _verdict(
    document: dict[str, Any], best: dict[str, Any], chosen: dict[str, Any], equals: list[dict[str, Any]]
) -> str:
    majority, ranking = document["baseline"]["majority"], _ranking(document)
    measure = say("accuracy", "准确率") if ranking == HEADLINE else score_title(ranking)
    article = "an" if ranking == HEADLINE else "a"
    if sum(bool(row["scores"]) for row in document["rows"]) == 1:
        return say(
            f"{best['name']} reaches {article} {measure} of {_score(best, ranking)}; "
            f"always answering the most frequent label: {majority:.1%}. "
            "Compare it with a second model before you settle.",
            f"{best['name']} 的{measure}为 {_score(best, ranking)}；总猜最常见标签：{majority:.1%}。定下来之前，再找一个模型比一比。",
        )
    if len(equals) == 1:
        return say(
            f"Take {best['name']}: {measure} {_score(best, ranking)}, significantly better than every other model here "
            f"(always answering the most frequent label: {majority:.1%}).",
            f"选 {best['name']}：{measure} {_score(best, ranking)}，显著好于这里的其他所有模型（总猜最常见标签：{majority:.1%}）。",
        )
    if chosen is best:
        return say(
            f"Take {best['name']}: {measure} {_score(best, ranking)}, the highest, and none of the {len(equals) - 1} models that it "
            f"does not significantly beat is cheaper all in all (always answering the most frequent label: {majority:.1%}).",
            f"选 {best['name']}：{measure} {_score(best, ranking)}，为最高；与它没有显著差别的 {len(equals) - 1} 个模型总体上也不比它更省"
            f"（总猜最常见标签：{majority:.1%}）。",
        )
    return say(
        f"Take {chosen['name']}: {measure} {_score(chosen, ranking)}. {best['name']} scores highest ({_score(best, ranking)}), "
        f"but the difference is not significant, and {chosen['name']} is cheaper "
        f"(always answering the most frequent label: {majority:.1%}).",
        f"选 {chosen['name']}：{measure} {_score(chosen, ranking)}。{best['name']} 得分最高（{_score(best, ranking)}），但差别不显著，"
        f"而 {chosen['name']} 更省（总猜最常见标签：{majority:.1%}）。",
    )


def _cheaper(best: dict[str, Any], chosen: dict[str, Any], equals: list[dict[str, Any]]) -> list[str]:
    """By how much the choice is cheaper than the leader, else than the dearest model that is no better."""
    if not chosen["train_seconds"]:
        return []
    ratios = [(row["train_seconds"] or 0.0) / chosen["train_seconds"] for row in equals]
    place = 0 if equals[0] is best and ratios[0] >= 2 else max(range(len(equals)), key=lambda place: ratios[place])
    other, ratio = equals[place], ratios[place]
    if other is chosen or ratio < 2:
        return []
    name, clause = other["name"], say("which ranks below it", "后者排名在它之下")
    if other is best:
        clause = say("which ranks first, but is not significantly better", "后者虽排第一，却没有显著更好")
    elif place < next(index for index, row in enumerate(equals) if row is chosen):
        clause = say(
            f"which ranks above it, but not significantly; first is {best['name']}",
            f"后者排名虽在它之上，却没有显著更好；第一是 {best['name']}",
        )
    return [
        say(
            f"It trains {ratio:.0f} times faster than {name}, {clause}.",
            f"它的训练比 {name} 快 {ratio:.0f} 倍，{clause}。",
        )
    ]


def _about_errors(document: dict[str, Any], chosen: dict[str, Any]) -> list[str]:
    """The one pair of labels that makes most of the errors, where there is one."""
    found = document["confusion"].get(chosen["model"])
    if found is None or len(found["labels"]) < 3:
        return []
    labels, counts = found["labels"], found["counts"]
    pairs = {
        (first, second): counts[first][second] + counts[second][first]
        for first in range(len(labels))
        for second in range(first + 1, len(labels))
    }
    errors = sum(pairs.values())
    (first, second), most = max(pairs.items(), key=lambda pair: pair[1])
    if errors < 5 or most < CONFUSED_SHARE * errors:
        return []
    share = most / errors
    return [
        say(
            f"{share:.0%} of its errors confuse '{labels[first]}' and '{labels[second]}': are these two told apart by the text alone?",
            f"它的错误有 {share:.0%} 是把“{labels[first]}”和“{labels[second]}”弄混：单凭文本能分清这两类吗？",
        )
    ]


def _about_data(document: dict[str, Any]) -> list[str]:
    sentences = []
    data = document["data"]
    rare = [label for label, count in data["label_counts"].items() if count < RARE_LABEL]
    if rare:
        shown = ", ".join(rare[:3]) + (" …" if len(rare) > 3 else "")
        sentences.append(
            say(
                f"{len(rare)} labels have fewer than {RARE_LABEL} training rows ({shown}): more rows there help most.",
                f"{len(rare)} 个标签的训练数据不足 {RARE_LABEL} 行（{shown}）：给它们补数据最见效。",
            )
        )
    if data["duplicates_across_splits"]:
        count = data["duplicates_across_splits"]
        sentences.append(
            say(
                f"{count} test texts also occur in the training part: the scores are a little too high.",
                f"有 {count} 条测试文本也出现在训练集中：分数略微偏高。",
            )
        )
    ranking = _ranking(document)
    widest = max(
        (row["scores"][ranking]["high"] - row["scores"][ranking]["low"]) for row in document["rows"] if row["scores"]
    )
    if widest > WIDE_INTERVAL:
        rows = data["rows"]["test"]
        known = say("an accuracy", "准确率") if ranking == HEADLINE else say("this score", "这个分数")
        sentences.append(
            say(
                f"With {rows} test rows {known} is known to ±{widest / 2:.1%}; smaller differences need more test rows.",
                f"测试集只有 {rows} 行，{known}的误差约为 ±{widest / 2:.1%}；要分辨更小的差别，需要更多测试数据。",
            )
        )
    return sentences


def _ranking(document: dict[str, Any]) -> str:
    """The score that ranks."""
    return score_names(document)[0]


def _score(row: dict[str, Any], name: str = HEADLINE) -> str:
    score = row["scores"][name]
    if name.startswith("spearman"):  # a correlation is no share
        return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
    return f"{score['value']:.1%} [{score['low']:.1%}, {score['high']:.1%}]"


def _significant(document: dict[str, Any], first: str, second: str) -> bool:
    return any(pair["significant"] for pair in document["pairs"] if {pair["a"], pair["b"]} == {first, second})


def _cost(row: dict[str, Any], rivals: list[dict[str, Any]]) -> float:
    """How often a rival is clearly cheaper, over every cost that was measured for all: no unit outweighs another."""
    ranks = 0.0
    for name in COSTS:
        if all(rival[name] is not None for rival in rivals):
            ranks += sum(rival[name] < CLEARLY * row[name] for rival in rivals)
    return ranks
