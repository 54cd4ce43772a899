"""What settings mean, in both languages. A hyper-parameter has one name in every model, so it is explained once."""

from __future__ import annotations

import inspect
import re

from erya.language import say


def meaning(model: type[object], name: str) -> str:
    """One phrase for a setting: ours, else the first line that the model's docstring has for it."""
    task = str(getattr(model, "id", "")).split("/")[0]
    own = {"vectors": _of_words, "generate": _of_texts}.get(task)
    return (own().get(name) if own else None) or _common().get(name) or _from_docstring(model, name)


def task_line(task: str) -> str:
    """What question a task answers, in a few words."""
    return {
        "classify": say("which label fits a text, or a pair of texts", "一段文本（或一对文本）属于哪个类别"),
        "vectors": say("words as points, near where meanings are near", "把词变成点，意义相近则位置相近"),
        "topics": say("what a collection of texts is about", "一批文本在谈哪些主题"),
        "keywords": say("which words matter in a text", "一段文本里哪些词重要"),
        "tag": say("one label for each token", "每个词元一个标签"),
        "generate": say("which word comes next", "下一个词是什么"),
        "translate": say("a text in another language", "把文本译成另一种语言"),
        "encode": say("a text as one vector", "把文本变成一个向量"),
    }.get(task, "")


def _common() -> dict[str, str]:
    return {
        "dim": say("width of the vectors", "向量宽度"),
        "hidden_width": say("width of the hidden layers", "隐藏层宽度"),
        "layers": say("layers stacked", "层数"),
        "heads": say("attention heads", "注意力头数"),
        "window": say("how many words are seen at once", "一次看到的词数"),
        "negative": say("noise words or labels per true one", "每个真词或真标签对应的噪声个数"),
        "min_count": say("rarer tokens are left out", "少于此次数的词元不用"),
        "min_count_ngrams": say("rarer n-grams are left out", "少于此次数的 n 元组不用"),
        "epochs": say("passes over the training data", "训练数据过几遍"),
        "steps": say("optimization steps, at most", "最多优化多少步"),
        "tolerance": say("the slope at which the solver is satisfied", "梯度小于此值即停止求解"),
        "l2": say("strength of the penalty on large weights", "对大权重的 L2 惩罚强度"),
        "smoothing": say(
            "added to every count, so that nothing is impossible", "加在每个计数上，使任何词都不至于不可能"
        ),
        "character_weight": say("weight of character n-grams beside words", "字符 n 元组相对于词的权重"),
        "filters": say("filters of each width", "每种宽度的滤波器数"),
        "batch_size": say("texts per gradient step", "每个梯度步的文本数"),
        "learning_rate": say("size of a step", "学习率"),
        "weight_decay": say("pull of the weights towards 0", "权重衰减"),
        "dropout": say("share of units left out while training", "训练时随机丢弃的比例"),
        "clip_norm": say("longest gradient allowed", "梯度裁剪的最大范数"),
        "patience": say("epochs without progress before stopping", "多少遍没有进步就停止"),
        "scheme": say("tag scheme to learn in; data: as the data has it", "学习时用的标注体系；data：与数据相同"),
        "seed": say("same seed, same bits", "随机种子：相同则结果逐位相同"),
        "deterministic": say(
            "same bits for any number of threads; false is faster", "线程数不同结果也逐位相同；false 更快"
        ),
        "tokenizer": say(
            "how texts are cut: auto words characters chinese_words", "切词方式：auto words characters chinese_words"
        ),
        "class_weight": say('none, balanced, or {"label": weight}', 'none、balanced 或 {"标签": 权重}'),
        "word_ngrams": say("longest run of words used as a feature", "词 n 元组的最大长度"),
        "min_n": say("shortest run of characters used", "字符 n 元组的最小长度"),
        "max_n": say("longest run of characters used; 0: none", "字符 n 元组的最大长度；0 表示不用"),
        "buckets": say("slots for hashed n-grams", "n 元组哈希桶数"),
        "loss": "auto · softmax · one_vs_all · hierarchical_softmax · negative_sampling",
        "pretrained": say(
            "what to begin with: word vectors; for gpt a trained GPT", "起点：词向量文件；gpt 则是训练好的 GPT"
        ),
        "auxiliary": say(
            "λ: weight of the language model's loss beside that of the labels", "λ：语言模型损失所占的权重"
        ),
        "frozen_layers": say("so many layers of pretrained stay as they are", "pretrained 的前若干层保持不变"),
        "norm_epsilon": say("added to the variance a norm divides by", "归一化时加到方差上的小数"),
        "freeze": say("these vectors stay as they are", "预训练词向量保持不变"),
        "inner_width": say("width between the two matrices behind the attention", "注意力之后两个矩阵之间的宽度"),
        "word_dropout": say("share of words dropped whole while training", "训练时整个丢弃的词的比例"),
        "norm": say("pre: normalised before each sublayer; post: behind it", "pre：子层之前归一化；post：子层之后"),
        "positions": say("how places are told: sinusoidal, learned, none", "位置表示：sinusoidal、learned 或 none"),
        "activation": say("what bends the inner layer: gelu, relu", "内层激活函数：gelu 或 relu"),
        "attention_width": say("width of what is weighed", "打分向量的宽度"),
        "most_words": say("a longer sentence is read in pieces", "超过此词数的句子分段读"),
        "strongest": say("how many of a filter's strongest windows are kept", "每个滤波器保留几个最强的窗口"),
        "max_norm": say("longest weights of a label allowed; none: no limit", "每个标签权重的最大范数；none 表示不限"),
        "optimizer": say("how steps are taken: adam, adadelta", "优化方法：adam 或 adadelta"),
        "blocks": say("times the text is halved, at most", "文本最多减半几次"),
        "context_width": say("width of what is told of the words to each side", "左右上下文的宽度"),
        "length": say("characters read at once", "一次读入的字符数"),
        "directions": say("1: read from the left; 2: from both ends", "1：只从左读；2：从两端读"),
        "recurrent_gain": say("singular values the recurrent weights begin with", "循环权重起步时的奇异值"),
        "vectors": say("word vectors to begin with: a file, or an .erya", "用作起点的词向量：文件或 .erya"),
        "vectors_mode": say(
            "non-static: they go on learning; static: they stay", "non-static：继续学习；static：保持不变"
        ),
        "min_coverage": say("share of the running text that the vectors must know", "词向量至少要覆盖的词次比例"),
        "extra_words": say(
            "words of the vectors that get a row though no training text has them",
            "训练文本没有、但仍从词向量中收入的词数",
        ),
        "label_smoothing": say("share of the aim spread evenly over all labels", "均分给所有标签的目标份额"),
    }


