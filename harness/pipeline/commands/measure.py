"""What `harness measure` is asked for: names become folders, flags a request; the result goes into the store."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.checksums import refuse_damaged
from harness.core.errors import HarnessError, did_you_mean
from harness.core.hashing import fingerprint_of, hash_json
from harness.core.measurement_records import MeasureRecord
from harness.core.reading import expanded, is_folder
from harness.core.registry import Registry
from harness.core.run_records import RunCell, RunManifest
from harness.core.store import Store
from harness.exchange.trackers.base import TrackedRun
from harness.measurement.job import perform
from harness.measurement.request import Model, Request
from harness.measurement.results import distinct, written
from harness.measurement.workloads import Workload, cells_of, item_cells, model_name
from harness.modeling.weights.pretrained import folder_of
from harness.modeling.weights.settings import ITEM_HEADS, item_head, modality_in
from harness.pipeline.tracking import Report, Tracking, public, values_of

MAKING = ("finetune", "compress")
"""Kinds of cells whose models are measured by the names they have in a run."""
NOT_VALID = 5
"""The exit code of a measurement that is INVALID or IMPRECISE."""


def make_request(
    registry: Registry,
    store: Store | None,
    models: Sequence[str],
    batches: str,
    lengths: str,
    task: str | None,
    data: str,
    **settings: Any,
) -> Request:
    """Raises HarnessError for fewer than two models, one that is nowhere, or flags that make no sense."""
    if len(models) < 2:
        raise HarnessError("measure takes the original and at least one candidate: harness measure A B")
    if settings["margin"] is not None and not 0 < settings["margin"] < 1:
        raise HarnessError(f"--margin {settings['margin']:g}: give a fraction between 0 and 1, e.g. 0.05")
    if not 0 < settings["precision"] < 1:
        raise HarnessError(f"--precision {settings['precision']:g}: give a fraction between 0 and 1, e.g. 0.02")
    folders = [find_folder(name, store, task) for name in models]
    cells = _cells(folders[0], batches, lengths)
    if task is not None:
        spec = registry.task(task)
        cells.append(Workload(f"task {task}", task=spec.model_dump(mode="json"), data=data))
    shown = distinct(
        [
            model_name(folder) if is_folder(expanded(name)) else name
            for name, folder in zip(models, folders, strict=True)
        ]
    )
    resolved = [
        Model(name, folder, fingerprint_of(folder), cell_of(folder))
        for name, folder in zip(shown, folders, strict=True)
    ]
    return Request(resolved[0], resolved[1:], cells, **settings)


def _cells(folder: Path, batches: str, lengths: str) -> list[Workload]:
    """Rows of tokens; of a model of images or sounds items, and of two towers both."""
    head = item_head(folder)
    texts = cells_of(batches, lengths) if head not in ITEM_HEADS else []
    return [*item_cells(batches, modality_in(folder)), *texts] if head is not None else texts


def find_folder(name: str, store: Store | None, task: str | None) -> Path:
    """The folder of a model: a folder, `MODEL` or `MODEL:TASK` of the latest run in the store, or a hub id.

    Raises:
        HarnessError: it is nowhere, or the run has several models of that name.
    """
    local = expanded(name)
    if is_folder(local):
        refuse_damaged(local)
        if not any((local / file).exists() for file in ("config.json", "harness.json")):
            raise HarnessError(
                f"{name}: no config.json in it; give the folder of a model, as save_pretrained writes it"
            )
        return local.resolve()
    if store is not None and (store.root / "runs").is_dir() and store.run_names():
        run = store.run("latest")
        models = {cell.model for cell in _making(run)}
        if "/" not in name or {name, name.rpartition(":")[0]} & models:
            return _of_run(run, name, store, task)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return folder_of(name)
    raise HarnessError(f"model '{name}': no such folder, and no run in the store has it; give a folder")


def _making(run: RunManifest) -> list[RunCell]:
    """The cells of a run that made a model."""
    return [cell for cell in run.cells if cell.kind in MAKING and cell.is_there]


def _of_run(run: RunManifest, name: str, store: Store, task: str | None) -> Path:
    cells = _making(run)
    known = {cell.model for cell in cells}
    model, _, wanted = (name, "", "") if name in known else name.rpartition(":")
    mine = [cell for cell in cells if cell.model == model]
    if not mine:
        model = model or name
        raise HarnessError(
            f"model '{name}': no such folder, and run {run.run} has no such model.{did_you_mean(model, known)}"
        )
    wanted = wanted or task or ""
    tasks = sorted({cell.task for cell in mine})
    where = f"model '{name}': run {run.run}"
    if not wanted and len(tasks) > 1:
        raise HarnessError(f"{where} trained it on {', '.join(tasks)}; say which, e.g. {model}:{tasks[0]}")
    of_task = [cell for cell in mine if not wanted or cell.task == wanted]
    if not of_task:
        raise HarnessError(f"{where} did not train it on {wanted}.{did_you_mean(wanted, tasks)}")
    whole = [cell for cell in of_task if cell.fraction == 1.0] or of_task
    return store.model(min(whole, key=lambda cell: cell.seed).cell)


def cell_of(folder: Path) -> str | None:
    """The cell of a store that made a model's folder; None of one that lies elsewhere."""
    return folder.parent.name if folder.name == "model" and (folder.parent / "record.json").exists() else None


def measure(
    request: Request, store: Store, report: Callable[[str], None], trackers: Sequence[str] = ()
) -> dict[str, Any]:
    """Measure, keep the result as a record of the kind `measure`, and report it to `trackers`.

    Timings are no function of their spec: the moment is part of it, so that each measurement has a record of its own.
    """
    started = time.time()
    result = perform(request, report)
    spec = {
        "kind": "measure",
        "models": [model.fingerprint for model in (request.base, *request.candidates)],
        "cells": [[cell.name, cell.batch, cell.length, cell.data] for cell in request.cells],
        "protocol": result["protocol"],
        "code": code_identity.identity("harness.measurement.job", "harness.measurement.worker"),
        "created": f"{started:.6f}",
    }
    key = hash_json(spec)
    with store.try_lock(key), store.building(key) as folder:
        record = {
            "kind": "measure",
            "seed": request.seed,
            **written(result, folder),
            "spec": spec,
            "timings": {"seconds": round(time.time() - started, 3)},
        }
        store.commit(key, folder, record)
    Tracking(trackers, store.root).report(_report(request, key, store))
    return {**result, "cell": key}


def _report(request: Request, key: str, store: Store) -> Report:
    record = store.read(key, MeasureRecord)
    config = {"kind": "measure", "cell": key, "seed": request.seed, "models": list(record.models)}
    run = TrackedRun(
        key, f"{record.original}/measure-{record.created or key[:8]}", record.original, "measure",
        config | {"spec": public(record.spec)},
    )  # fmt: skip
    return Report(run, values_of(record))
