"""The compare report: honest, whole, harmless, in one language, for every kind of document."""

from __future__ import annotations

import itertools
import json
import re
import shlex

import pytest

from erya import report_page
from tests import report_documents
from tests.html_checks import checked
from tests.test_charts import HOSTILE

NAMES = ["english", "chinese", "two", "many", "single", "several", "several-zh", "failed", "chance", "nothing"]


@pytest.fixture(scope="module")
def rendered():
    """``rendered(name)``: the document and its page, once a module."""
    cache = {}

    def get(name):
        if name not in cache:
            with pytest.MonkeyPatch.context() as patch:
                document = report_documents.make(name, patch)
                cache[name] = document, report_page.render(document)
        return cache[name]

    return get


def words_of(html):
    return re.sub(r"\s+", " ", " ".join(checked(html).all_words))


def section_of(html, name):
    assert f'<section id="{name}"' in html, name
    return html.split(f'<section id="{name}"')[1].split("</section>")[0]


# ---- form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_document_gives_a_whole_page(rendered, name):
    document, html = rendered(name)
    page = checked(html)
    assert page.tags.count("h1") == 1
    assert "script" not in page.tags
    for row in document["rows"]:
        assert row["name"] in " ".join(page.all_words)
    assert not re.search(r"\b(nan|None|inf|undefined)\b", " ".join(page.all_words))
    assert len(html) < 400_000


@pytest.mark.parametrize("name", ["english", "chinese", "several"])
def test_same_document_same_bytes(rendered, name):
    document, html = rendered(name)
    assert report_page.render(json.loads(json.dumps(document))) == html


def test_process_language_does_not_matter(rendered, monkeypatch):
    document, html = rendered("chinese")
    monkeypatch.setenv("ERYA_LANG", "en")
    assert report_page.render(document) == html


@pytest.mark.parametrize("name", ["chinese", "several-zh"])
def test_chinese_page_speaks_chinese_only(rendered, name):
    _, html = rendered(name)
    page = checked(html)
    assert 'lang="zh-Hans"' in html
    for words in page.words:
        assert not re.search(r"[A-Za-z]{3,} [A-Za-z]{3,}", words.replace("F1", "")), words


@pytest.mark.parametrize("name", ["english", "many", "two", "failed", "chance", "single", "several"])
def test_english_page_has_no_chinese(rendered, name):
    page = checked(rendered(name)[1])
    for words in page.words:
        assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", words.replace("尔雅", "")), words


@pytest.mark.parametrize("name", ["english", "several"])
def test_hostile_strings_stay_text(monkeypatch, name):
    """Every string that can come from data, files or other people's models."""
    document = report_documents.make(name, monkeypatch)
    schema = keys_of(document)

    def spoil(value, key=""):
        if isinstance(value, dict):
            return {(name if name in schema else name + HOSTILE): spoil(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item, key) for item in value]
        if isinstance(value, str) and key not in ("schema", "language", "status", "kind", "target_kind", "columns"):
            return value + HOSTILE
        return value

    page = checked(report_page.render(spoil(document)))
    assert "".join(page.all_words).count("<script>alert(2)</script>") > 100


def keys_of(document):
    """The names that belong to the schema, not to the data."""
    ids = {row["model"] for row in document["rows"]}
    labels = set(document["data"]["labels"])
    found = set()

    def walk(value):
        if isinstance(value, dict):
            found.update(name for name in value if name not in ids and name not in labels)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(document)
    return found - set(document["settings"]) | {"tokenizer"}


# ---- the verdict ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["english", "chinese", "two", "many", "single", "failed"])
def test_headline_names_the_recommended_model(rendered, name):
    document, html = rendered(name)
    chosen = next(row for row in document["rows"] if row["model"] == document["advice"]["recommended"])
    headline = html.split("<h1>")[1].split("</h1>")[0]
    assert chosen["name"] in headline
    assert f"{chosen['scores']['accuracy']['value']:.1%}" in html.split("</header>")[0]
    assert html.count('class="chip good"') == 1
    row = html.split("<tr class=choice>")[1].split("</tr>")[0]
    assert chosen["name"] in row


def test_all_advice_is_shown_before_anything_else(rendered):
    document, html = rendered("chinese")
    top = words_of(html)
    for sentence in document["advice"]["sentences"][1:]:
        assert re.sub(r"\s+", " ", sentence) in top
    assert "<h1>选逻辑回归</h1>" in report_page.render(
        document | {"advice": {"recommended": "classify/logistic_regression", "sentences": ["选 逻辑回归：准确率高。"]}}
    )
    assert html.index(document["advice"]["sentences"][-1][:12]) < html.index("<table")


