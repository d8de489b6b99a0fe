"""Single models from Python: pretrain, compress, measure."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.compression.methods import Method
from harness.compression.settings import CompressSpec
from harness.core.errors import HarnessError
from harness.core.machine.processes import in_this_process
from harness.core.machine.results_place import results_folder
from harness.core.registry import Registry, load_registry, scoped_plugins
from harness.core.store import Store
from harness.core.strict_spec import listed, parse
from harness.measurement.protocol import HALF_WIDTH
from harness.measurement.results import budget_of
from harness.measurement.settings import MeasureSpec
from harness.modeling import loaded
from harness.modeling.loaded import LoadedModel
from harness.pipeline.commands import compress as compressing
from harness.pipeline.commands import measure as measuring
from harness.pipeline.commands import meta_train as meta_training
from harness.pipeline.commands import pretrain as pretraining
from harness.pipeline.tracking import check_trackers
from harness.report.outcomes import Checkpoint, CompressedModel, Measurement, measurement_of

Tell = Callable[[str], None]


@scoped_plugins()
def pretrain(
    model_spec: str,
    *,
    corpus: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "results",
    output: str | os.PathLike[str] | None = None,
    resume: bool = True,
    threads: int | None = None,
    track: str | Sequence[str] = (),
    include: Sequence[str | os.PathLike[str]] = (),
    tell: Tell = lambda line: None,
    **settings: Any,
) -> Checkpoint:
    """Turn raw text into a checkpoint that tasks can be fine-tuned from.

    Args:
        model_spec: The name of one with a pretraining section; or a checkpoint to train further, a folder or hub id.
        corpus: `synthetic`, a file or folder of text, or `hub:ID`; the model spec's where left out.
        out: The results folder.
        output: A folder to copy the checkpoint to.
        resume: Go on from the last checkpoint of what was begun before, to the same end; False begins anew.
        threads: Intra-op threads; 1 where left out.
        track: Trackers that it is reported to, `NAME` or `NAME:PLACE`.
        include: Files and folders of further specs and plug-ins.
        tell: Told how it goes, in lines.
        **settings: Any other setting of pretraining: `steps`, `tokens`, `budget`, `batch_size`, `learning_rate`, …

    Returns:
        The checkpoint.

    Raises:
        HarnessError: no such model spec, a setting out of range, a corpus that cannot be read, or a failed training.
    """
    store, registry, target, trackers = _opened(out, include, output, track)
    changes = {**settings, **({} if corpus is None else {"corpus": os.fspath(corpus)})}
    cell = pretraining.plan(registry, store, model_spec, changes, threads or 1)
    with in_this_process(threads or 1):
        record = pretraining.perform(cell, store, resume, trackers, tell, threads, include=list(map(str, include)))
    if record is None:
        raise HarnessError("the checkpoint is the first process's; this one only helps to train")
    return Checkpoint(pretraining.delivered(store, record.cell, target), record.as_json())


@scoped_plugins()
def meta_train(
    model: str | os.PathLike[str],
    tasks: str | Sequence[str] = (),
    *,
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "results",
    output: str | os.PathLike[str] | None = None,
    resume: bool = True,
    threads: int | None = None,
    track: str | Sequence[str] = (),
    include: Sequence[str | os.PathLike[str]] = (),
    tell: Tell = lambda line: None,
    **settings: Any,
) -> Checkpoint:
    """Turn a checkpoint into one that adapts to other tasks by few examples, by episodes of several tasks.

    Args:
        model: A model spec, which is pretrained first, or the folder of an encoder.
        tasks: Tasks and suites with classes; those of the model spec's section `meta` where left out.
        data: Where they are; the model spec's, or `synthetic`, where left out.
        out: The results folder.
        output: A folder to copy the checkpoint to.
        resume: Go on from the last checkpoint of what was begun before, to the same end; False begins anew.
        threads: Intra-op threads; 1 where left out.
        track: Trackers that it is reported to, `NAME` or `NAME:PLACE`.
        include: Files and folders of further specs and plug-ins.
        tell: Told how it goes, in lines.
        **settings: Any other setting of the section `meta`: `method`, `steps`, `k`, `inner_steps`, `head`, …

    Returns:
        The checkpoint.

    Raises:
        HarnessError: no such model or task, a setting out of range, or a failed training.
    """
    store, registry, target, trackers = _opened(out, include, output, track)
    given = {"tasks": list(listed(tasks)), "data": None if data is None else os.fspath(data)}
    changes = {**settings, **{name: value for name, value in given.items() if value}}
    cells = meta_training.plan(registry, store, os.fspath(model), changes, threads or 1)
    with in_this_process(threads or 1):
        record = meta_training.perform(cells, store, resume, trackers, tell, threads, list(map(str, include)))
    return Checkpoint(pretraining.delivered(store, record.cell, target), record.as_json())


def _opened(
    out: str | os.PathLike[str],
    include: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None,
    track: str | Sequence[str],
) -> tuple[Store, Registry, Path | None, list[str]]:
    """What a training of a checkpoint takes, checked before it begins."""
    store = Store.open(results_folder(out))
    registry = load_registry(include, store.includes())
    target = None if output is None else Path(output)
    pretraining.check_output(target)
    trackers = list(listed(track))
    check_trackers(trackers)
    return store, registry, target, trackers


@scoped_plugins()
def compress(
    model: str | os.PathLike[str],
    method: str | Method,
    output: str | os.PathLike[str],
    *,
    task: str | None = None,
    data: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    allow_partial: bool = False,
    track: str | Sequence[str] = (),
    include: Sequence[str | os.PathLike[str]] = (),
    **options: Any,
) -> CompressedModel:
    """Make a smaller or faster model of a fine-tuned one.

    Args:
        model: The folder of a fine-tuned model, or that of its cell in a results folder.
        method: A compressor, with its main option if need be, or a chain: `int8`, `prune-structured:0.5|int8`.
        output: The folder to write to; it must not exist.
        task: Whose examples a method looks at; known of a model that lies in a results folder.
        data: Where they are.
        limit: The first so many of them.
        seed: Of what is drawn.
        allow_partial: Go on where the model's weights do not fit its config, with random numbers for the rest.
        track: Trackers that it is reported to, `NAME` or `NAME:PLACE`.
        include: Files and folders of plug-ins.
        **options: Options of a single method.

    Returns:
        The compressed model.

    Raises:
        HarnessError: no model there, one the method cannot compress, an unknown method or option, or an output that
            is there already.
    """
    registry = load_registry(include, Store.around(Path(model)).includes())
    if isinstance(method, str):
        method = compressing.method_of(method, [f"{name}={value}" for name, value in options.items()])
    values = {
        "output": Path(output), "task": task, "data": None if data is None else os.fspath(data), "limit": limit,
        "seed": seed, "allow_partial": allow_partial, "track": track,
    }  # fmt: skip
    spec = parse(CompressSpec, values, "compress")
    with in_this_process(1):
        record = compressing.perform(
            registry, Path(model), method, spec.output, spec.task, spec.data, spec.limit, spec.seed, spec.allow_partial,
            spec.track,
        )  # fmt: skip
    return CompressedModel(spec.output, Path(record["model"]), method.label, record["runtime"], record)


def load(folder: str | os.PathLike[str], include: Sequence[str | os.PathLike[str]] = ()) -> LoadedModel:
    """Load a finished model, compressed or not, in its runtime, to be asked from Python.

    Args:
        folder: A model folder.
        include: Files and folders of plug-ins that it is served by. They stay registered, since the model needs them.

    Returns:
        The model, with `predict` and `logits`.

    Raises:
        HarnessError: no model there, a damaged one, or one without a head to predict with.
    """
    load_registry(include)
    return loaded.load(Path(folder))


@scoped_plugins()
def measure(
    base: str | os.PathLike[str],
    candidates: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    batch: int | Sequence[int] = (1, 8, 32),
    length: int | Sequence[int] = (32, 128, 512),
    task: str | None = None,
    data: str | os.PathLike[str] = "synthetic",
    threads: int = 1,
    device: str = "auto",
    margin: float | None = None,
    precision: float = HALF_WIDTH,
    budget: str | float | None = None,
    seed: int = 0,
    memory: bool = True,
    allow_short: bool = False,
    track: str | Sequence[str] = (),
    out: str | os.PathLike[str] = "results",
    include: Sequence[str | os.PathLike[str]] = (),
    tell: Tell = lambda line: None,
) -> Measurement:
    """Time models side by side, with memory and size. Starts processes, and wants the machine to itself.

    Args:
        base: The original: a folder, or `MODEL:TASK` of the latest run in the results folder.
        candidates: What is compared with it.
        batch: Rows of a call.
        length: Tokens of a row.
        task: Measure at this task's own lengths as well.
        data: Where its data is.
        threads: Intra-op threads of each process.
        device: `cpu`, `cuda`, or `auto`.
        margin: A difference that matters, 0.05: five per cent; the device's where left out.
        precision: Half the width of an interval that is narrow enough.
        budget: Seconds, or a time such as `5m`.
        seed: Of orders, token ids and the bootstrap.
        memory: Read peak memory as well.
        allow_short: Measure also where the budget is too short for a result that is valid.
        track: Trackers that it is reported to, `NAME` or `NAME:PLACE`.
        out: The results folder, where the result is kept.
        include: Files and folders of plug-ins.
        tell: Told how it goes, in lines.

    Returns:
        The measurement; `valid` says whether anything may be decided by it.

    Raises:
        HarnessError: a model that is nowhere or cannot be timed, or settings that make no sense.
    """
    others = [candidates] if isinstance(candidates, str | os.PathLike) else candidates
    values = {
        "batch": _numbers(batch), "length": _numbers(length), "task": task, "data": os.fspath(data),
        "threads": threads, "device": device, "margin": margin, "precision": precision,
        "budget": None if budget is None else str(budget), "seed": seed, "memory": memory,
        "allow_short": allow_short, "track": track,
    }  # fmt: skip
    models = [os.fspath(model) for model in (base, *others)]
    return perform_measure(models, parse(MeasureSpec, values, "measure"), results_folder(out), include, tell)


def perform_measure(
    models: Sequence[str],
    spec: MeasureSpec,
    root: Path,
    include: Sequence[str | os.PathLike[str]],
    tell: Tell,
) -> Measurement:
    """A measurement from its spec, as the command line asks for it. Raises HarnessError as `measure` does."""
    registry = load_registry(include, Store(root).includes())
    check_trackers(spec.track)
    request = measuring.make_request(
        registry,
        Store(root) if root.is_dir() else None,
        models,
        spec.batch,
        spec.length,
        spec.task,
        spec.data,
        threads=spec.threads,
        device=spec.device,
        margin=spec.margin,
        precision=spec.precision,
        budget=budget_of(spec.budget),
        seed=spec.seed,
        memory=spec.memory,
        allow_short=spec.allow_short,
        include=tuple(os.fspath(path) for path in include),
    )
    return measurement_of(measuring.measure(request, Store.open(root), tell, spec.track))


def _numbers(values: int | Sequence[int]) -> str:
    return ",".join(map(str, [values] if isinstance(values, int) else values))
