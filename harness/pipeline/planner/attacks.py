"""The parts in which a split is attacked, so that workers share it and what is done stays done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace

from harness.core.attack_spec import AttackSpec
from harness.core.hashing import hash_json
from harness.pipeline.cells import AttackJob, Cell, ScoreJob

PART = 50
"""Examples of a part, at most."""
PARTS = 64
"""Parts of a split, at most; they are larger where it has more examples."""
QUERIES = 100
"""Texts an attack asks about for an example, about, for estimates."""
SCORED_ONLY = ("metrics", "primary_metrics")
"""What of a score's spec says nothing of the attack."""


def queries_of(attack: AttackSpec) -> float:
    """Texts that an attack asks about for an example, about."""
    return min(float(attack.options["queries"]), QUERIES)


def with_parts(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells, each score under an attack behind the parts that it is made of."""
    for cell in cells:
        if isinstance(cell.job, ScoreJob) and cell.job.inputs.task.attack is not None:
            parts = list(_parts(cell, cell.job))
            yield from parts
            keys = tuple(part.key for part in parts)
            work = None if cell.work is None else cell.work.times(1 / queries_of(cell.job.inputs.task.attack))
            yield replace(cell, job=replace(cell.job, parts=keys), needs=(*cell.needs, *keys), work=work)
        else:
            yield cell


def without_parts_of(scores: set[str], cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells without the parts of scores that are there."""
    needed = {key for cell in cells if cell.key not in scores for key in cell.needs}
    return tuple(cell for cell in cells if cell.kind != "attack" or cell.key in needed)


def _parts(cell: Cell, job: ScoreJob) -> Iterator[Cell]:
    examples = job.inputs.facts.splits[job.split].n
    count = min(PARTS, -(-examples // PART))
    given = {field.name: getattr(job, field.name) for field in fields(ScoreJob)}
    for number in range(count):
        rows = (number * examples // count, (number + 1) * examples // count)
        spec = {name: value for name, value in cell.spec.items() if name not in SCORED_ONLY}
        spec |= {"kind": "attack", "rows": list(rows)}
        work = None if cell.work is None else cell.work.times((rows[1] - rows[0]) / examples)
        job_of_part = AttackJob(**given, rows=rows)
        yield replace(cell, key=hash_json(spec), spec=spec, job=job_of_part, work=work)
