"""One measurement from end to end: plan the cells, run the protocol, weigh, read memory, put it all in one record."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from statistics import median
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.counters import EnergyCounter, between, read_counters
from harness.core.machine.environment import cores, describe
from harness.measurement import protocol
from harness.measurement.energy import ENERGY_ABSENT, ENERGY_LASTS, gpu_joules_of, joules_of
from harness.measurement.needs import LEAST_LAUNCHES, Costs, forecast, outlook
from harness.measurement.processes import ProcessRunner, WorkerProcess
from harness.measurement.protocol import BLOCKS_PER_LAUNCH, LEAST_PAIRS
from harness.measurement.request import Model, Request
from harness.measurement.series import BASE, SECOND, Series, samples
from harness.measurement.validity import Validity, Verdict
from harness.measurement.workloads import Workload
from harness.modeling.runtimes import devices_of
from harness.modeling.size import size_of
from harness.modeling.weights.settings import FILE, Settings, read_settings
from harness.stats.speed import Ratio, percentiles

SCHEMA_VERSION = 1


def perform(request: Request, report: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Measure, and return the result: JSON-able, with all raw samples; see `SCHEMA_VERSION`.

    Raises:
        HarnessError: a model that cannot be loaded or timed, no device that all are served on, or no cell that all
            models can be given.
    """
    request = replace(request, device=common_device(request))
    before, started = read_counters(), time.time()
    clock = time.monotonic()
    models = (request.base, *request.candidates)
    with ThreadPoolExecutor(cores()) as executor:  # packing takes longest, and needs no interpreter
        sizes = {model.name: size for model, size in zip(models, executor.map(_size, models), strict=True)}
    launched = time.monotonic()
    folders = {variant: model.folder for variant, model in request.variants().items()}
    with ProcessRunner(
        folders, request.cells, request.threads, request.include, request.seed, request.device
    ) as runner:
        runner.launch(0, folders)
        device = runner.models[BASE]["device"].partition(":")[0]
        request = replace(request, device=device, margin=request.margin or protocol.MARGINS[device])
        launching = time.monotonic() - launched
        _refuse_different_work(runner)
        costs = _costs(runner)
        extra = _memory_seconds(request, launching, costs) if request.memory else dict.fromkeys(costs, 0.0)
        if device == "cuda":
            extra = {name: seconds + len(models) * ENERGY_LASTS for name, seconds in extra.items()}
        end = float("inf") if request.budget is None else clock + request.budget
        chosen, dropped = affordable(costs, extra, launching, end - time.monotonic())
        runner.keep(chosen)
        runner.absent |= dropped
        for cell, reason in runner.absent.items():
            report(f"absent: {cell}: {reason}")
        expected = Costs(costs, extra, launching)
        least = _least_seconds(chosen, costs, launching) + sum(extra[name] for name in chosen)
        report(f"{len(chosen)} cells; {LEAST_PAIRS} pairs of each take some {least:.0f} s more")
        short = least - (end - time.monotonic())
        if short > 0 and request.budget is not None:
            needed = math.ceil((request.budget + short) / 60)
            if not request.allow_short:
                raise HarnessError(
                    f"--budget {request.budget:g}s: {LEAST_PAIRS} pairs of the quickest workload take some "
                    f"{short:.0f} s more, so that nothing would be valid; give --budget {needed}m, smaller --batch and "
                    "--length, or --allow-short to measure all the same"
                )
            report(f"the budget ends before that, what is measured may not count: give {needed} min or fewer models")
        names = [model.name for model in request.candidates]
        reserve = sum(extra[name] for name in chosen)
        series = protocol.measure(
            runner, chosen, names, request.seed, end - reserve, report, half_width=request.precision,
            review=lambda first: _reviewed(first, request, runner, expected, end, report),
        )  # fmt: skip
        chosen = list(series)
        if device == "cuda":
            runner.ready(folders)
        gpu_joules, energy_absent = gpu_joules_of(request, runner, chosen)
    memory, without = _memory(request, chosen, report) if request.memory else ({}, {"memory": "not asked for"})
    after = read_counters()
    cells = {name: _cell_result(request, runner, series, name) | gpu_joules.get(name, {}) for name in chosen}
    verdicts = {
        f"{name}, {stage}": stage_verdict["verdict"]
        for name, cell in cells.items()
        for stage, stage_verdict in cell["stages"].items()
    }
    standing = Validity.worst(Validity(stage_verdict["verdict"]) for stage_verdict in verdicts.values())
    energy = EnergyCounter.find()
    return {
        "schema_version": SCHEMA_VERSION,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "verdict": standing.value,
        "counts": standing is Validity.VALID,
        "reasons": {
            name: stage_verdict["reason"] for name, stage_verdict in verdicts.items() if not stage_verdict["counts"]
        },
        "models": {
            model.name: {
                "folder": str(model.folder),
                "fingerprint": model.fingerprint,
                "cell": model.cell,
                "role": "original" if model is request.base else "candidate",
                **runner.models[BASE if model is request.base else model.name],
                "size": sizes[model.name],
                **_starts(runner, model, request),
                **({"memory": memory[model.name]} if model.name in memory else {}),
            }
            for model in models
        },
        "cells": cells,
        "absent": {**runner.absent, **without, **({} if energy else {"energy": ENERGY_ABSENT}), **energy_absent},
        "protocol": {
            "threads": request.threads,
            "device": request.device,
            "margin": request.margin,
            "budget": request.budget,
            "seed": request.seed,
            "half_width": request.precision,
            "pairs": [LEAST_PAIRS, protocol.MOST_PAIRS],
            "blocks_a_launch": BLOCKS_PER_LAUNCH,
            "block_seconds": protocol.BLOCK_SECONDS,
            "bound_to_cpus": runner.cpus is not None,
            "interval": "95 %, Hodges–Lehmann, bootstrap over launches with Student's t",
        },
        "environment": {
            **describe(request.threads),
            "workers": runner.setup[BASE],
            "counters": between(before, after),
        },
        "samples": {name: samples(measured) for name, measured in series.items()},
        "starts": [
            {"launch": start.launch, "arm": start.variant}
            | {"load": start.load, "first_cell": start.first_cell, "first_call": dict(start.first_call)}
            for start in runner.starts
        ],
    }


