"""The score cell of an attacked task: the model is scored on what the attack makes of each example for it. Parts of the
examples are attacked in cells of their own, which workers compute side by side and the store keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.attacks.base import Answer, Attack, Target
from harness.attacks.lockstep import attack_all
from harness.attacks.outcomes import Outcome, columns_of, outcome_of, skipped, summed_up
from harness.core.checked import read_checked, write_checked
from harness.core.errors import DamagedFileError, HarnessError, StoredFileError
from harness.core.families import FAMILIES
from harness.core.part_records import OUTCOMES, AttackRecord
from harness.core.predictions import Predictions, Reading, joined
from harness.core.store import Store
from harness.data.attacked import attack_of
from harness.data.augment.text import Text
from harness.data.frame import Split
from harness.modeling.probabilities import probabilities_of
from harness.modeling.weights.loading import partial_weights
from harness.pipeline.cells import AttackJob, Cell, ScoreJob
from harness.pipeline.steps import score
from harness.pipeline.steps.score import Asked, say_nothing, subject_of

AT_ONCE = 50
"""Examples that are attacked in lockstep. What a model is given together depends on it."""


@dataclass(frozen=True)
class Part:
    """Some of the examples of a split: what became of each, and what the model says of them as they are."""

    outcomes: Sequence[Outcome]
    clean: Predictions


def run(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Score what was made of the examples in parts, write `folder/predictions.parquet`, and return the record's body.

    Raises:
        DamagedFileError: a part is not what was written.
    """
    assert isinstance(cell.job, ScoreJob)
    parts = [_part(key, store) for key in cell.job.parts]
    return score.run(cell, store, folder, report, partial(under_attack, parts=parts))


def run_part(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Attack a part of the examples, write `folder/outcomes.json`, and return the record's body."""
    job = cell.job
    assert isinstance(job, AttackJob)
    subject = subject_of(job, store)
    with partial_weights(job.partial and job.source is None):
        part = attacked(subject.asked(report, say_nothing), range(*job.rows))
    write_checked(folder / OUTCOMES, {"outcomes": [outcome.as_json() for outcome in part.outcomes]})
    task = job.inputs.task
    return {
        "task": {"name": task.name, "version": task.version, "family": task.family},
        "split": job.split,
        "model": subject.model.record,
        "seed": subject.model.seed,
        "n": len(part.outcomes),
        "first": job.rows[0],
        "succeeded": sum(outcome.result == "succeeded" for outcome in part.outcomes),
        "decoding": dict(part.clean.settings),
        "read": None if part.clean.read is None else asdict(part.clean.read),
        "cautions": list(part.clean.cautions),
        "lineage": subject.model.lineage,
    }


def attacked(asked: Asked, rows: range) -> Part:
    """What the attack makes of some of the examples.

    Raises:
        HarnessError: the examples have no labels, or the text that is to be changed is not there.
    """
    spec, split = asked.task.attack, asked.split
    assert spec is not None
    if split.labels is None:
        raise HarnessError(f"task {asked.task.name}: the examples have no labels, and an attack needs the right class")
    attack: Attack = attack_of(spec, f"task {asked.task.name}: attack")
    field = attacked_field(asked, attack.options.field)
    originals: list[Predictions] = []
    outcomes: list[Outcome] = []
    for start in range(rows.start, rows.stop, AT_ONCE):
        together = range(start, min(start + AT_ONCE, rows.stop))
        originals.append(asked.answers(split.select(together)))
        outcomes += _in_lockstep(attack, asked, field, together, originals[-1])
        asked.report(len(outcomes) / len(rows))
    return Part(outcomes, _in_order(originals))


def under_attack(asked: Asked, parts: Sequence[Part]) -> tuple[Predictions, dict[str, Any]]:
    """Predictions of the attacked texts, with what the attack did.

    Args:
        asked: The examples as they are, and the model.
        parts: Of them, in order.
    """
    import numpy as np

    spec = asked.task.attack
    assert spec is not None
    attack: Attack = attack_of(spec, f"task {asked.task.name}: attack")
    texts = asked.split.fields[attacked_field(asked, attack.options.field)]
    clean = _in_order([part.clean for part in parts])
    outcomes = [outcome for part in parts for outcome in part.outcomes]
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


def _in_order(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of examples that follow each other."""
    ends = list(accumulate(len(part.values) for part in parts))
    return joined(parts, [range(end - len(part.values), end) for part, end in zip(parts, ends, strict=True)])


def _in_lockstep(attack: Attack, asked: Asked, field: str, rows: Sequence[int], clean: Predictions) -> list[Outcome]:
    split, options = asked.split, attack.options
    assert split.labels is not None
    originals = _answered(clean, len(asked.labels))
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


def _part(key: str, store: Store) -> Part:
    """What a cell made. Raises DamagedFileError where it is not what was written."""
    import numpy as np

    record, path = store.read(key), store.file(key, OUTCOMES)
    assert isinstance(record, AttackRecord)
    try:
        outcomes = [Outcome.model_validate(outcome) for outcome in read_checked(path)["outcomes"]]
    except (StoredFileError, ValueError) as error:
        raise DamagedFileError(f"{path}: it is not what an attack wrote: {error}") from None
    before = np.asarray([outcome.before for outcome in outcomes], dtype=np.int64)
    read = None if record.read is None else Reading(**record.read.as_json())
    return Part(outcomes, Predictions(before, {}, record.decoding, read, tuple(record.cautions)))
