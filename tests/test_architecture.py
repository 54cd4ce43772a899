"""The house stands as drawn: imports go down, rooms do not know one another, nothing heavy is imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import erya

PACKAGE = Path(erya.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if not path.name.startswith("test_"))
FLOORS = {
    **dict.fromkeys(["language", "errors", "state", "progress", "machine", "trace", "charts", "drawing", "text"], 0),
    **dict.fromkeys(["atomic", "kernel_cache", "strict_json", "tensors", "samples"], 0),
    **dict.fromkeys(["scoring", "tasks"], 1),
    **dict.fromkeys(["container", "manifest", "nested", "artefact", "contract", "training", "parts"], 2),
    "models": 3,
    **dict.fromkeys(
        [
            "catalog",
            "advice",
            "board_table",
            "calibrated",
            "contest",
            "budget_plan",
            "contest_clock",
            "contestants",
            "error_rows",
            "fasttext",
            "filter_journal",
            "foreign_classifier",
            "filter_run",
            "filtering",
            "leaderboard",
            "curves",
            "onnx_classifier",
            "near_duplicates",
            "report_page",
            "run_corpus",
            "run_display",
            "run_folder",
            "run_recipe",
            "run_report",
            "runs",
            "segmenter",
            "self_training",
            "trial_rows",
            "trial_words",
            "trial_texts",
            "mixture",
            "run_documents",
            "generate",
            "tuning",
            "trial_tags",
            "trial_pairs",
            "classify",
            "generate",
            "tag",
            "vectors",
        ],
        4,
    ),
    **dict.fromkeys(["cli", "__main__"], 5),
}


def imports_of(path: Path) -> set[str]:
    """All ``erya.…`` modules that a file names in imports, inside functions too; not those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("erya")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("erya"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    return FLOORS.get(parts[1]) if len(parts) > 1 else None


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    module = module_of(path)
    if module == "erya":
        return
    own = floor_of(module)
    assert own is not None, f"{module} is on no floor: name it in FLOORS"
    for imported in imports_of(path):
        other = floor_of(imported)
        if other is None or (imported.split(".")[1] == "text" and imported.endswith(".samples")):
            continue
        # the contract alone may look up at the floor it belongs to; find() in the catalog is the one dynamic import
        assert other <= own, f"{module} (floor {own}) imports {imported} (floor {other})"
        if module.startswith("erya.models.") and imported.startswith("erya.models."):
            assert imported.split(".")[2] == module.split(".")[2], f"{module} imports the room {imported}"


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_code_from_files(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_MODULES
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, f"line {node.lineno}"
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                assert (node.func.value.id, node.func.attr) != ("torch", "load")
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle":
                    assert isinstance(keyword.value, ast.Constant)
                    assert keyword.value.value is False


@pytest.mark.parametrize(
    "code",
    [
        "import erya",
        "import sys; sys.argv = ['erya', '--help']\nimport erya.__main__ as m\ntry: m.main()\nexcept SystemExit: pass",
    ],
    ids=["import", "help"],
)
def test_nothing_heavy_is_imported_early(code):
    heavy = ("torch", "numba", "sklearn", "pandas", "scipy", "tokenizers", "rjieba")
    script = f"{code}\nimport sys\nsys.stderr.write(','.join(m for m in {heavy!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_counting_rooms_never_import_torch():
    for path in (PACKAGE / "models").glob("*/card.toml"):
        if 'extra = "neural"' not in path.read_text(encoding="utf-8"):
            for source in path.parent.glob("*.py"):
                assert "import torch" not in source.read_text(encoding="utf-8"), source


@pytest.mark.parametrize("id", ["classify/naive_bayes", "classify/logistic_regression", "classify/fasttext"])
def test_predicting_needs_neither_numba_nor_scikit_learn(id, fitted, tmp_path):
    path = fitted(id).save(tmp_path / "m.erya")
    script = (
        "import sys, erya\nmodel = erya.load(sys.argv[1])\nmodel.predict_proba(['soup']); model.explain('soup'); model.trace('soup')\n"
        "print(','.join(m for m in ('torch', 'numba', 'sklearn', 'pandas', 'scipy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_sentences_come_in_both_languages():
    """Every ``say`` has two arguments, and the second one speaks Chinese unless it is a command."""
    lonely = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                english, chinese = node.args
                has_han = any("\u4e00" <= character <= "\u9fff" for character in ast.unparse(chinese))
                says_words = any(character.isalpha() for character in ast.unparse(english).strip("f'\""))
                if says_words and not has_han:
                    lonely.append(f"{path.name}:{node.lineno} {ast.unparse(english)[:60]}")
    assert not lonely
