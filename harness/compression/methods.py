"""Methods as they are asked for: `int8`, `prune-structured:0.5`, `distill:student=bert-tiny,temperature=4`, and chains
of them, `prune-structured:0.5|int8`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.compression import COMPRESSORS, Compressor, Target
from harness.compression.options import AUTO
from harness.core.errors import OF_YOUR_OWN, HarnessError, unknown
from harness.core.strict_spec import parse
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.weights.settings import ITEM_HEADS, TOWERS

CHAIN_MARK = "|"
FOR_ITEMS = "int8, onnx, int8-weight, int8-torch and bf16"
"""What compresses models of images and sounds, for messages."""


@dataclass(frozen=True)
class Step:
    """One compressor of a chain, by name and with its options."""

    name: str
    compressor: Compressor

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.compressor.options.model_dump(mode="json")
        return options


@dataclass(frozen=True)
class Method:
    """A chain of compressors, and how it is written."""

    label: str
    steps: tuple[Step, ...]

    @property
    def uses_data(self) -> bool:
        return any(step.compressor.uses_data for step in self.steps)

    @property
    def reads_texts(self) -> bool:
        return any(step.compressor.reads_texts for step in self.steps)

    @property
    def student_name(self) -> str | None:
        """The model spec of its student."""
        return next((step.compressor.student_name for step in self.steps if step.compressor.student_name), None)

    @property
    def runtime(self) -> str:
        return self.steps[-1].compressor.runtime

    @property
    def identity(self) -> list[list[Any]]:
        """What it does, without how it was written."""
        return [[step.name, step.options] for step in self.steps]

    def not_applicable(self, target: Target) -> str | None:
        if target.head not in WRITING_HEADS and any(step.compressor.searches for step in self.steps):
            return f"{AUTO} searches by the perplexity of a generative model; of others --sensitivity finds the layers"
        texts = [step.name for step in self.steps if not step.compressor.reads_items]
        if target.head in (TOWERS, *ITEM_HEADS) and texts:
            return f"{texts[0]} does not compress models of images and sounds ({target.head}) yet; {FOR_ITEMS} do"
        reasons = (step.compressor.not_applicable(target) for step in self.steps)
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def plugins(self) -> list[tuple[str, str]]:
        """The compressors and runtimes it uses, as (kind, name)."""
        steps = [("compressor", step.name) for step in self.steps]
        return [*steps, *(("runtime", step.compressor.runtime) for step in self.steps)]


def parse_method(text: str, where: str = "--compress") -> Method:
    """Raises HarnessError for an unknown compressor or option, a value out of range, or a chain that cannot be."""
    parts = [part.strip() for part in text.split(CHAIN_MARK)]
    steps = tuple(_parse_step(part, f"{where} {part}") for part in parts)
    for before, after in pairwise(steps):
        if before.compressor.runtime != "torch" and before.name not in after.compressor.reads:
            readable = " or ".join(after.compressor.reads)
            remedy = f"put {readable} before it, or a method for torch" if readable else f"put {before.name} last"
            raise HarnessError(
                f"{where} {text}: {before.name} gives a model for {before.compressor.runtime}, which {after.name} "
                f"does not read; {remedy}"
            )
    if sum(step.compressor.student_name is not None for step in steps) > 1:
        raise HarnessError(f"{where} {text}: a chain has at most one student; compress the student in another run")
    return Method(CHAIN_MARK.join(parts), steps)


def make_step(name: str, values: Mapping[str, Any], where: str) -> Step:
    """Raises HarnessError for an unknown compressor or option, or a value out of range."""
    kind = COMPRESSORS.get(name)
    return Step(name, kind(parse(kind.Options, dict(values), where)))


def settings_of(pairs: Sequence[str], where: str) -> dict[str, str]:
    """`key=value` pairs as a mapping; what is no pair is one more value of the key before it (`skip=a,b`).

    Raises:
        HarnessError: the first is not a pair, or a key is given twice.
    """
    values: dict[str, str] = {}
    key = ""
    for pair in pairs:
        if "=" not in pair and key:
            values[key] += f",{pair.strip()}"
            continue
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key:
            raise HarnessError(f"{where}: '{pair}' is not key=value")
        if key in values:
            raise HarnessError(f"{where}: '{key}' is given twice")
        values[key] = value
    return values


def _parse_step(text: str, where: str) -> Step:
    known = [name for name in COMPRESSORS.names() if text == name or text.startswith(f"{name}:")]
    if not known:
        name = text.partition(":")[0]
        raise unknown("compressor", name, COMPRESSORS.names(), hint=OF_YOUR_OWN)
    name = max(known, key=len)
    rest = text[len(name) + 1 :]
    if not rest:
        return make_step(name, {}, where)
    if "=" in rest:
        return make_step(name, settings_of(rest.split(","), where), where)
    main = COMPRESSORS.get(name).main
    if main is None:
        raise HarnessError(f"{where}: {name} has no main option; write {name}:key=value")
    return make_step(name, {main: rest}, where)