def _reviewed(
    first: Mapping[str, Series],
    request: Request,
    runner: ProcessRunner,
    costs: Costs,
    end: float,
    report: Callable[[str], None],
) -> Sequence[str]:
    """The cells that go on after the first launch. Raises HarnessError where none can be valid within the budget."""
    forecasts = {name: forecast(series, request.precision) for name, series in first.items()}
    seen = outlook(forecasts, costs, request.precision, request.budget, end - time.monotonic(), request.allow_short)
    for line in [*seen.lines, *(f"absent: {name}: {reason}" for name, reason in seen.dropped.items())]:
        report(line)
    runner.absent |= seen.dropped
    runner.keep(seen.chosen)
    return seen.chosen


def affordable(
    costs: Mapping[str, float], extra: Mapping[str, float], launching: float, seconds: float
) -> tuple[list[str], dict[str, str]]:
    """The cells, cheapest first, that get their 20 pairs within so many seconds; and why the others do not.

    `costs` are seconds of a cell in one launch, `extra` those it takes once, `launching` those a launch takes to begin;
    the first has begun. The cheapest cell is always kept.
    """
    chosen: list[str] = []
    dropped: dict[str, str] = {}
    for name in sorted(costs, key=lambda name: costs[name]):
        tried = [*chosen, name]
        lacking = _least_seconds(tried, costs, launching) + sum(extra[name] for name in tried) - seconds
        if chosen and lacking > 0:
            dropped[name] = f"its {LEAST_PAIRS} pairs take some {lacking:.0f} s more than --budget leaves"
        else:
            chosen = tried
    return [name for name in costs if name in chosen], dropped


def _least_seconds(chosen: Sequence[str], costs: Mapping[str, float], launching: float) -> float:
    return (LEAST_LAUNCHES - 1) * launching + LEAST_LAUNCHES * sum(costs[name] for name in chosen)


