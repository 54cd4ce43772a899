"""The original fastText command line: its verbs, options, defaults and usage texts, read as that program reads them.

Options are single-dashed, stand in any order and are the same for training and for quantizing. What was set by hand is kept
apart, since autotuning leaves it alone. Not here: what the verbs do (``fasttext.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from erya.errors import UsageError, nearest, quoted
from erya.language import language, say

INPUT_VERBS = ("supervised", "skipgram", "cbow")
LOSSES = {"hs": "hs", "ns": "ns", "softmax": "softmax", "one-vs-all": "ova", "ova": "ova"}

# name → (type, default); a verb changes some defaults (DEFAULTS_OF)
OPTIONS: dict[str, tuple[type, Any]] = {
    "input": (str, ""),
    "output": (str, ""),
    "verbose": (int, 2),
    "minCount": (int, 5),
    "minCountLabel": (int, 0),
    "wordNgrams": (int, 1),
    "bucket": (int, 2_000_000),
    "minn": (int, 3),
    "maxn": (int, 6),
    "t": (float, 1e-4),
    "label": (str, "__label__"),
    "lr": (float, 0.05),
    "lrUpdateRate": (int, 100),
    "dim": (int, 100),
    "ws": (int, 5),
    "epoch": (int, 5),
    "neg": (int, 5),
    "loss": (str, "ns"),
    "thread": (int, 12),
    "pretrainedVectors": (str, ""),
    "saveOutput": (bool, False),
    "seed": (int, 0),
    "autotune-validation": (str, ""),
    "autotune-metric": (str, "f1"),
    "autotune-predictions": (int, 1),
    "autotune-duration": (int, 300),
    "autotune-modelsize": (str, ""),
    "autotune-journal": (str, ""),
    "deterministic": (bool, True),
    "cutoff": (int, 0),
    "retrain": (bool, False),
    "qnorm": (bool, False),
    "qout": (bool, False),
    "dsub": (int, 2),
    "max-size": (str, ""),
}
DEFAULTS_OF: dict[str, dict[str, Any]] = {
    "supervised": {"minCount": 1, "loss": "softmax", "minn": 0, "maxn": 0, "lr": 0.1}
}
GROUPS = {
    "dictionary": ("minCount", "minCountLabel", "wordNgrams", "bucket", "minn", "maxn", "t", "label"),
    "training": (
        "lr", "lrUpdateRate", "dim", "ws", "epoch", "neg", "loss", "thread", "pretrainedVectors", "saveOutput", "seed",
    ),
    "autotune": (
        "autotune-validation", "autotune-metric", "autotune-predictions", "autotune-duration", "autotune-modelsize",
    ),
    "quantization": ("cutoff", "retrain", "qnorm", "qout", "dsub", "max-size"),
}  # fmt: skip
MEANINGS: dict[str, tuple[str, str]] = {
    "minCount": ("minimal number of word occurrences", "词至少出现的次数"),
    "minCountLabel": ("minimal number of label occurrences", "标签至少出现的次数"),
    "wordNgrams": ("max length of word n-gram", "词 n 元组的最大长度"),
    "bucket": ("number of buckets", "哈希桶数"),
    "minn": ("min length of character n-gram", "字符 n 元组的最小长度"),
    "maxn": ("max length of character n-gram", "字符 n 元组的最大长度"),
    "t": ("sampling threshold", "下采样阈值"),
    "label": ("labels prefix", "标签前缀"),
    "lr": ("learning rate", "学习率"),
    "lrUpdateRate": ("accepted, without effect: the rate falls at every line", "接受但不起作用：学习率逐行下降"),
    "dim": ("size of word vectors", "词向量维数"),
    "ws": ("size of the context window", "上下文窗口"),
    "epoch": ("number of epochs", "训练轮数"),
    "neg": ("number of negatives sampled", "负采样个数"),
    "loss": ("loss function {ns, hs, softmax, one-vs-all}", "损失函数 {ns, hs, softmax, one-vs-all}"),
    "thread": ("number of threads", "线程数"),
    "pretrainedVectors": ("pretrained word vectors for supervised learning", "监督学习用的预训练词向量"),
    "saveOutput": ("whether output params should be saved", "是否保存输出参数"),
    "seed": ("random generator seed", "随机种子"),
    "autotune-validation": ("validation file to be used for evaluation", "自动调参所用的验证文件"),
    "autotune-metric": (
        "metric objective {f1, f1:labelname, precisionAtRecall:R, recallAtPrecision:P}",
        "调参目标 {f1, f1:标签, precisionAtRecall:R, recallAtPrecision:P}",
    ),
    "autotune-predictions": ("number of predictions used for evaluation", "评测时取前几个预测"),
    "autotune-duration": ("maximum duration in seconds", "最长时间，秒"),
    "autotune-modelsize": ("constraint model file size (empty = do not quantize)", "模型文件大小上限（空：不量化）"),
    "autotune-journal": ("file of trials, to go on from (Erya's own)", "尝试记录文件，可由此继续（Erya 增加）"),
    "deterministic": (
        "same seed, same bits; false: faster (Erya's own)",
        "种子相同则结果相同；false 更快（Erya 增加）",
    ),
    "cutoff": ("number of words and ngrams to retain", "保留多少个词与 n 元组"),
    "retrain": ("whether embeddings are finetuned if a cutoff is applied", "截断之后是否再训练"),
    "qnorm": ("whether the norm is quantized separately", "是否单独量化范数"),
    "qout": ("whether the classifier is quantized", "是否量化分类器"),
    "dsub": ("size of each sub-vector", "子向量的维数"),
    "max-size": (
        "the best model under this size, by -autotune-validation FILE (Erya's own)",
        "不超过此大小的最好模型，按 -autotune-validation 文件评判（Erya 增加）",
    ),
}


@dataclass(slots=True)
class Options:
    """What was asked for.

    Attributes:
        values: every option by name.
        by_hand: the names that stood on the command line.
    """

    values: dict[str, Any]
    by_hand: set[str] = field(default_factory=set)

    def chosen(self, names: Sequence[str]) -> dict[str, Any]:
        """Some of them."""
        return {name: self.values[name] for name in names}


def parse(verb: str, arguments: Sequence[str]) -> Options:
    """The options of ``supervised``, ``skipgram``, ``cbow`` or ``quantize``.

    Raises:
        UsageError: an unknown option, a value that is missing or of the wrong kind, no -input or -output.
    """
    options = Options({name: default for name, (_, default) in OPTIONS.items()} | DEFAULTS_OF.get(verb, {}))
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        name = flag.lstrip("-") if flag.startswith("-") else ""
        if name not in OPTIONS:
            raise _unknown(flag)
        kind = OPTIONS[name][0]
        if kind is bool:
            options.values[name] = True
            if rest and rest[0].lower() in ("true", "false", "0", "1"):
                options.values[name] = rest.pop(0).lower() in ("true", "1")
        elif not rest:
            raise UsageError("missing-value", say(f"{flag} needs a value", f"{flag} 需要一个值"))
        else:
            options.values[name] = _value(flag, kind, rest.pop(0))
        options.by_hand.add(name)
    _settle(verb, options)
    return options


def _unknown(flag: str) -> UsageError:
    guess = nearest(flag.lstrip("-"), list(OPTIONS))
    return UsageError(
        "unknown-option",
        say(f"unknown argument: {quoted(flag, 40)}", f"未知的选项：{quoted(flag, 40)}"),
        help=say(f"did you mean -{guess}?", f"是不是 -{guess}？") if guess else None,
    )


def _value(flag: str, kind: type, text: str) -> Any:
    if flag.lstrip("-") == "loss":
        if text not in LOSSES:
            raise UsageError(
                "bad-setting",
                say(f"unknown loss: {quoted(text, 40)}", f"未知的损失函数：{quoted(text, 40)}"),
                help="-loss ns | hs | softmax | one-vs-all",
            )
        return LOSSES[text]
    try:
        return kind(text)
    except ValueError:
        raise UsageError(
            "bad-setting", say(f"{flag}: {quoted(text, 40)} is not a number", f"{flag}：{quoted(text, 40)} 不是数字")
        ) from None


def _settle(verb: str, options: Options) -> None:
    """What follows from other options, and what may not be missing."""
    values = options.values
    needed = ("output",) if verb == "quantize" else ("input", "output")
    missing = [name for name in needed if not values[name]]
    if missing:
        raise UsageError(
            "missing-option",
            say(f"empty input or output path: -{missing[0]} is missing", f"缺少 -{missing[0]}"),
            help=f"erya fasttext {verb} " + " ".join(f"-{name} …" for name in needed),
        )
    plain = values["wordNgrams"] <= 1 and values["maxn"] == 0
    if plain and not values["autotune-validation"]:
        values["bucket"] = 0
    if verb != "supervised" and values["loss"] == "ova":
        raise UsageError("bad-setting", say("one-vs-all is for supervised models", "one-vs-all 只用于监督模型"))


ERYA_NAMES = {
    "window": "ws",
    "epochs": "epoch",
    "min_count": "minCount",
    "negative": "neg",
    "min_n": "minn",
    "max_n": "maxn",
    "word_ngrams": "wordNgrams",
    "learning_rate": "lr",
    "buckets": "bucket",
    "sample": "t",
}


def as_flag(help: str | None) -> str | None:
    """Advice on a setting of Erya's, ``--set window=…``, as an option of this command line."""
    if help is None or not help.startswith("--set "):
        return help
    name, _, value = help.removeprefix("--set ").partition("=")
    return f"-{ERYA_NAMES.get(name, name)} {value}"


