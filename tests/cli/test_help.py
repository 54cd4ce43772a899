"""Help leads with examples, in both languages, and is there at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import VERBS


def has_han(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_front_page_names_every_verb(erya, lang, arguments):
    page = erya(*arguments, lang=lang)
    assert page.code == 0
    assert page.err == ""
    for verb in VERBS:
        (line,) = [line for line in page.lines if line.strip().split(" ")[0] == verb]
        assert has_han(line) == (lang == "zh")


@pytest.mark.parametrize("verb", VERBS)
def test_examples_come_first_and_parse(erya, verb):
    page = erya(verb, "--help")
    assert page.code == 0
    assert page.lines[2] == "Examples"
    assert page.lines.index("Examples") < page.lines.index("Usage") < page.lines.index("Options")
    assert any(f"erya {verb} " in line for line in page.lines[3 : page.lines.index("Usage")])
    assert max(map(len, page.lines)) <= 110


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained_in_chinese(erya, verb):
    page = erya(verb, "--help", lang="zh")
    text = page.out[page.out.index("\n用法") :]
    options = [line for line in text.splitlines() if line.startswith("  -")]
    assert options
    joined = text.replace("\n" + " " * 20, " ")
    for line in options:
        start = joined.index(line.strip())
        assert has_han(joined[start : start + 200]), line
    assert "Usage" not in page.out
    assert "show this page" not in page.out


@pytest.mark.parametrize("verb", VERBS)
def test_both_languages_explain_the_same_options(erya, verb):
    def names(page):
        return [line.split("  ")[1].split(" ")[0] for line in page.lines if line.startswith("  -")]

    assert names(erya(verb, "--help")) == names(erya(verb, "--help", lang="zh"))


def test_version(erya):
    import erya as package

    assert erya("--version").out == f"erya {package.__version__}\n"


def test_help_imports_nothing_slow():
    script = (
        "import sys; sys.argv = ['erya', '--help']\nfrom erya.__main__ import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "slow = 'numpy torch numba sklearn scipy pandas rich.console pydantic tokenizers tomllib.x'.split()\n"
        "sys.stderr.write(','.join(name for name in slow if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_python_m_erya_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "erya", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("erya ")


@pytest.mark.parametrize(
    ("words", "offer"),
    [
        ("erya tra", "train"),
        ("erya train classify/na", "classify/naive_bayes"),
        ("erya check sample:po", "sample:poetry"),
    ],
)
def test_tab_completes_verbs_models_and_samples(words, offer):
    environment = {
        **os.environ,
        "_ERYA_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([sys.executable, "-m", "erya"], capture_output=True, text=True, env=environment, check=False)
    assert offer in done.stdout.split()
