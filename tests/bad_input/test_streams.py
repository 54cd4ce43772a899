"""Pipes that break, streams that are closed, locales without UTF-8, terminals without colour."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from .shell import MODEL, SOURCES, environment


def shell(erya, line: str, **more: str) -> tuple[str, str, list[int]]:
    """A line of bash: what it wrote, and the exit codes of its pipe."""
    erya.paste("true")  # makes the program ``erya`` there
    done = subprocess.run(
        ["bash", "-c", f"{line}; echo codes ${{PIPESTATUS[@]}} >&2"],
        cwd=erya.folder,
        env={**environment(erya.home, **more), "PATH": f"{erya.home / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    talk, _, codes = done.stderr.rpartition("codes ")
    assert "Traceback" not in talk, talk
    assert "Exception ignored" not in talk, talk
    return done.stdout, talk, [int(code) for code in codes.split()]


@pytest.mark.parametrize(
    "verb",
    [
        "predict m.erya many.txt",
        "predict m.erya many.txt --jsonl",
        "predict m.erya many.txt --json",
        "data snips --json",
    ],
)
def test_whoever_reads_may_leave(erya, verb):
    (erya.folder / "many.txt").write_text("a superb film\n" * 20_000, encoding="utf-8")
    out, talk, codes = shell(erya, f"erya {verb} | head -1")
    assert len(out.splitlines()) == 1
    assert codes == [0, 0]
    assert talk == ""


def test_a_stream_without_end_is_answered_as_it_comes(erya):
    out, _, codes = shell(erya, "yes 'a superb film' | erya predict m.erya | head -2")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["good", "good"]
    assert codes[1:] == [0, 0]


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams(erya, closed):
    out, _, codes = shell(erya, f"erya predict m.erya --input 'a superb film' {closed}")
    assert out.startswith("good\t")
    assert codes == [0]
    assert shell(erya, f"erya predict m.erya nowhere.txt {closed}")[2] == [3]


def test_nothing_to_read_from(erya):
    out, talk, codes = shell(erya, "erya predict m.erya <&-")
    assert (out, codes) == ("", [0])
    assert talk == "  rows    none: there was no text to answer\n"
    assert shell(erya, "erya predict m.erya < /dev/null") == (out, talk, codes)


def test_closed_output(erya):
    """As if it went to /dev/null; and the model is written all the same, not the answers into it."""
    assert shell(erya, "erya predict m.erya --input x >&-")[2] == [0]
    assert shell(erya, f"erya train {MODEL} reviews.csv --preset tiny -o new.erya >&- 2>&- <&-")[2] == [0]
    assert (erya.folder / "new.erya").read_bytes()[:4] == b"PK\x03\x04"
    assert erya("check", "new.erya").code == 0


def test_a_pipe_as_a_file(erya):
    out, _, codes = shell(erya, "erya check <(cat reviews.csv) --format csv")
    assert codes == [0]
    assert "60 rows" in out
    _, _, codes = shell(erya, f"erya train {MODEL} <(cat reviews.csv) --format csv --preset tiny -o new.erya")
    assert codes == [0]


# ---- locales ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["C", "zh_CN.GB18030"])
def test_chinese_in_any_locale(erya, locale):
    """Names of files, texts behind an option, texts from a pipe and messages: the same as in a UTF-8 locale."""
    text, reference = "这部电影 superb film", {"LC_ALL": "C.UTF-8"}
    (erya.folder / "m.erya").rename(erya.folder / "模型.erya")
    (erya.folder / "文本.txt").write_text(f"{text}\n", encoding="utf-8")
    for arguments, stdin in (
        (["predict", "模型.erya", "--input", text], b""),
        (["predict", "模型.erya", "文本.txt", "--json"], b""),
        (["predict", "模型.erya"], text.encode()),
        (["predict", "没有.erya", "--input", text], b""),
        (["evaluate", "模型.erya", "reviews.csv", "--label", "标签"], b""),
    ):
        wanted = erya(*arguments, lang="zh", stdin=stdin, env=reference)
        found = erya(*arguments, lang="zh", stdin=stdin, env={"LC_ALL": locale})
        assert (found.code, found.out, found.err) == (wanted.code, wanted.out, wanted.err)
        assert "\\u" not in found.out + found.err
        assert "模型" not in arguments or found.code == 0


@pytest.mark.parametrize("locale", ["C", "nowhere"])
def test_an_encoding_that_cannot_say_it(erya, locale):
    """Where Python was told to use ASCII, the command line still writes UTF-8."""
    ended = erya("--help", lang="zh", env={"LC_ALL": locale, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ended.code == 0
    assert "比较" in ended.out


# ---- colour -------------------------------------------------------------------------------------------------------


def on_a_terminal(erya, *arguments: str, **more: str) -> str:
    """What the command writes where all its streams are a terminal."""
    import pty

    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "erya", *arguments],
        cwd=erya.folder,
        env={**environment(erya.home), "TERM": "xterm-256color", "PYTHONPATH": str(SOURCES), **more},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            block = os.read(reader, 1 << 16)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not block:
            break
        written += block
    process.wait()
    os.close(reader)
    return written.decode()


COMMANDS = [
    ["list"],
    ["train", MODEL, "nowhere.csv", "-o", "x.erya"],
    ["train", MODEL, "reviews.csv", "--preset", "tiny", "-o", "x.erya"],
    ["explain", "m.erya", "a superb film"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_colour(erya, arguments):
    """Colour on a terminal, none under NO_COLOR – whatever its value – and the same words."""
    coloured = on_a_terminal(erya, *arguments)
    assert "\x1b[" in coloured
    plain = on_a_terminal(erya, *arguments, NO_COLOR="1")
    assert not [code for code in colours(plain) if code != "0"]
    assert "\x1b[" not in erya(*arguments).err


def colours(written: str) -> list[str]:
    """The arguments of all escape sequences that set a colour or a style."""
    return re.findall(r"\x1b\[([0-9;]*)m", written)


# ---- documents ----------------------------------------------------------------------------------------------------

ERRORS = {
    2: ["train", "classify/nothing_like_it", "reviews.csv", "-o", "x.erya"],
    3: ["train", MODEL, "nowhere.csv", "-o", "x.erya"],
    4: ["predict", "nowhere.erya", "--input", "x"],
    5: ["train", MODEL, "reviews.csv", "-o", "nowhere/x.erya"],
    6: [
        *["train", "classify/textcnn", "reviews.csv", "--preset", "tiny", "-o", "x.erya"],
        *["--set", "learning_rate=1", "--set", "weight_decay=900000"],  # each step makes the weights as large again
    ],
}


@pytest.mark.parametrize("code", ERRORS)
def test_json_errors_of_every_kind(erya, code):
    """One document on stdout with six fields, the block on stderr, the exit code in both."""
    for lang in ("en", "zh"):
        ended = erya(*ERRORS[code], "--json", lang=lang)
        document = json.loads(ended.out)
        assert set(document) == {"schema", "code", "exit", "error", "where", "help"}
        assert document["schema"] == "erya.error/1"
        assert ended.code == document["exit"] == code
        assert document["error"] == ended.first.removeprefix("error: ").removeprefix("错误：")
        assert (document["where"] or "") == ended.place
        assert (document["help"] or "") == ended.help
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", document["code"])
    assert erya(*ERRORS[code]).out == ""
