"""The verb `harness compress`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.options import AllowPartial, Include, Json, Plain, show_tables
from harness.core.compression_records import CompressedFolder, SensitivityFacts
from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.machine.environment import thread_variables
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.core.text import say
from harness.pipeline.commands import compress as command
from harness.pipeline.commands import sensitivity as sensitivity_command
from harness.report.tables import plotting
from harness.report.tables import sensitivity as tables
from harness.report.text.compressing import compression_text, sensitivity_text


def compress(
    checkpoint: Annotated[Path, typer.Argument(help="A fine-tuned model's folder, or that of its cell.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the result goes.")],
    method: Annotated[
        Optional[str], typer.Option("--method", "-m", help="A compressor, or a chain 'prune-structured:0.5|int8'.")
    ] = None,
    settings: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="An option of the method. Repeatable.")
    ] = None,
    recipe: Annotated[
        Optional[Path], typer.Option("--recipe", metavar="FILE", help="A method with options, as --sensitivity writes.")
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Score the method on each layer alone; writes a table and a recipe.")
    ] = False,
    skip_worst: Annotated[
        Optional[int], typer.Option("--skip-worst", min=0, metavar="K", help="The recipe skips the K worst layers.")
    ] = None,
    margin: Annotated[
        Optional[float],
        typer.Option("--margin", min=0, help="Or those that cost more of the metric's scale.", show_default="0.01"),
    ] = None,
    plot: Annotated[
        Optional[Path], typer.Option("--plot", metavar="FILE", help="The sensitivity as .svg, .png or .pdf.")
    ] = None,
    split: Annotated[
        Optional[str], typer.Option("--split", help="What --sensitivity scores.", show_default="the evaluated ones")
    ] = None,
    task: Annotated[Optional[str], typer.Option("--task", help="Whose examples a method looks at.")] = None,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data", metavar="SOURCE", help="synthetic, hub, or a folder or file.", show_default="the cell's"
        ),
    ] = None,
    limit: Annotated[
        Optional[int], typer.Option("--limit", min=1, help="Use the first N examples; --sensitivity: score so many.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")] = 0,
    include: Include = None,
    allow_partial: AllowPartial = False,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Make a smaller or faster model of a fine-tuned one. Prints what was done."""
    import json

    given = {"--skip-worst": skip_worst, "--margin": margin, "--plot": plot, "--split": split}
    stray = next((name for name, value in given.items() if value is not None and not sensitivity), None)
    if stray:
        raise HarnessError(f"{stray} goes with --sensitivity")
    os.environ.update(thread_variables(1))
    registry = load_registry(include, Store.around(checkpoint).includes())
    chosen = command.method_of(method, settings or [], recipe)
    if sensitivity:
        if plot is not None:
            plotting.check(plot)
        facts = sensitivity_command.analyse(
            registry, checkpoint, chosen, output, task=task, data=data, limit=limit, split=split, seed=seed,
            skip_worst=skip_worst, margin=margin, document=lambda content: tables.to_markdown(_analysed(content)),
            listen=lambda number, count, damage, scale: say(f"[{number}/{count}] {tables.line(damage, scale)}"),
        )  # fmt: skip
        if plot is not None:
            tables.plot(_analysed(facts), plot)
        text = tables.to_markdown(_analysed(facts))
        whole = {**facts, "text": text}
        text = json.dumps(whole, ensure_ascii=False, indent=1) if as_json else sensitivity_text(_analysed(facts), text)
        show_tables(text, plain or as_json)
        return
    facts = command.perform(registry, checkpoint, chosen, output, task, data, limit, seed, allow_partial)
    text = json.dumps(facts, ensure_ascii=False, indent=1) if as_json else compression_text(_done(facts))
    show_tables(text, plain or as_json)


def _done(content: Mapping[str, Any]) -> CompressedFolder:
    return facts_from(CompressedFolder, content, "what was done")


def _analysed(content: Mapping[str, Any]) -> SensitivityFacts:
    return facts_from(SensitivityFacts, content, "the analysis")
