"""`harness compress --sensitivity`: a folder with the damages as a table and JSON, and a recipe file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.compression.methods import Method
from harness.compression.recipe import CompressionRecipe, labelled, to_yaml
from harness.compression.sensitivity import Damage, Probe, beyond, worst
from harness.compression.settings import MARGIN
from harness.core.atomic import output_folder
from harness.core.errors import HarnessError
from harness.core.hashing import fingerprint_of, hash_json
from harness.core.registry import Registry
from harness.data.frame import TaskData
from harness.pipeline.commands.compress import prepare, refuse_existing

SCHEMA_VERSION = 1
OPTIMISTIC = "The layers were chosen on the examples scored here: what the recipe costs is to be judged on others."


def analyse(
    registry: Registry,
    checkpoint: Path,
    method: Method,
    output: Path,
    *,
    task: str | None = None,
    data: str | None = None,
    limit: int | None = None,
    split: str | None = None,
    seed: int = 0,
    skip_worst: int | None = None,
    margin: float | None = None,
    listen: Callable[[int, int, Damage, float], None] = lambda number, count, damage, scale: None,
    document: Callable[[Mapping[str, Any]], str] | None = None,
) -> dict[str, Any]:
    """Write `sensitivity.json`, `recipe.yaml` and, with `document`, `sensitivity.md` into `output`; returns what the
    JSON says. `listen` is told of each group of layers: its number, of how many, its damage, the score's scale.

    The first `limit` examples of `split` are scored, by default of those the task is evaluated on. The recipe skips the
    `skip_worst` groups of layers, or those whose drop is larger than `margin` of the metric's scale.

    Raises:
        HarnessError: as `prepare` and `Probe` do; no such split; both rules, or one that skips every layer.
    """
    refuse_existing(output)
    if skip_worst is not None and margin is not None:
        raise HarnessError("--skip-worst and --margin: give one or the other")
    prepared = prepare(registry, checkpoint, method, True, task, data, None, seed)
    loaded, request = prepared.data, prepared.request
    assert loaded is not None
    names = [split] if split else [loaded.stands_in.get(name, name) for name in request.data.task.eval]
    if split and split not in loaded.splits:
        raise HarnessError(f"--split {split}: task {loaded.task} was read with {', '.join(loaded.splits)}")
    scored = {name: loaded.splits[name].head(limit) for name in names if name in loaded.splits}
    probe = Probe(method, request, scored)
    layers = probe.layers()
    if skip_worst is not None and not skip_worst < len(layers):
        raise HarnessError(f"--skip-worst {skip_worst}: the method touches {len(layers)} groups of layers; skip fewer")
    damages = []
    for number, layer in enumerate(layers):
        damages.append(probe.damage(layer, only=[layer], skip=[]))
        listen(number + 1, len(layers), damages[-1], probe.scale)
    every = probe.damage("all of them")
    margin = MARGIN if margin is None else margin
    skip = beyond(damages, margin * probe.scale) if skip_worst is None else worst(damages, skip_worst)
    rule = f"drop above {100 * margin:g} points" if skip_worst is None else f"the {skip_worst} worst"
    left = [layer for layer in layers if layer not in skip]
    recipe = _recipe(probe, skip) if left else None
    rest = probe.damage("with the recipe", skip=recipe.options.get("skip", [])) if recipe and skip else every
    analysis: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "model": str(request.source),
        "fingerprint": fingerprint_of(request.source),
        "method": method.label,
        "task": loaded.task,
        "metrics": probe.metrics,
        "data": _data(loaded, scored, limit),
        "seed": seed,
        "score": probe.score,
        "scale": probe.scale,
        "layers": [_damage_facts(damage) for damage in damages],
        "all": _damage_facts(every),
        "rule": rule,
        "skip": skip,
        "with_recipe": _damage_facts(rest) if recipe else None,
        "notes": [OPTIMISTIC] if recipe else [f"No recipe: by the rule '{rule}' it would skip every layer."],
    }
    with output_folder(output) as folder:
        (folder / "sensitivity.json").write_text(json.dumps(analysis, indent=1, ensure_ascii=False), encoding="utf-8")
        if document is not None:
            (folder / "sensitivity.md").write_text(document(analysis), encoding="utf-8")
        if recipe:
            origin = {key: analysis[key] for key in ("task", "rule", "with_recipe", "fingerprint")}
            recipe = recipe.model_copy(update={"origin": origin | {"examples": sum(probe.counts.values())}})
            (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    command = labelled(method.steps[0].name, recipe.options) if recipe else None
    return {**analysis, "output": str(output), "command": command}


def _recipe(probe: Probe, skip: Sequence[str]) -> CompressionRecipe:
    """The method's options that are not their defaults, and what it skips beside what it was told to."""
    options = probe.options.model_dump(mode="json", exclude_defaults=True)
    skipped = [*options.pop("skip", []), *skip]
    return CompressionRecipe(method=probe.name, options={**options, **({"skip": skipped} if skipped else {})})


def _damage_facts(damage: Damage) -> dict[str, Any]:
    drop = asdict(damage.drop)
    return {
        "layers": damage.layers,
        "drop": {key: drop[key] for key in ("value", "low", "high")},
        "agreement": damage.agreement,
    }


def _data(loaded: TaskData, scored: dict[str, Any], limit: int | None) -> dict[str, Any]:
    return {
        "source": loaded.source,
        "location": loaded.location,
        "limit": limit,
        "fingerprint": hash_json({name: split.fingerprint for name, split in scored.items()}),
        "splits": {name: len(split) for name, split in scored.items()},
    }
