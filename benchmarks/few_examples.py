"""What helps where few sentences are labelled: lists and patterns, answers of its own, expected counts over untagged text.

    python -m benchmarks.few_examples resume 0.01 0.05 0.1      shares of the training sentences; the rest is there without tags
    python -m benchmarks.few_examples snips 0.01 0.05 0.1

Everything is scored on the data's own test sentences, two drawn orders each (``curves.nested_order``). What judges the rounds of
self-training is a fifth of the few labelled sentences: nobody who has thirty-eight of them has a dev set. The lists are what anybody
writes down in ten minutes. Writes ``results/few_examples.json``, share by share.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from typing import Any

import erya
from benchmarks import results_file
from erya.curves import nested_order
from erya.self_training import self_train
from erya.text.dataset import Part

SEEDS = 2
UNTAGGED = 1500  # sentences
STEPS = 60

PEOPLES = "汉族 回族 满族 蒙古族 藏族 苗族 壮族 维吾尔族 朝鲜族 土家族 彝族 布依族 侗族 瑶族 白族 哈尼族 傣族 黎族 畲族"
DEGREES = "本科 大专 专科 中专 高中 博士 硕士 学士 研究生 博士后 学历 学位 本科学历 大专学历 硕士学位 博士学位 硕士研究生 MBA EMBA"
POSTS = (
    "董事长 副董事长 董事 独立董事 总经理 副总经理 总裁 副总裁 总监 经理 主任 副主任 监事 监事会主席 董事会秘书 财务总监 总工程师 "
    "高级工程师 工程师 教授 副教授 讲师 会计师 高级会计师 经济师 律师 合伙人 书记 党委书记 处长 科长 厂长 主席 院长 所长 秘书长 研究员"
)
PLACES = (
    "北京 上海 天津 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 贵州 云南 陕西 "
    "甘肃 青海 台湾 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 深圳 广州 南京 杭州 武汉 成都 西安"
)
SURNAMES = (
    "王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 林 罗 高 郑 梁 谢 宋 唐 许 韩 冯 邓 曹 "
    "彭 曾 萧 田 董 潘 袁 蔡 蒋 余 于 杜 叶 程 魏 苏 吕 丁 任 卢"
)
STATES = (
    "Alabama,Alaska,Arizona,Arkansas,California,Colorado,Connecticut,Delaware,Florida,Georgia,Hawaii,Idaho,Illinois,Indiana,Iowa,Kansas,"
    "Kentucky,Louisiana,Maine,Maryland,Massachusetts,Michigan,Minnesota,Mississippi,Missouri,Montana,Nebraska,Nevada,New Hampshire,"
    "New Jersey,New Mexico,New York,North Carolina,North Dakota,Ohio,Oklahoma,Oregon,Pennsylvania,Rhode Island,South Carolina,"
    "South Dakota,Tennessee,Texas,Utah,Vermont,Virginia,Washington,West Virginia,Wisconsin,Wyoming"
)
COUNTRIES = (
    "Argentina,Australia,Austria,Belgium,Brazil,Canada,Chile,China,Colombia,Cuba,Denmark,Egypt,Finland,France,Germany,Greece,Hungary,"
    "India,Indonesia,Iran,Iraq,Ireland,Israel,Italy,Japan,Kenya,Malaysia,Mexico,Morocco,Netherlands,Nigeria,Norway,Pakistan,Peru,"
    "Philippines,Poland,Portugal,Romania,Russia,Singapore,South Korea,Spain,Sweden,Switzerland,Thailand,Turkey,Ukraine,Vietnam"
)
SERVICES = "Spotify,Pandora,iTunes,YouTube,Deezer,Netflix,Last Fm"
TIMES = (
    "today,tomorrow,tonight,noon,midnight,this week,next week,next month,this weekend,next year,"
    "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"
)


def _letters(text: str) -> list[str]:
    """Words as the characters that a tagger of Chinese reads."""
    return [" ".join(word) for word in text.split()]


LISTS: dict[str, dict[str, list[str]]] = {
    "resume": {
        "people": _letters(PEOPLES),
        "degree": _letters(DEGREES),
        "post": _letters(POSTS),
        "place": _letters(PLACES),
        "surname": SURNAMES.split(),
    },
    "snips": {
        "state": STATES.split(","),
        "country": COUNTRIES.split(","),
        "service": SERVICES.split(","),
        "time": TIMES.split(","),
    },
}
PATTERNS = {"number": "[0-9]+", "clock": "[0-9]{1,2}(:[0-9]{2})?(am|pm|AM|PM)?"}

Way = Callable[[Any, Any, list[Any]], tuple[Any, dict[str, Any]]]


def ways(name: str) -> dict[str, Way]:
    """From few labelled and many untagged sentences to a tagger, each in its own way."""

    def crf(**settings: Any) -> Any:
        return erya.tag.CRF(steps=STEPS, **settings)

    def counted(X: Any, y: Any, more: list[Any]) -> tuple[Any, dict[str, Any]]:
        return erya.tag.HMM().fit(X, y).partial_fit(more), {}

    def taught(make: Callable[[], Any]) -> Way:
        def way(X: Any, y: Any, more: list[Any]) -> tuple[Any, dict[str, Any]]:
            model = make()
            found = self_train(model, X, y, more, rounds=2)
            return model, {"best_round": found.best, "kept": found.rounds[found.best].kept}

        return way

    own = {"lists": LISTS[name], "patterns": PATTERNS}
    return {
        "hmm": lambda X, y, more: (erya.tag.HMM().fit(X, y), {}),
        "hmm, expected counts": counted,
        "hmm, self-training": taught(erya.tag.HMM),
        "crf": lambda X, y, more: (crf().fit(X, y), {}),
        "crf, lists": lambda X, y, more: (crf(**own).fit(X, y), {}),
        "crf, self-training": taught(crf),
    }


def data_of(name: str) -> tuple[Part, Part]:
    """Training and test sentences."""
    if name == "snips":
        found = erya.read("sample:snips", task="tag")
        assert found.test is not None
        return found.train, found.test
    folder = results_file.SHARED / name
    return tuple(erya.read(folder / f"{part}.conll.gz", task="tag").train for part in ("train", "test"))  # type: ignore[return-value]


def measured(name: str, share: float) -> dict[str, Any]:
    """Test scores of every way on one share, over the drawn orders."""
    train, test = data_of(name)
    targets = train.targets or []
    found: dict[str, list[dict[str, Any]]] = {}
    count = round(share * len(train))
    for seed in range(SEEDS if share < 1 else 1):
        order = nested_order(targets, seed).tolist()
        X, y = ([rows[row] for row in sorted(order[:count])] for rows in (train.inputs, targets))
        more = [train.inputs[row] for row in order[count : count + UNTAGGED]]
        for way, learn in ways(name).items():
            if more or not ("," in way and "lists" not in way):
                model, facts = learn(X, y, more)
                found.setdefault(way, []).append({"f1": model.score(test.inputs, test.targets), **facts})
                print(name, share, seed, way, found[way][-1], flush=True)
    return {
        "share": share,
        "sentences": count,
        "untagged": min(UNTAGGED, len(train) - count),
        "draws": len(found["hmm"]),
        "f1": {way: {"mean": statistics.fmean(run["f1"] for run in runs), "runs": runs} for way, runs in found.items()},
    }


def main() -> None:
    name, *shares = sys.argv[1:]
    for share in map(float, shares):
        row = measured(name, share)
        document = results_file.read("few_examples") or {}
        curves = document.get("curves", {})
        rows = [one for one in curves.get(name, []) if one["share"] != share]
        curves[name] = sorted([*rows, row], key=lambda one: one["share"])
        results_file.write("few_examples", {"steps": STEPS, "seeds": SEEDS, "curves": curves})


if __name__ == "__main__":
    main()
