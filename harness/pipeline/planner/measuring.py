"""The part of a plan that comes after scoring: models timed against what was made of them, or against one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.machine.environment import cores, describe, gpus, machine_fingerprint
from harness.core.run_spec import MEASURE_BATCH, MEASURE_LENGTH, RunSpec
from harness.core.runs import content_name
from harness.measurement.protocol import BLOCKS_PER_LAUNCH, HALF_WIDTH, LEAST_PAIRS, MOST_PAIRS, block_seconds
from harness.measurement.results import budget_of, distinct
from harness.measurement.series import BASE, SECOND
from harness.measurement.workloads import Workload
from harness.modeling.heads import head_for
from harness.modeling.runtimes import RUNTIMES
from harness.pipeline.cells import Cell, CompressJob, FinetuneJob, MeasuredModel, MeasureJob, TaskInput, code_of
from harness.pipeline.planner.fitting import runtimes_of
from harness.pipeline.planner.model_plan import ModelPlan
from harness.training.costs import Work

START_SECONDS = 8.0
"""Until a process has imported torch and transformers and opened a small model, for estimates."""
CALL_SECONDS = 0.05
"""A call, for estimates: the sizes of models are not looked at."""


def measure_cells(run: RunSpec, cells: Sequence[Cell], models: Mapping[str, ModelPlan]) -> list[Cell]:
    """The cells that measure what a run makes: for each task and original one, against all that was made of it.

    Without compressed models, one for each task: its first transformer against the others that do the task by the same
    kind of head. Of several seeds and fractions of the training examples the first seed on all examples is measured.
    Models that only a GPU serves are measured there, with all others that can be; those that cannot, on the CPU.

    Raises:
        HarnessError: settings that make no sense, nothing to measure, or models that the chosen device does not serve.
    """
    if not run.measure:
        return []
    budget = budget_of(run.measure_budget, "--measure-budget")
    groups = list(_groups(cells, models))
    if not groups:
        raise HarnessError(
            "--measure: there is nothing to measure against; give --compress METHOD, or a second fine-tuned "
            "transformer with the same kind of head"
        )
    return [
        _measure(run, models, device, budget)
        for group in groups
        for device, models in _by_device(group, run.measure_device)
    ]


def _groups(cells: Sequence[Cell], models: Mapping[str, ModelPlan]) -> Iterator[list[Cell]]:
    """The original's cell, then those of its candidates."""
    made: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if isinstance(cell.job, CompressJob) and cell.job.source is not None:
            made.setdefault((cell.job.source, cell.job.model["original"]), []).append(cell)
    by_task: dict[str, list[Cell]] = {}
    for fit in _first_of_each(cells):
        by_task.setdefault(fit.task, []).append(fit)
    for fits in by_task.values():
        if made:
            yield from ([fit, *made[fit.key, fit.model]] for fit in fits if (fit.key, fit.model) in made)
            continue
        first, *others = fits
        head = _head(first, models)
        alike = [cell for cell in others if _head(cell, models) == head]
        if alike:
            yield [first, *alike]


def _by_device(group: Sequence[Cell], wanted: str | None) -> Iterator[tuple[str, list[Cell]]]:
    """The original with the candidates that are measured beside it, and the device; more than once where no device
    serves all. Without a GPU here, only what needs one is left to it, and fails there.
    """
    served = {cell.key: _devices(cell) for cell in group}
    if wanted in ("cpu", "cuda"):
        for cell in group:
            if wanted not in served[cell.key]:
                raise HarnessError(f"--measure-device {wanted}: {cell.model} is served on {served[cell.key][0]} only")
        yield wanted, [*group]
        return
    original, *candidates = group
    on_gpu_alone = [cell for cell in candidates if "cpu" not in served[cell.key]]
    if not on_gpu_alone:
        yield "auto", [*group]
        return
    on_gpu = [cell for cell in candidates if "cuda" in served[cell.key]] if gpus() else on_gpu_alone
    yield "cuda", [original, *on_gpu]
    rest = [cell for cell in candidates if cell not in on_gpu]
    if rest:
        yield "cpu", [original, *rest]