def common_device(request: Request) -> str:
    """What all models can be served on: `cpu`, `cuda`, or `auto` for either.

    Raises:
        HarnessError: nothing, or not the device that was asked for.
    """
    wanted = ("cpu", "cuda") if request.device == "auto" else (request.device,)
    known = {model.name: _devices(model) for model in (request.base, *request.candidates)}
    shared = [device for device in wanted if all(device in devices for devices in known.values())]
    if shared:
        return shared[0] if len(shared) == 1 else "auto"
    served = ", ".join(f"{name} on {devices[0]}" for name, devices in known.items() if len(devices) == 1)
    asked = "" if request.device == "auto" else f" (--device {request.device})"
    raise HarnessError(f"all models are measured on one device{asked}, but these have one only: {served}")


def _devices(model: Model) -> tuple[str, ...]:
    settings = _settings(model)
    return devices_of(settings) if settings else ("cpu", "cuda")


def _settings(model: Model) -> Settings | None:
    """None of a checkpoint that is not the harness's."""

    return read_settings(model.folder) if (model.folder / FILE).exists() else None


def _refuse_different_work(runner: ProcessRunner) -> None:
    """Variants are compared stage by stage, and task cells on the same examples."""
    if not runner.cells:
        raise HarnessError(f"nothing to measure: {next(iter(runner.absent.values()))}")
    for cell in runner.cells:
        for variant in runner.models:
            ours, theirs = runner.amounts[BASE, cell.name], runner.amounts[variant, cell.name]
            if list(ours) != list(theirs):
                raise HarnessError(
                    f"{variant} and the original do different things ({', '.join(theirs)} and {', '.join(ours)}); "
                    "measure models of one head in runtimes that do it"
                )
            if any(ours[stage]["examples"] != theirs[stage]["examples"] for stage in ours):
                raise HarnessError(f"{variant} cuts the examples of {cell.name} otherwise than the original does")


def _costs(runner: ProcessRunner) -> dict[str, float]:
    """Seconds of each cell in one launch by the clock, from a call or two of each variant: what processes wait for
    their CPU is no part of a call's time, but takes it; how much it is, all calls tell together.
    """
    calls: dict[str, list[float]] = {cell.name: [] for cell in runner.cells}
    clock = passed = 0.0
    for name, variant in itertools.product(calls, runner.models):
        call = sum(runner.call(variant, name).values())
        if call < 1:  # the first call of a shape is slower than those after it
            started = time.monotonic()
            call = sum(runner.call(variant, name).values())
            clock += time.monotonic() - started
            passed += call
        calls[name].append(call)
    waiting = max(1.0, clock / passed) if passed else 1.0
    return {name: BLOCKS_PER_LAUNCH * protocol.block_seconds(of_one) * waiting for name, of_one in calls.items()}


def _size(model: Model) -> dict[str, Any]:
    return size_of(model.folder, _settings(model))


def _memory_seconds(request: Request, launching: float, costs: Mapping[str, float]) -> dict[str, float]:
    """What reading memory will take, by cell: a process for each model, as many side by side as there are cores."""
    models = 1 + len(request.candidates)
    variants = models + 1
    each = launching / variants * min(variants, cores())
    return {name: models * (each + cost / variants / BLOCKS_PER_LAUNCH) / cores() for name, cost in costs.items()}


