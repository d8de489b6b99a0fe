"""The report of speed, from what the benchmarks measured on one machine in one run.

    pytest tests/benchmarks --benchmark-enable --benchmark-json speed.json
    python -m tests.benchmarks.report speed.json

writes docs/results/speed.json and the table between the marks in docs/results/speed.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from harness.core.machine.environment import cpu, versions
from tests.conftest import ROOT

BEGIN, END = "<!-- ratios: made by tests/benchmarks/report.py -->", "<!-- end of ratios -->"
PAGE = ROOT / "docs" / "results" / "speed.md"


def comparisons(measured: dict[str, Any]) -> list[dict[str, Any]]:
    """What the benchmarks recorded, in order of area."""
    found = [line for one in measured["benchmarks"] for line in one["extra_info"].get("comparisons", [])]
    areas = list(dict.fromkeys(line["area"] for line in found))
    return sorted(found, key=lambda line: areas.index(line["area"]))


def table(found: list[dict[str, Any]]) -> str:
    """Markdown tables, one an area, of ratios with their ranges."""
    lines: list[str] = []
    for area in dict.fromkeys(line["area"] for line in found):
        lines += [f"### {area}, measured", "", "| work | beside | precision | CPU s | peer's | times as fast | goal |"]
        lines += ["|---|---|---|---:|---:|---:|---:|"]
        for line in (line for line in found if line["area"] == area):
            ours, theirs = (statistics.median(one["cpu"] for one in line[side]) for side in ("ours", "theirs"))
            low, high = min(line["ratios"]), max(line["ratios"])
            goal = f"{line['goal']:.3g}×" if line["goal"] else ""
            share = line["facts"].get(f"share_of_gemm_rate_{line['precision']}")
            notes = [line["note"]] if line["note"] else []
            if share is not None:
                notes.append(f"{100 * share:.0f} % of the rate of one {line['precision']} matrix product")
            subject = line["subject"] + (f" ({'; '.join(notes)})" if notes else "")
            lines.append(
                f"| {subject} | {line['peer']} | {line['precision']} | {ours:.3g} | {theirs:.3g} "
                f"| **{line['ratio']:.2f}×** ({low:.2f}–{high:.2f}) | {goal} |"
            )
        lines.append("")
    return "\n".join(lines)


def machine_line(found: list[dict[str, Any]]) -> str:
    """Where and with what it was measured."""
    facts, of = cpu(), versions()
    rounds = min(len(line["ratios"]) for line in found)
    libraries = ", ".join(f"{name} {of[name]}" for name in ("torch", "transformers") if name in of)
    return (
        f"{facts.get('model', 'an unnamed CPU')}, one thread a process, {libraries}; medians (range) of {rounds} or "
        "more rounds in turn, processor time of all processes of a side."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path, nargs="+", help="JSON files of pytest-benchmark")
    options = parser.parse_args()
    found = [line for path in options.measured for line in comparisons(json.loads(path.read_text()))]
    if not found:
        parser.error("no benchmark in it recorded a comparison")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"{BEGIN}\n\n{machine_line(found)}\n\n{table(found)}\n{END}"
    PAGE.write_text(f"{before}{made}{after}", encoding="utf-8")
    PAGE.with_suffix(".json").write_text(
        json.dumps({"machine": cpu(), "versions": versions(), "comparisons": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