def _devices(cell: Cell) -> tuple[str, ...]:
    """What serves the model that a cell makes."""
    devices = RUNTIMES.get("torch").devices
    for name in runtimes_of(cell):
        devices = tuple(device for device in devices if device in RUNTIMES.get(name).devices)
    return devices


def _first_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """Of each model of a task that can be timed, the one with the first seed on the most examples; of a
    cross-validated one that of the first fold.
    """
    fits: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if isinstance(cell.job, FinetuneJob) and cell.job.model_spec.learner == "transformer":
            fits.setdefault((cell.task, cell.model), []).append(cell)
    return [min(cells, key=_first) for cells in fits.values()]


def _first(fit: Cell) -> tuple[float, int, tuple[int, int]]:
    assert isinstance(fit.job, FinetuneJob)
    return -fit.fraction, fit.seed, fit.job.fold or (0, 0)


def _head(fit: Cell, models: Mapping[str, ModelPlan]) -> str | None:
    assert isinstance(fit.job, FinetuneJob)
    chosen = fit.job.model_spec.options.get("head")
    architecture = models[fit.model].architecture
    if chosen or architecture is None:
        return chosen
    return head_for(fit.job.inputs.task, architecture)  # type: ignore[arg-type]


def _measure(run: RunSpec, models: Sequence[Cell], device: str, budget: float | None) -> Cell:
    base = models[0]
    workloads = _workloads(run, base)
    settings = {
        "threads": run.threads or 1,
        "margin": None,
        "device": device,
        "precision": run.measure_precision or HALF_WIDTH,
        "budget": budget,
        "seed": run.first_seed,
    }
    spec: dict[str, Any] = {
        "kind": "measure",
        "models": [model.key for model in models],
        "workloads": [_identity(workload, base) for workload in workloads],
        **settings,
        "machine": machine_fingerprint(describe(1)),
        "code": code_of("measure", *(("runtime", name) for model in models for name in runtimes_of(model))),
    }
    names = distinct([content_name(model.key) for model in models])
    job = MeasureJob(
        task=base.task,
        model={"name": base.model},
        models=tuple(
            MeasuredModel(name, model.key, (isinstance(model.job, CompressJob) and model.job.source) or model.key)
            for name, model in zip(names, models, strict=True)
        ),
        workloads=tuple(workloads),
        settings=settings,
        include=tuple(run.include),
    )
    needs = tuple(model.key for model in models)
    estimate = _estimate(len(models), len(workloads), budget)
    return Cell(hash_json(spec), spec, job, needs, base.task, base.model, base.seed, work=Work(), seconds=estimate)


def _workloads(run: RunSpec, base: Cell) -> list[Workload]:
    lengths = list(dict.fromkeys(run.measure_length or [MEASURE_LENGTH]))
    numbers = [length for length in lengths if isinstance(length, int)]
    workloads = Workload.grid(list(dict.fromkeys(run.measure_batch or [MEASURE_BATCH])), numbers)
    if "task" in lengths:
        workloads.append(Workload(f"task {base.task}", task=_inputs(base).task.model_dump(mode="json"), data=run.data))
    return workloads


def _identity(workload: Workload, base: Cell) -> list[Any]:
    """A task's own examples are told by their content, wherever they lie."""
    if workload.task is None:
        return [workload.batch, workload.length]
    return ["task", {name: split.fingerprint for name, split in _inputs(base).facts.splits.items()}]


def _inputs(base: Cell) -> TaskInput:
    assert isinstance(base.job, FinetuneJob)
    return base.job.inputs


def _estimate(models: int, workloads: int, budget: float | None) -> tuple[float, float]:
    """Seconds of 20 pairs and of 60; the variants are the models and the original once more."""
    variants = len({BASE, SECOND}) + models - 1
    launch = variants * START_SECONDS / cores() + workloads * BLOCKS_PER_LAUNCH * block_seconds(
        [CALL_SECONDS] * variants
    )
    memory = models * workloads * START_SECONDS / cores()
    least, most = (pairs / BLOCKS_PER_LAUNCH * launch + memory for pairs in (LEAST_PAIRS, MOST_PAIRS))
    return least, max(least, min(most, budget)) if budget else most