def _of_words() -> dict[str, str]:
    """Settings that only models of word vectors have, or that mean something of their own there."""
    return {
        "window": say("words to each side that are neighbours", "左右各多少个词算邻居"),
        "max_size": say("the greatest number of words; none: no limit", "词表最多多少个词；none 表示不限"),
        "steps": say("rounds of the solver", "求解的轮数"),
        "smoothing": say(
            "exponent of the counts of contexts or noise words; below 1 the rare ones weigh more",
            "上下文或噪声词计数的指数；小于 1 时罕见词的份量更大",
        ),
        "algorithm": say(
            "skip_gram: each neighbour predicts by itself; cbow: all together",
            "skip_gram：邻居各自预测；cbow：合起来预测",
        ),
        "loss": "negative_sampling · nce · hierarchical_softmax",
        "cbow_mean": say(
            "CBOW predicts from the mean of its neighbours, else from their sum", "CBOW 用邻居向量的平均，否则用总和"
        ),
        "shrink_window": say(
            "draw each window's width anew, so that near neighbours count more", "每个窗口随机缩小，使近邻居份量更大"
        ),
        "watch": say(
            "words whose way through the training is kept; none named: some frequent ones",
            "记录这些词在训练中的移动；不写则取一些高频词",
        ),
        "weighting": say(
            "neighbours count alike (uniform), or 1/distance (distance)", "邻居权重：uniform 相同，distance 按 1/距离"
        ),
        "association": say("ppmi, pmi or count: what is factored", "被分解的量：ppmi、pmi 或 count"),
        "shift": say("k: ln k is taken from every PMI", "k：每个 PMI 减去 ln k"),
        "eigenvalue_weighting": say("exponent of the singular values: 1, 0.5 or 0", "奇异值的指数：1、0.5 或 0"),
        "x_max": say("a count from which a pair has its full weight", "共现达到此数即取满权重"),
        "alpha": say("exponent of the weight below x_max", "x_max 以下权重的指数"),
        "clip": say("bound of every component of a gradient", "梯度各分量的上限"),
        "add_contexts": say("add a word's vector as a context to it", "把作为上下文的向量加到词向量上"),
        "sample": say(
            "words more frequent than this share are thinned out; 0: never", "频率高于此的词会被抽稀；0 表示不抽"
        ),
        "tokenizer": say(
            "how texts are cut: auto words whitespace characters chinese_words",
            "切词方式：auto words whitespace characters chinese_words",
        ),
    }