def usage(verb: str | None = None) -> str:
    """The program's usage, or that of a verb that takes options."""
    if verb is None:
        return "\n".join(
            [
                say("usage: erya fasttext <command> <args>", "用法：erya fasttext <命令> <参数>"),
                "",
                say("The commands supported by fasttext are:", "支持的命令："),
                "",
                *(f"  {name:<24}{_said(texts)}" for name, texts in VERBS.items()),
            ]
        )
    defaults = {name: default for name, (_, default) in OPTIONS.items()} | DEFAULTS_OF.get(verb, {})
    lines = [say("The following arguments are mandatory:", "必需的参数：")]
    lines += ["  -input              " + say("training file path", "训练文件")] if verb != "quantize" else []
    lines += ["  -output             " + say("output file path", "输出文件"), ""]
    for group, names in GROUPS.items():
        if group == "autotune" and verb != "supervised":
            continue
        if group == "quantization" and verb != "quantize":
            continue
        lines.append(say(f"The following arguments for {group} are optional:", f"{_TITLES[group]}（可选）："))
        lines += [f"  -{name:<20}{_said(MEANINGS[name])} [{_shown(defaults[name])}]" for name in names]
        lines.append("")
    return "\n".join(lines).rstrip()


def _said(texts: tuple[str, str]) -> str:
    """Of English and Chinese, the user's."""
    return texts[1] if language() == "zh" else texts[0]


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


