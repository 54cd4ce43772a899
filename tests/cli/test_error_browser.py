"""errors: of a document and of a model, filtered, in both languages, as a document; what is no document."""

from __future__ import annotations

import json

import pytest

from erya.cli.app import run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A comparison's document, a model, and rows of which one bears a wrong label."""
    from erya.classify import LogisticRegression, NaiveBayes
    from erya.leaderboard import compare
    from erya.tasks import classify
    from erya.text.dataset import Dataset, Part

    folder = tmp_path_factory.mktemp("errors")
    X, y = classify.toy(seed=3, rows=200)
    X[150], y[150] = "soup bread noodles", "music"
    parts = [Part(X[a:b], y[a:b], rows=list(range(a + 1, b + 1))) for a, b in ((0, 120), (120, 140), (140, 200))]
    compare([NaiveBayes(), LogisticRegression()], Dataset(*parts, source="toy")).save(folder / "report.json")
    LogisticRegression().fit(X[:120], y[:120]).save(folder / "m.erya")
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(X[140:], y[140:], strict=True)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_of_a_document(files, capsys, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    assert run(["errors", str(files / "report.json")]) == 0
    shown = capsys.readouterr().out
    for words in ("confident mistakes · classify/naive_bayes", "likely label errors", "soup bread noodles", "→ food"):
        assert words in shown
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert run(["errors", str(files / "report.json"), "--kind", "suspects"]) == 0
    shown = capsys.readouterr().out
    assert "可能标错的行" in shown
    assert "自信的错误" not in shown


def test_as_a_document_of_one_label(files, capsys, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    assert run(["errors", str(files / "report.json"), "--true", "music", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "erya.errors/1"
    assert document["errors"]["suspects"][0]["row"] == 151
    rows = [one for rows in document["errors"]["confident"].values() for one in rows]
    assert rows
    assert {one["label"] for one in [*rows, *document["errors"]["suspects"]]} == {"music"}
    assert run(["errors", str(files / "report.json"), "--true", "nothing"]) == 2


def test_of_a_model(files, capsys, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    assert run(["errors", str(files / "m.erya"), str(files / "rows.jsonl"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["errors"]["confident"]["classify/logistic_regression"][0]["text"] == "soup bread noodles"
    assert document["errors"]["duplicates"] is None
    assert run(["errors", str(files / "m.erya")]) == 2
    assert "needs DATA" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "erya.compare/1"}',
        '{"schema": "erya.compare/1", "errors": null, "data": {}}',
        '{"schema": "erya.compare/1", "data": {}, "errors": {"confident": {"m": [{}]}, "suspects": [], "duplicates": null}}',
        '{"schema": "erya.compare/1", "data": {}, "errors": {"confident": {}, "suspects": [1], "duplicates": null}}',
    ],
)
def test_what_is_no_document(content, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ERYA_LANG", "en")
    path = tmp_path / "x.json"
    path.write_text(content)
    assert run(["errors", str(path)]) == 3
    assert "no comparison" in capsys.readouterr().err
    assert run(["errors", str(tmp_path / "none.json")]) != 70


def test_a_document_takes_no_data(files, capsys):
    assert run(["errors", str(files / "report.json"), "x.csv"]) == 2


def test_as_a_page_of_one_model(files, tmp_path, capsys, monkeypatch):
    """evaluate --report: scores, labels, and the three kinds of rows worth reading, in both languages."""
    from tests.html_checks import checked

    monkeypatch.setenv("ERYA_LANG", "en")
    path = tmp_path / "page.html"
    command = ["evaluate", str(files / "m.erya"), str(files / "rows.jsonl"), "--report", str(path)]
    assert run(command) == 0
    captured = capsys.readouterr()
    assert "page.html" in captured.err
    assert "erya errors" in captured.err
    page = path.read_text(encoding="utf-8")
    checked(page)
    for words in (
        "Logistic regression: accuracy",
        "Error browser",
        "Confident mistakes",
        "soup bread noodles",
        "Scores",
    ):
        assert words in page
    assert "Seen in training" not in page  # a single file: what training saw is not known
    assert run([*command[:-1], str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()
    monkeypatch.setenv("ERYA_LANG", "zh")
    assert run([*command[:-1], str(tmp_path / "zh.html"), "-q"]) == 0
    assert "自信的错误" in (tmp_path / "zh.html").read_text(encoding="utf-8")


def test_a_page_names_texts_that_training_has_seen(tmp_path, capsys, monkeypatch):
    from erya.tasks import classify

    monkeypatch.setenv("ERYA_LANG", "en")
    monkeypatch.chdir(tmp_path)
    X, y = classify.toy(seed=4, rows=120)
    (tmp_path / "data").mkdir()
    for name, part in (("train", range(80)), ("dev", range(80, 100)), ("test", [*range(100, 119), 3])):
        lines = [json.dumps({"text": X[row], "label": y[row]}) + "\n" for row in part]
        (tmp_path / "data" / f"{name}.jsonl").write_text("".join(lines))
    assert run(["train", "classify/naive_bayes", "data", "-o", "m.erya", "-q"]) == 0
    assert run(["evaluate", "m.erya", "data", "--report", "page.html", "-q"]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Seen in training" in page
    assert "training row 4" in page
    assert run(["calibrate", "m.erya", "data", "-o", "c.erya", "-q"]) == 0
    assert run(["evaluate", "c.erya", "data", "--report", "c.html", "-q"]) == 0
    capsys.readouterr()
    assert run(["evaluate", "m.erya", "data", "--report", "m.erya"]) == 2
