"""A method applied to a model folder, step by step."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from harness.compression.base import Request
from harness.compression.card import CARD, card
from harness.compression.methods import Method
from harness.compression.saving import facts
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.merging import merged
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.settings import read_settings, write_settings

fidelity = lazy("harness.compression.fidelity")
search = lazy("harness.compression.search")

LAYERS_AFTER_POOLING = "a sentence encoder with layers after its pooling is not compressed: they would be lost"
COMPRESSION_FILE = "compression.json"
SAVING = 0.99
"""A weight file larger than this fraction of the original's is called no saving: headers differ by some bytes."""


def compress(method: Method, request: Request) -> dict[str, Any]:
    """Write the compressed model into `request.target`, and beside it what is returned, as `compression.json`, and a
    card that says it to people.

    An adapter is merged into its base first, which is the original then, and further training is of all weights.
    Returns `{"method", "runtime", "steps", "before", "after", "notes"}`: what each step says of itself, the facts of
    both models, and sentences for a reader; of a generative model also `fidelity`, how it compares with its original
    token by token.

    Raises:
        HarnessError: the model is not one that these compressors can read.
    """
    if is_adapter(request.source):
        whole = merged(request.source, request.scratch)
        training = request.training.model_copy(update={"peft": None, "learning_rate": None})
        request = replace(request, source=whole, original=whole, training=training)
    settings = read_settings(request.source)
    if settings.fitted.get("layers"):
        raise HarnessError(f"model {request.source}: {LAYERS_AFTER_POOLING}")
    made_by = settings.compression[-1]["method"] if settings.compression else ""
    if settings.runtime != "torch" and made_by not in method.steps[0].compressor.reads:
        raise HarnessError(
            f"model {request.source}: it is compressed already and runs in {settings.runtime}; compress its original"
        )
    before = facts(request.source)
    source = request.source
    steps: list[dict[str, Any]] = []
    notes: list[str] = []
    done = settings.compression
    for number, step in enumerate(method.steps):
        last = number == len(method.steps) - 1
        target = request.target if last else request.scratch / f"step-{number}"
        target.mkdir(exist_ok=True)
        scratch = request.scratch / f"scratch-{number}"
        scratch.mkdir()

        def report(fraction: float, number: int = number) -> None:
            request.report((number + fraction) / len(method.steps))

        asked = replace(request, source=source, target=target, scratch=scratch, report=report)
        step, searched = search.chosen(step, asked) if step.compressor.searches else (step, {})
        step_facts = step.compressor.compress(asked)
        step_facts["notes"] = [*searched.pop("notes", []), *step_facts.get("notes", [])]
        done = [*done, {"method": step.name, "options": step.options}]
        write_settings(target, read_settings(target).model_copy(update={"compression": done}))
        notes += step_facts.pop("notes", [])
        steps.append({"method": step.name, "options": step.options, **step_facts, **searched})
        source = target
    after = facts(request.target)
    if after["bytes"] > SAVING * before["bytes"] and not any("disk" in note for note in notes):
        notes.append("It saves nothing on disk.")
    kept = fidelity.fidelity(request)
    if kept is not None:
        notes += kept.pop("notes")
    step_facts = {
        "method": method.label,
        "runtime": after["runtime"],
        "steps": steps,
        "before": before,
        "after": after,
        "notes": notes,
        **({"fidelity": kept} if kept is not None else {}),
    }
    text = json.dumps(step_facts, indent=1, ensure_ascii=False)
    (request.target / COMPRESSION_FILE).write_text(text + "\n", encoding="utf-8")
    made = read_settings(request.target)
    (request.target / CARD).write_text(card(step_facts, made.head, made.is_plain), encoding="utf-8")
    return step_facts