_TITLES: Mapping[str, str] = {"dictionary": "词典", "training": "训练", "autotune": "自动调参", "quantization": "量化"}
VERBS: dict[str, tuple[str, str]] = {
    "supervised": ("train a supervised classifier", "训练监督分类器"),
    "quantize": ("quantize a model to reduce the memory usage", "量化模型，减小体积"),
    "test": ("evaluate a supervised classifier", "评测分类器"),
    "test-label": ("print labels with precision and recall scores", "逐个标签的精确率与召回率"),
    "predict": ("predict most likely labels", "预测最可能的标签"),
    "predict-prob": ("predict most likely labels with probabilities", "预测标签及其概率"),
    "skipgram": ("train a skipgram model", "训练 skipgram 词向量"),
    "cbow": ("train a cbow model", "训练 cbow 词向量"),
    "print-word-vectors": ("print word vectors given a trained model", "输出词向量"),
    "print-sentence-vectors": ("print sentence vectors given a trained model", "输出句向量"),
    "print-ngrams": ("print ngrams given a trained model and word", "输出一个词的 n 元组及其向量"),
    "nn": ("query for nearest neighbors", "查询近邻"),
    "analogies": ("query for analogies", "查询类比"),
    "dump": ("dump arguments,dictionary,input/output vectors", "导出参数、词典、输入或输出矩阵"),
}
