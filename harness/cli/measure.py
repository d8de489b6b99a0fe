"""The verb `harness measure`, and the options of `harness run` that measure."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.options import say
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.core.version import __version__
from harness.measurement.benchmark_json import as_benchmarks
from harness.measurement.results import budget_of
from harness.pipeline.commands import measure as command
from harness.report.text.measuring import measurement_text


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Measure = Annotated[
    Optional[bool],
    typer.Option(
        "--measure",
        help="Time each fine-tuned transformer against what --compress made of it, alone, after scoring; without "
        "--compress the first against the others.",
    ),
]
MeasureBatch = Annotated[
    Optional[str], typer.Option("--measure-batch", metavar="N,…", help="Rows of a timed call.", show_default="8")
]
MeasureLength = Annotated[
    Optional[str],
    typer.Option(
        "--measure-length",
        metavar="N,…",
        help="Tokens of a row; `task`: as the task's own examples are.",
        show_default="64",
    ),
]
MeasurePrecision = Annotated[
    Optional[float],
    typer.Option("--measure-precision", help="Half the width of an interval that is enough.", show_default="0.02"),
]
MeasureBudget = Annotated[
    Optional[str], typer.Option("--measure-budget", metavar="TIME", help="Of each measuring cell, such as 5m.")
]
MeasureDevice = Annotated[
    Optional[Device],
    typer.Option("--measure-device", help="Where models are timed; without it as `harness measure` chooses."),
]


def measure(
    models: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="The original, then candidates: folders, or MODEL:TASK of the last run."),
    ],
    batch: Annotated[str, typer.Option("--batch", metavar="N,…", help="Rows of a call.")] = "1,8,32",
    length: Annotated[str, typer.Option("--length", metavar="N,…", help="Tokens of a row.")] = "32,128,512",
    task: Annotated[Optional[str], typer.Option("--task", help="Measure at this task's own lengths as well.")] = None,
    data: Annotated[str, typer.Option("--data", metavar="SOURCE", help="Where the task's data is.")] = "embedded",
    threads: Annotated[int, typer.Option("--threads", min=1, max=1024, help="Intra-op threads of each process.")] = 1,
    device: Annotated[
        Device, typer.Option("--device", help="`auto`: a GPU where there is one and all models are served there.")
    ] = Device.auto,
    margin: Annotated[
        Optional[float],
        typer.Option(
            "--margin",
            help="A difference that matters; half of it is what A/A may be off.",
            show_default="0.05, on a GPU 0.03",
        ),
    ] = None,
    precision: Annotated[
        float, typer.Option("--precision", help="Half the width of an interval that is narrow enough.")
    ] = 0.02,
    budget: Annotated[
        Optional[str],
        typer.Option("--budget", metavar="TIME", help="Such as 5m; cells that do not fit are left out."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of orders, token ids and the bootstrap.")] = 0,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Read peak memory as well.")] = True,
    out: Annotated[
        Optional[str], typer.Option("--out", metavar="DIR", help="The results folder.", show_default="results")
    ] = None,
    include: Annotated[
        Optional[list[str]], typer.Option("--include", metavar="PATH", help="Plug-ins and tasks. Repeatable.")
    ] = None,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", metavar="FILE", help="Write the whole result as JSON.")
    ] = None,
    benchmark_json: Annotated[
        Optional[Path],
        typer.Option("--benchmark-json", metavar="FILE", help="Write the times as pytest-benchmark does."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole result on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but failures.")] = False,
) -> None:
    """Time models side by side, with memory and size; exit code 5 where a timing does not count."""
    import json

    for flag, file in (("-o", output), ("--benchmark-json", benchmark_json)):
        if file is not None and not file.resolve().parent.is_dir():
            raise HarnessError(f"{flag} {file}: no folder {file.parent}; make it first")
    seconds = budget_of(budget)
    registry = load_registry([Path(path) for path in include or []])
    root = Path(out or "results")
    request = command.make_request(
        registry, Store(root) if root.is_dir() else None, models, batch, length, task, data,
        threads=threads, device=device.value, margin=margin, precision=precision, budget=seconds, seed=seed,
        memory=memory, include=tuple(include or ()),
    )  # fmt: skip
    result = command.measure(request, Store.open(root), (lambda line: None) if quiet else say)
    text = json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False)
    if output is not None:
        write_atomically(output, text + "\n")
    if benchmark_json is not None:
        write_atomically(
            benchmark_json, json.dumps(as_benchmarks(result, __version__), indent=1, allow_nan=False) + "\n"
        )
    if as_json:
        print(text)
    elif not quiet:
        print(measurement_text(result), end="")
    if not result["counts"]:
        raise typer.Exit(command.DOES_NOT_COUNT)