def test_nothing_better_than_guessing_is_the_headline(rendered):
    _, html = rendered("chance")
    assert "<h1>No model beats guessing</h1>" in html
    assert "No. Nothing here is surely better than always answering" in html
    assert 'id="tradeoff"' not in html
    assert 'class="chip good"' not in html
    assert "erya train" not in html
    assert "erya check" in html


def test_nothing_finished_is_said_plainly(rendered):
    _, html = rendered("nothing")
    assert "<h1>No model finished</h1>" in html
    assert html.count("out of memory") >= 5
    for name in ("tradeoff", "differences", "labels", "confusion", "calibration"):
        assert f'id="{name}"' not in html


# ---- the ranked table -----------------------------------------------------------------------------------------


def test_every_measured_number_is_in_the_table(rendered):
    document, html = rendered("english")
    table = words_of(html)
    for row in document["rows"]:
        score = row["scores"]["accuracy"]
        assert f"{score['value']:.1%}" in table
        assert f"[{100 * score['low']:.1f}, {100 * score['high']:.1f}]" in table
        assert f"{row['predictions_per_second']:,.0f}" in table
        assert f"{row['model_bytes'] / 1e6:.1f} MB" in table
        assert f"{row['peak_rss_bytes'] / 1e6:.1f} MB" in table
    ranking = section_of(html, "ranking")
    assert f"{document['baseline']['majority']:.1%}" in ranking.split('class="baseline"')[1]
    places = [ranking.index(row["name"]) for row in document["rows"]]
    assert places == sorted(places)


def test_best_of_each_column_is_bold(rendered):
    document, html = rendered("english")
    ranking = section_of(html, "ranking")
    fastest = max(row["predictions_per_second"] for row in document["rows"])
    assert f"<b>{fastest:,.0f}</b>" in ranking
    assert ranking.count("<b>") == 6


def test_interval_bars_stand_where_their_numbers_say(rendered):
    document, html = rendered("chinese")
    ranking = section_of(html, "ranking")
    drawn = [
        (float(x), float(width))
        for x, width in re.findall(r'<rect class="interval"[^>]* x="([\d.]+)" y="8" width="([\d.]+)"', ranking)
    ]
    scores = [row["scores"]["accuracy"] for row in document["rows"]]
    assert len(drawn) == len(scores)
    pixels = [(x, x + width) for x, width in drawn]
    ends = [(score["low"], score["high"]) for score in scores]
    per_share = (pixels[0][1] - pixels[4][0]) / (ends[0][1] - ends[4][0])
    for (left, right), (low, high) in zip(pixels, ends, strict=True):
        assert right - left == pytest.approx((high - low) * per_share, abs=0.3)
        assert left - pixels[0][0] == pytest.approx((low - ends[0][0]) * per_share, abs=0.3)


def test_failed_skipped_and_stopped_rows_are_shown_with_their_reasons(rendered):
    _, html = rendered("failed")
    ranking = section_of(html, "ranking")
    assert "this model needs PyTorch, which is not installed here" in ranking
    assert "the budget was spent before its turn" in ranking
    assert "stopped by the budget at step 1,240" in ranking
    assert "may score higher with more time" in ranking
    assert ranking.count('<tr class="lost">') == 2
    assert "TextCNN" not in section_of(html, "differences")


def test_several_seeds_show_each(rendered):
    document = json.loads(json.dumps(rendered("english")[0]))
    document["rows"][0]["seeds"] = [0, 1, 2]
    document["rows"][0]["scores"]["accuracy"]["per_seed"] = [0.911, 0.922, 0.933]
    html = report_page.render(document)
    assert "91.1% · 92.2% · 93.3%" in html
    assert "means over 3 seeds" in html
    assert "--seeds 3" in section_of(html, "repeat")


# ---- pictures -------------------------------------------------------------------------------------------------


def test_tradeoff_draws_every_timed_model_and_marks_the_beaten(rendered):
    document, html = rendered("chinese")
    picture = section_of(html, "tradeoff")
    assert picture.count("<svg") == 2
    assert picture.count('class="bubble beaten"') == 2  # TextCNN: once for the desk, once for the phone
    assert picture.count('class="bubble front"') == 2 * 4
    assert "三方面都不占优的是：文本卷积网络 TextCNN。" in picture
    for row in document["rows"]:
        assert f"{row['predictions_per_second']:,.0f}" in picture.split("<table")[1]


