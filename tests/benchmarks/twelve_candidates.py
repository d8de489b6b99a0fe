"""A real measurement of many candidates: all models of the last run of a results folder, the uncompressed one first.

    python -m tests.benchmarks.twelve_candidates results -o twelve.json

`harness measure` of them at 8 × 64 tokens, with what else it is given (`--precision 0.03`, `--budget 40m`). It prints
the verdict of the job and of each candidate, the original against itself, and how many pairs each took.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.core.store import Store


def models_of(results: Path) -> list[str]:
    """The models that the last run made, those that were fine-tuned first."""
    cells = [cell for cell in Store(results).run("latest").cells if cell.kind in ("finetune", "compress")]
    return list(dict.fromkeys(cell.model for cell in sorted(cells, key=lambda cell: cell.kind != "finetune")))


def main() -> None:
    """Measure and print."""
    results, *others = sys.argv[1:]
    output = Path(others[others.index("-o") + 1])
    measured = subprocess.run(
        [sys.executable, "-m", "harness", "measure", *models_of(Path(results)), "--batch", "8", "--length", "64",
         "--no-memory", "--results", results, *others]
    )  # fmt: skip
    result = json.loads(output.read_text())
    print(f"exit code {measured.returncode}, {result['verdict']} {result['reasons'] or ''}")
    for name, cell in result["cells"].items():
        for stage in cell["stages"].values():
            again = stage["a_a"]
            print(f"{name}: the original against itself {again['value']:.3f} [{again['low']:.3f}, {again['high']:.3f}]")
            for model, facts in stage["models"].items():
                if "time_ratio" in facts:
                    ratio, verdict = facts["time_ratio"], facts["verdict"]
                    print(
                        f"  {model}: {ratio['value']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}] of {ratio['pairs']} "
                        f"pairs, {verdict['verdict']} {verdict['reason']}"
                    )


if __name__ == "__main__":
    main()