def _of_texts() -> dict[str, str]:
    """Those of language models."""
    return {
        "tokenizer": say(
            "units: auto characters words whitespace bpe", "单元：auto、characters、words、whitespace 或 bpe"
        ),
        "documents": say(
            "what a document of a file is: auto line paragraph file", "文件中的一篇：auto、line、paragraph 或 file"
        ),
        "min_count": say("rarer units count as unknown", "少于此次数的单元算作未知"),
        "max_vocabulary": say("the most units that are known; none: all", "最多认识多少个单元；none 表示全部"),
        "context": say("units a gradient goes back, or that are seen at once", "梯度回传、或一次能看到的单元数"),
        "sampling": say(
            "sequential: rows that go on, with their state; random: pieces in random order",
            "sequential：按行接着读并保留状态；random：打乱的片段",
        ),
        "truncation": say("where gradients are cut: regular varied random", "梯度截断：regular、varied 或 random"),
        "over_borders": say("whether documents see those before them", "是否让文档看到它前面的文档"),
        "batch_size": say("rows or pieces per gradient step", "每个梯度步的行数或片段数"),
        "steps": say("gradient steps, instead of epochs", "梯度步数，写了就不看 epochs"),
        "tied": say("the softmax uses the units' own vectors", "输出层与输入共用单元向量"),
        "variational": say("drop the same numbers at every step of a batch", "一批之内各步丢弃相同的位置"),
        "weight_dropout": say("share of the recurrent weights dropped in a batch", "每批丢弃的循环权重比例"),
        "layer_dropout": say("dropout between layers", "层与层之间的丢弃比例"),
        "embedding_dropout": say("share of units whose vectors are dropped whole", "整个向量被丢弃的单元比例"),
        "activation_penalty": say("wants states to be small", "对状态大小的惩罚"),
        "change_penalty": say("wants states to change slowly", "对状态变化的惩罚"),
        "last_width": say("width of the last layer", "最后一层的宽度"),
        "initial_range": say("first weights: uniform up to this; none: by kind", "初始权重的均匀分布上限；none 按种类"),
        "optimizer": say("adam, sgd, momentum, averaged_sgd", "adam、sgd、momentum 或 averaged_sgd"),
        "averaging_patience": say(
            "epochs without progress before weights are averaged", "多少遍没有进步就开始平均权重"
        ),
        "schedule": say("of the learning rate: constant linear cosine", "学习率的走势：constant、linear 或 cosine"),
        "warmup": say("share of the training over which the rate rises", "学习率升到最大值所占的训练比例"),
        "final_rate": say("share of the learning rate left at the end", "学习率降到最大值的多少为止"),
        "rate_decay": say(
            "the rate is multiplied with this each epoch behind decay_after", "decay_after 之后每遍学习率乘以它"
        ),
        "decay_after": say("epochs before rate_decay begins", "多少遍之后开始 rate_decay"),
        "beta2": say("how much of the mean square gradient Adam keeps", "Adam 对梯度平方均值的保留比例"),
        "order": say("n: longest run of units that is counted", "n：计数的最长单元串"),
        "k": say("what add_k adds to every count", "add_k 给每个计数加多少"),
        "prune": say("for each order, counts up to this are dropped", "各阶计数不超过此值的丢弃"),
        "direct": say("connections past the hidden layer", "绕过隐藏层的直接连接"),
        "smoothing": say("kneser_ney, add_k or mle", "kneser_ney、add_k 或 mle"),
    }


def _from_docstring(model: type[object], name: str) -> str:
    text = inspect.getdoc(model) or ""
    found = re.search(rf"^\s+{re.escape(name)}\s*(?:\([^)]*\))?:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).split(". ")[0].rstrip(".") if found else ""
