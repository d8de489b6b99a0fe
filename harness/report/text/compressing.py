"""What `harness compress` did, for a reader."""

from __future__ import annotations

from harness.core.cell_records import StepFacts
from harness.core.compression_records import CompressedFolder, SensitivityFacts
from harness.report.text.text import columns


def compression_text(done: CompressedFolder) -> str:
    """Sizes before and after, what each step covered, and notes."""
    before, after = done.before, done.after
    sizes = {
        "parameters": (before.parameters, after.parameters),
        "nonzero": (before.nonzero, after.nonzero),
        "bytes": (before.bytes, after.bytes),
    }
    rows = [
        [name, f"{first:,}", f"{second:,}", f"{second / max(1, first):.3f}"]
        for name, (first, second) in sizes.items()
        if first is not None and second is not None
    ]
    lines = [f"{done.output}: {done.method}, runs in {done.runtime}", ""]
    lines += [columns(rows, ["", "original", "compressed", "ratio"]), ""]
    lines += [line for step in done.steps for line in _step_lines(step)]
    return "\n".join([*lines, *done.notes]).rstrip()


def _step_lines(step: StepFacts) -> list[str]:
    lines = []
    linear = step.coverage.get("linear", 0)
    for kind in (number_format for number_format in ("int8", "fp8", "int4", "2:4") if number_format in step.coverage):
        count, head = step.coverage[kind], step.coverage.get("head", ())
        skipped = " and what was skipped" if count < linear else ""
        lines.append(
            f"{step.method}: {count} of {linear} linear layers are {kind}; float stays the head: "
            f"{', '.join(head)}{skipped}"
        )
    pruned = step.coverage.get("pruned")
    if pruned is not None:
        lines.append(
            f"{step.method}: {100 * step.sparsity:.1f} % zeros in {linear} linear layers, {pruned} of them touched"
        )
    for name, units in step.units.items():
        lines.append(f"{step.method}: {name} {units.before} -> {units.after}")
    if step.student is not None:
        lines.append(f"{step.method}: student {step.student}, {step.fit.steps} steps")
    return lines


def sensitivity_text(analysis: SensitivityFacts, table: str) -> str:
    """The table, and how to use the recipe."""
    lines = [table]
    if analysis.command:
        lines.append(
            f"{analysis.output}/recipe.yaml: harness compress {analysis.model} --recipe {analysis.output}/recipe.yaml "
            f"-o FOLDER, or harness run --compress '{analysis.command}'"
        )
    return "\n".join(lines)
