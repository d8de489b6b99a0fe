"""What `harness compress` did, for a reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.text.text import columns


def compression_text(said: Mapping[str, Any]) -> str:
    """Sizes before and after, what each step covered, and notes."""
    before, after = said["before"], said["after"]
    rows = [
        [name, f"{before[name]:,}", f"{after[name]:,}", f"{after[name] / max(1, before[name]):.3f}"]
        for name in ("parameters", "nonzero", "bytes")
        if before[name] is not None and after[name] is not None
    ]
    lines = [f"{said['output']}: {said['method']}, runs in {said['runtime']}", ""]
    lines += [columns(rows, ["", "original", "compressed", "ratio"]), ""]
    lines += [line for step in said["steps"] for line in _step_lines(step)]
    return "\n".join([*lines, *said["notes"]]).rstrip()


def _step_lines(step: Mapping[str, Any]) -> list[str]:
    lines = []
    coverage = step.get("coverage", {})
    for kind in (one for one in ("int8", "fp8", "int4", "2:4") if one in coverage):
        skipped = " and what was skipped" if coverage[kind] < coverage["linear"] else ""
        lines.append(
            f"{step['method']}: {coverage[kind]} of {coverage['linear']} linear layers are {kind}; float stays the "
            f"head: {', '.join(coverage['head'])}{skipped}"
        )
    if "pruned" in coverage:
        lines.append(
            f"{step['method']}: {100 * step['sparsity']:.1f} % zeros in {coverage['linear']} linear layers, "
            f"{coverage['pruned']} of them touched"
        )
    for kind, units in step.get("units", {}).items():
        lines.append(f"{step['method']}: {kind} {units['before']} -> {units['after']}")
    if "student" in step:
        lines.append(f"{step['method']}: student {step['student']}, {step['fit']['steps']} steps")
    return lines


def sensitivity_text(said: Mapping[str, Any]) -> str:
    """The table, and how to use the recipe."""
    lines = [said["text"]]
    if said["command"]:
        lines.append(
            f"{said['output']}/recipe.yaml: harness compress {said['model']} --recipe {said['output']}/recipe.yaml -o "
            f"FOLDER, or harness run --compress '{said['command']}'"
        )
    return "\n".join(lines)