def _memory(
    request: Request, chosen: Sequence[str], report: Callable[[str], None]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Memory by model and cell, each from a fresh process; nothing is timed, so that several run side by side."""
    models = (request.base, *request.candidates)
    cells = {cell.name: cell for cell in request.cells if cell.name in chosen}
    report(f"memory: {len(models) * len(cells)} processes")

    running: list[WorkerProcess] = []

    def watch(model: Model, cell: Workload) -> dict[str, Any]:
        process = WorkerProcess(model.folder, request.threads, request.include, f"memory of {model.name}")
        running.append(process)
        try:
            return process.ask("memory", cell=asdict(cell), seed=request.seed, device=request.device)
        finally:
            process.close()

    with ThreadPoolExecutor(cores()) as executor:
        futures = {
            (model.name, name): executor.submit(watch, model, cell) for model in models for name, cell in cells.items()
        }
        by_model: dict[str, dict[str, Any]] = {}
        try:
            for (model_name, cell_name), future in futures.items():
                by_model.setdefault(model_name, {})[cell_name] = future.result()
        except BaseException:  # an interrupt as well: the executor would wait for the processes
            executor.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.close()
            raise
    reasons = {
        f"memory {key}": reason
        for by_cell in by_model.values()
        for facts in by_cell.values()
        for key, reason in facts["absent"].items()
    }
    return by_model, reasons


def _starts(runner: ProcessRunner, model: Model, request: Request) -> dict[str, Any]:
    """Seconds to load and of the first call: medians over the launches. The original has two processes a launch."""
    variants = (BASE, SECOND) if model is request.base else (model.name,)
    mine = [start for start in runner.starts if start.variant in variants]
    stages = mine[0].first_call
    cell = mine[0].first_cell
    same = [start.first_call for start in mine if start.first_cell == cell]
    return {
        "load_seconds": median(start.load for start in mine),
        "first_call": {
            "cell": cell,
            "seconds": {stage: median(seconds[stage] for seconds in same) for stage in stages},
        },
    }


def _cell_result(request: Request, runner: ProcessRunner, every: Mapping[str, Series], name: str) -> dict[str, Any]:
    series = every[name]
    stages = {stage: _stage_result(request, runner, every, name, stage) for stage in series.stages()}
    cell = next(cell for cell in request.cells if cell.name == series.cell)
    notes = runner.notes[BASE, series.cell]
    what = (
        {"task": cell.task["name"], "data": cell.data, **notes}
        if cell.task
        else {"batch": cell.batch, "length": cell.length, **({"items": cell.items} if cell.items else {})}
    )
    joules = joules_of(request, runner, series)
    return {
        **what,
        "pairs": series.pairs(),
        "precise": series.precise,
        "stages": stages,
        **({"joules_per_example": joules} if joules else {}),
    }


def _stage_result(
    request: Request, runner: ProcessRunner, every: Mapping[str, Series], name: str, stage: str
) -> dict[str, Any]:
    series, by_model, verdicts = every[name], {}, []
    for variant, model in request.variants().items():
        if variant == SECOND:
            continue
        amounts = runner.amounts[variant, series.cell][stage]
        calls = [seconds for bursts in series.bursts[variant] for seconds in bursts.calls(stage)]
        typical = median(median(bursts.calls(stage)) for bursts in series.bursts[variant])
        ratio = series.ratio(variant, stage, request.seed) if variant != BASE else None
        verdict_facts = {}
        if variant != BASE:
            assert request.margin is not None
            verdict = protocol.verdict(
                series, stage, variant, request.margin, request.seed, request.precision, every.values()
            )
            verdicts.append((model.name, verdict))
            verdict_facts = {"verdict": _verdict(verdict)}
        # the calls of a task are passes over many batches, whose percentiles say nothing of a request's
        latency = {} if series.cell.startswith("task ") else percentiles(calls)
        by_model[model.name] = {
            "seconds": typical,
            "calls": len(calls),
            "tokens_per_second": amounts["tokens"] / typical,
            "examples_per_second": amounts["examples"] / typical,
            **({"amount_per_second": amounts["amount"] / typical} if amounts.get("amount") else {}),
            "latency": {name: asdict(percentile) for name, percentile in latency.items()},
            **({"time_ratio": _ratio(ratio), "speed_ratio": _ratio(ratio.inverse)} if ratio else {}),
            **verdict_facts,
        }
    second = series.ratio(SECOND, stage, request.seed)
    return {
        "verdict": _of_all(verdicts),
        "a_a": _ratio(second) if second else None,
        "models": by_model,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.standing.value,
        "counts": verdict.is_valid,
        "reason": verdict.reason,
        "note": verdict.note,
    }


def _of_all(verdicts: Sequence[tuple[str, Verdict]]) -> dict[str, Any]:
    """The worst of the candidates', with the reason of the first of those, whom it names where it is one of several."""
    worst = Validity.worst(verdict.standing for _, verdict in verdicts)
    name, first = next((name, verdict) for name, verdict in verdicts if verdict.standing is worst)
    shared = len({verdict.reason for _, verdict in verdicts}) == 1
    return _verdict(first if shared else replace(first, reason=f"{name}: {first.reason}"))


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {**asdict(ratio), "half_width": ratio.half_width}