@pytest.mark.parametrize("name", ["english", "chinese", "two", "many", "failed"])
def test_labels_in_the_tradeoff_do_not_overlap(rendered, name):
    from erya.drawing.svg import text_width

    for drawing in section_of(rendered(name)[1], "tradeoff").split("<svg")[1:]:
        drawing = drawing.split("</svg>")[0]
        boxes = [
            (float(x), float(y) - 11, float(x) + text_width(text, 13) * 0.9, float(y) + 3)
            for x, y, text in re.findall(r'<text class="t label[^"]*" x="([\d.]+)" y="([\d.]+)">([^<]*)', drawing)
        ]
        assert len(boxes) >= 3
        for a, b in itertools.combinations(boxes, 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


def test_models_without_speed_are_named_not_drawn(rendered):
    document = json.loads(json.dumps(rendered("english")[0]))
    row = document["rows"][1]
    row |= dict.fromkeys(
        ["train_seconds", "predictions_per_second", "first_answer_seconds", "model_bytes", "peak_rss_bytes"]
    )
    row["kind"] = "predictions"
    document["calibration"].pop(row["model"])
    html = report_page.render(document)
    checked(html)
    assert "Not timed, so not drawn: fastText classifier." in html
    assert "–" in section_of(html, "ranking")


def test_significance_matrix_is_antisymmetric_and_honest(rendered):
    document, html = rendered("chinese")
    matrix = section_of(html, "differences").split("<tbody>")[1].split("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", line) for line in matrix.split("</tr>")[:-1]]
    unsure = sum(not pair["significant"] for pair in document["pairs"])
    assert sum(cell.startswith("≈") for row in rows for cell in row) == 2 * unsure > 0
    for i, j in itertools.combinations(range(5), 2):
        first, second = (float(rows[a][b].strip("≈ ")) for a, b in ((i, j), (j, i)))
        assert first == -second


def test_where_nothing_differs_the_cheapest_is_named(rendered):
    document, html = rendered("english")
    assert not any(pair["significant"] for pair in document["pairs"])
    chosen = next(row for row in document["rows"] if row["model"] == document["advice"]["recommended"])
    assert f"so take the cheapest of them: {chosen['name']}." in section_of(html, "differences")


# ---- answers --------------------------------------------------------------------------------------------------


def test_confusion_has_a_panel_for_each_model_and_works_without_scripts(rendered):
    document, html = rendered("english")
    part = section_of(html, "confusion")
    assert part.count('type="radio"') == 5
    assert part.count(" checked") == 1
    assert part.count('class="panel panel-') == 5
    for index, row in enumerate(document["rows"]):
        assert f"#confusion-{index}:checked~.panels>.panel-{index}" in part
        counts = document["confusion"][row["model"]]["counts"]
        panel = part.split(f'class="panel panel-{index}">')[1].split("<table")[1].split("</table>")[0]
        cells = [0 if cell == "·" else int(cell) for cell in re.findall(r"<td class[^>]*>([^<]+)</td>", panel)]
        assert cells == [count for line in counts for count in line]


def test_many_labels_are_cut_to_the_confused_ones(rendered):
    document = json.loads(json.dumps(rendered("single")[0]))
    labels = [f"label {index:03}" for index in range(200)]
    counts = [[5 if row == column else 0 for column in range(200)] for row in range(200)]
    counts[7][150] = 4
    model = document["rows"][0]["model"]
    document["data"] |= {"labels": labels, "label_counts": dict.fromkeys(labels, 10)}
    document["confusion"][model] = {"labels": labels, "counts": counts}
    document["per_label"][model] = [
        {"label": label, "precision": 1.0, "recall": 1.0, "f1": 0.5 if label == "label 150" else 1.0, "support": 5}
        for label in labels
    ]
    html = report_page.render(document)
    checked(html)
    assert "The 30 of 200 labels with the most errors." in html
    assert "160 easier labels" in html
    assert "170 rarer labels" in html
    assert "<bdi>label 007</bdi></b> taken for <b><bdi>label 150</bdi>" in html
    assert section_of(html, "labels").index("label 150") < section_of(html, "labels").index("label 000")


def test_mistakes_show_text_truth_and_every_answer(rendered):
    document, html = rendered("chinese")
    part = section_of(html, "mistakes")
    assert part.count('class="quote"') == len(document["mistakes"])
    first = document["mistakes"][0]
    row = part.split("<tbody>")[1].split("</tr>")[0]
    assert first["text"] in row
    assert f"第 {first['row']} 行" in row
    for answer in first["answers"].values():
        assert answer["label"] in row
        assert f"{100 * answer['probability']:.0f}%" in row
    right = sum(answer["label"] == one["label"] for one in document["mistakes"] for answer in one["answers"].values())
    groups = re.findall(r'<li class="right">(.*?)</li>', part)
    assert sum(group.count('class="voter"') for group in groups) == right


