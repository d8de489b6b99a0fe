"""The verb `harness compress`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import Include, Json, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.compression.settings import CompressSpec
from harness.core.compression_records import CompressedFolder, SensitivityFacts
from harness.core.facts import facts_from
from harness.core.machine.environment import thread_variables
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.core.text import say
from harness.pipeline.commands import compress as command
from harness.pipeline.commands import sensitivity as sensitivity_command
from harness.report.tables import plotting
from harness.report.tables import sensitivity as tables
from harness.report.text.compressing import compression_text, sensitivity_text


@spec_options(CompressSpec)
def compress(
    given: dict[str, Any],
    checkpoint: Annotated[Path, typer.Argument(help="A fine-tuned model's folder, or that of its cell.")],
    include: Include = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Make a smaller or faster model of a fine-tuned one. Prints what was done."""
    spec = parse(CompressSpec, given, "the command line")
    os.environ.update(thread_variables(1))
    registry = load_registry(include, Store.around(checkpoint).includes())
    chosen = command.method_of(spec.method, spec.options, spec.recipe)
    if spec.sensitivity:
        if spec.plot is not None:
            plotting.check(spec.plot)
        facts = sensitivity_command.analyse(
            registry, checkpoint, chosen, spec.output, task=spec.task, data=spec.data, limit=spec.limit,
            split=spec.split, seed=spec.seed, skip_worst=spec.skip_worst, margin=spec.margin,
            document=lambda content: tables.to_markdown(_analysed(content)),
            listen=lambda number, count, damage, scale: say(f"[{number}/{count}] {tables.line(damage, scale)}"),
        )  # fmt: skip
        if spec.plot is not None:
            tables.plot(_analysed(facts), spec.plot)
        text = tables.to_markdown(_analysed(facts))
        whole = {**facts, "text": text}
        text = json.dumps(whole, ensure_ascii=False, indent=1) if as_json else sensitivity_text(_analysed(facts), text)
        show_tables(text, plain or as_json)
        return
    facts = command.perform(
        registry, checkpoint, chosen, spec.output, spec.task, spec.data, spec.limit, spec.seed, spec.allow_partial,
        spec.track,
    )  # fmt: skip
    text = json.dumps(facts, ensure_ascii=False, indent=1) if as_json else compression_text(_done(facts))
    show_tables(text, plain or as_json)


def _done(content: Mapping[str, Any]) -> CompressedFolder:
    return facts_from(CompressedFolder, content, "what was done")


def _analysed(content: Mapping[str, Any]) -> SensitivityFacts:
    return facts_from(SensitivityFacts, content, "the analysis")
