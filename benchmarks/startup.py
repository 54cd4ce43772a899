"""How soon anything answers: ``erya --help``, ``import erya``, and the first prediction of a trained file in a fresh process.

    python -m benchmarks.startup

Writes ``results/startup.json``. Floors: ``erya --help`` 200 ms in the median; first answer of a counting model 1 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import results_file
from erya import catalog, read

RUNS = 15


def seconds(command: list[str], runs: int = RUNS) -> list[float]:
    """Wall seconds of whole processes, after one warm-up."""
    found = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return sorted(found[1:])


def main() -> None:
    python = sys.executable
    rows = {
        "erya --help": seconds([python, "-m", "erya", "--help"]),
        "python -c 'import erya'": seconds([python, "-c", "import erya"]),
        "python -c pass": seconds([python, "-c", "pass"]),
    }
    data = read("sample:snips")
    with tempfile.TemporaryDirectory() as folder:
        for id in catalog.ids("classify"):
            model = catalog.model(id, "tiny").fit(data.train.inputs[:2000], data.train.targets[:2000])
            path = model.save(Path(folder) / f"{id.split('/')[1]}.erya")
            command = [python, "-m", "erya", "predict", str(path), "--input", "play some jazz"]
            rows[f"erya predict {path.name} --input …"] = seconds(command, 5)
    for name, values in rows.items():
        print(f"{name:50s} median {statistics.median(values) * 1000:7.0f} ms   min {values[0] * 1000:7.0f} ms")
    figures = {
        name: {"median_seconds": statistics.median(values), "runs": len(values)} for name, values in rows.items()
    }
    results_file.write("startup", {"rows": figures})


if __name__ == "__main__":
    main()