def test_calibration_names_the_direction(rendered):
    document, html = rendered("chinese")
    part = section_of(html, "calibration")
    assert part.count("<svg") == 5
    assert "过于自信" in part
    for found in document["calibration"].values():
        assert all(f">{b['confidence']:.1%}<" in part for b in found["bins"])


def test_curves_only_of_models_that_have_them(rendered):
    _, html = rendered("english")
    part = section_of(html, "curves")
    assert part.count("<svg") == 2 * 3
    assert "Naive Bayes" not in part
    assert "validation accuracy" in part
    assert 'id="curves"' not in report_page.render(without_curves(rendered("english")[0]))


def without_curves(document):
    document = json.loads(json.dumps(document))
    for row in document["rows"]:
        row["curve"] = []
    return document


# ---- what to do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_commands_can_be_pasted(rendered, name):
    document, html = rendered(name)
    commands = [
        re.sub(r"<[^>]+>", "", command)
        .replace("&#x27;", "'")
        .replace("&quot;", '"')
        .replace("&lt;", "<")
        .replace("&amp;", "&")
        for command in re.findall(r"<pre>(.*?)</pre>", html, re.DOTALL)
    ]
    verbs = {"compare", "train", "evaluate", "predict", "explain", "check"}
    for command in commands:
        parts = shlex.split(command)
        assert parts[0] == "erya"
        assert parts[1] in verbs
    sourced = [shlex.split(command) for command in commands if shlex.split(command)[1] in ("compare", "train", "check")]
    assert all(document["data"]["source"] in parts for parts in sourced)
    if name == "two":
        assert any("--text" in parts and "--label" in parts for parts in sourced)


def test_a_comparison_without_a_command_line_tells_its_settings(rendered):
    document = json.loads(json.dumps(rendered("two")[0]))
    document["settings"] = {"dim": 20, "tokenizer": "characters", "averaged": True, "rate": None}
    for row in document["rows"]:
        row["seeds"] = [4, 5]
    part = section_of(report_page.render(document), "repeat")
    assert "--set dim=20 --set tokenizer=characters --set averaged=true --seed 4 --seeds 2" in part
    document["options"] = [["--text", "my column"], ["--no-header"], ["--seeds", "7"]]
    part = section_of(report_page.render(document), "repeat")
    assert "--text &#x27;my column&#x27; --no-header --seeds 7 -o report.html" in part
    assert "--set dim" not in part


def test_trained_file_is_used_not_trained_again(rendered):
    document = json.loads(json.dumps(rendered("single")[0]))
    document["rows"][0] |= {"model": "old models/m.erya", "kind": "artefact", "name": "m.erya"}
    document["advice"]["recommended"] = "old models/m.erya"
    for part in ("confusion", "per_label", "calibration"):
        document[part] = {"old models/m.erya": next(iter(document[part].values()))}
    part = section_of(report_page.render(document), "next")
    assert "erya train" not in part
    assert "erya evaluate &#x27;old models/m.erya&#x27; new.csv" in part


def test_environment_and_data_are_told(rendered):
    document, html = rendered("english")
    words = words_of(html)
    for value in document["environment"].values():
        assert str(value) in words
    assert document["data"]["digest"] in words
    assert "training 12,600, validation 700, test 700" in words


# ---- several labels a row -------------------------------------------------------------------------------------


def test_several_labels_are_judged_by_micro_f1(rendered):
    document, html = rendered("several")
    best = document["rows"][0]["scores"]["micro_f1"]
    words = words_of(html)
    assert "Micro F1, 95% interval" in words
    assert f"{100 * best['value']:.1f}%" in section_of(html, "ranking")
    assert "accuracy" not in re.sub(r"<[^>]*>", " ", section_of(html, "ranking")).lower()
    assert "McNemar" not in html
    assert "Randomisation test" in section_of(html, "differences")


def test_several_labels_show_what_is_missed_and_added(rendered):
    document, html = rendered("several")
    assert '<section id="confusion"' not in html
    shown = section_of(html, "confused")
    for found in document["confused"].values():
        for kind in found:
            assert found[kind][0]["label"] in shown
            assert f">{found[kind][0]['count']:,}<" in shown
    worst = document["mistakes"][0]
    assert worst["label"] in section_of(html, "mistakes")
    assert "True labels" in section_of(html, "mistakes")
    assert '<a href="#confused"' in html
