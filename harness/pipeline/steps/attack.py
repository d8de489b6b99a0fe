"""The score cell of an attacked task: the model is scored on what the attack makes of each example for it. Examples
that are done are kept, so that an attack that was stopped goes on from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.attacks.base import Answer, Attack, Target
from harness.attacks.lockstep import attack_all
from harness.attacks.outcomes import Outcome, columns_of, outcome_of, skipped, summed_up
from harness.core.checked import read_checked, write_checked
from harness.core.errors import HarnessError, StoredFileError
from harness.core.families import FAMILIES
from harness.core.predictions import Predictions
from harness.core.store import Store
from harness.data.attacked import attack_of
from harness.data.augment.text import Text
from harness.data.frame import Split
from harness.modeling.probabilities import probabilities_of
from harness.pipeline.cells import Cell
from harness.pipeline.steps import score
from harness.pipeline.steps.score import Asked

AT_ONCE = 32
"""Examples that are attacked in lockstep, and kept when they are done. What a model is given together depends on it."""


def run(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Attack, write `folder/predictions.parquet`, and return the record's body."""
    return score.run(cell, store, folder, report, partial(under_attack, kept=store.partial(cell.key)))


def under_attack(asked: Asked, kept: Path) -> tuple[Predictions, dict[str, Any]]:
    """Predictions of the attacked texts, with what the attack did.

    Raises:
        HarnessError: the examples have no labels, or the text that is to be changed is not there.
    """
    import numpy as np

    spec, split = asked.task.attack, asked.split
    assert spec is not None
    if split.labels is None:
        raise HarnessError(f"task {asked.task.name}: the examples have no labels, and an attack needs the right class")
    attack: Attack = attack_of(spec, f"task {asked.task.name}: attack")
    field = attacked_field(asked, attack.options.field)
    texts = split.fields[field]
    clean = asked.answers(split)
    originals = _answered(clean, len(asked.labels))
    outcomes: list[Outcome] = []
    for start in range(0, len(split), AT_ONCE):
        rows = range(start, min(start + AT_ONCE, len(split)))
        path = kept / f"attacked-{start}.json"
        done = _read(path, len(rows))
        if done is None:
            done = _attacked(attack, asked, field, rows, [originals[row] for row in rows])
            kept.mkdir(parents=True, exist_ok=True)
            write_checked(path, {"outcomes": [outcome.as_json() for outcome in done]})
        outcomes += done
        asked.report(len(outcomes) / len(split))
    values = np.asarray([outcome.label for outcome in outcomes], dtype=np.int64)
    columns = columns_of(outcomes, texts)
    if all(outcome.logits is not None for outcome in outcomes):
        columns = {"logits": np.asarray([outcome.logits for outcome in outcomes], dtype=np.float32), **columns}
    facts = summed_up(spec, attack, outcomes).as_json()
    return replace(clean, values=values, columns=columns), {"attack": facts}


def attacked_field(asked: Asked, name: str | None) -> str:
    """The text that is changed: the one that is named, else the last of the example's."""
    family = FAMILIES.get(asked.task.family)
    fields = family.text_fields(asked.split.fields)
    if name is not None and name not in fields:
        raise HarnessError(f"task {asked.task.name}: field {name}: there is none, only {', '.join(fields)}")
    return name or fields[-1]


def _attacked(
    attack: Attack, asked: Asked, field: str, rows: Sequence[int], originals: Sequence[Answer]
) -> list[Outcome]:
    """Some examples, in lockstep."""
    split, options = asked.split, attack.options
    assert split.labels is not None
    protect = frozenset(word.lower() for word in options.protect)
    texts = [Text(split.fields[field][row], protect=protect) for row in rows]
    right = [index for index, row in enumerate(rows) if originals[index].label == split.labels[row]]
    targets = [
        Target(
            split.ids[rows[index]],
            texts[index],
            originals[index].label,
            originals[index],
            max(1, int(options.changed * len(texts[index].words) + 1e-9)),
        )
        for index in right
    ]

    def ask(changed: Sequence[tuple[int, str]]) -> list[Answer]:
        part = split.select([rows[right[number]] for number, _ in changed])
        fields = {**part.fields, field: tuple(text for _, text in changed)}
        return _answered(asked.answers(Split(part.ids, fields)), len(asked.labels))

    queries = attack_all(attack, targets, ask)
    fooled = {index: outcome_of(target, count) for index, target, count in zip(right, targets, queries, strict=True)}
    return [
        fooled.get(index) or skipped(texts[index].text, len(texts[index].words), originals[index])
        for index in range(len(rows))
    ]


def _answered(predicted: Predictions, classes: int) -> list[Answer]:
    import numpy as np

    labels = predicted.values.astype(np.int64).tolist()
    chances = probabilities_of(predicted, classes).tolist()
    logits = predicted.columns.get("logits")
    raw = logits.tolist() if isinstance(logits, np.ndarray) and logits.shape == (len(labels), classes) else None
    return [
        Answer(label, tuple(chances[row]), None if raw is None else tuple(raw[row])) for row, label in enumerate(labels)
    ]


def _read(path: Path, count: int) -> list[Outcome] | None:
    """Examples that were done before; None where they were not, or nobody can tell."""
    with contextlib.suppress(StoredFileError, ValueError):
        outcomes = [Outcome.model_validate(outcome) for outcome in read_checked(path)["outcomes"]]
        return outcomes if len(outcomes) == count else None
    return None
