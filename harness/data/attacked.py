"""The examples that an attack is made on: a part of a split, with the hash of how it is attacked.

A task named `sst2+textfooler` is trained as `sst2` and scored on what the attack makes of the examples for the model
that is scored. Those texts differ by model; the examples, and how they are attacked, do not, and make the fingerprint:
a model and what compression makes of it are paired example by example, and scores under other settings stand apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.core import plugins
from harness.core.attack_spec import AttackSpec
from harness.core.hashing import hash_json
from harness.core.specs import TaskSpec
from harness.data.frame import Split, TaskData


def attack_of(spec: AttackSpec, where: str = "attack") -> Any:
    """The attack itself (`harness.attacks.base.Attack`). Raises HarnessError for an unknown one, or its options."""
    kind = plugins.lookup("attack", spec.method, where)
    return kind(kind.parsed(spec.options, f"{where} {spec.method}"))


def attack_identity(spec: AttackSpec) -> dict[str, Any]:
    """How an attack is done, with hashes in place of the names of what it reads.

    Raises:
        HarnessError: a model or file that it reads is missing.
    """
    return {"method": spec.method, **attack_of(spec).identity()}


def to_be_attacked(data: TaskData, task: TaskSpec) -> TaskData:
    """The task's data with the attacked examples alone in the splits it is scored on; their texts are as they were."""
    assert task.attack is not None
    attack = attack_of(task.attack)
    mark = hash_json(attack_identity(task.attack))
    splits, notes = dict(data.splits), list(data.notes)
    for name in dict.fromkeys(data.stands_in.get(name, name) for name in task.eval):
        if name in splits:
            splits[name] = part = _part(splits[name], attack.options.examples, attack.options.seed, mark)
            notes.append(f"{name}: {task.attack.method} on {len(part)} of {len(data.splits[name])} examples")
    return replace(data, task=task.name, splits=splits, notes=tuple(notes))


def _part(split: Split, count: int, seed: int, mark: str) -> Split:
    """So many examples, drawn by the seed, in their order."""
    return replace(split.select(split.drawn_rows(count, seed)), clean=split.fingerprint, attack=mark)
