"""Speed, memory and size of a leaderboard's models, as columns beside their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from harness.core.errors import HarnessError, did_you_mean
from harness.core.hashing import short
from harness.data.modalities import TOKENS
from harness.report.tables.comparable import Record
from harness.report.tables.measured import Measured, Setting, base_of
from harness.report.tables.table import Quantity, Resource, Table

KINDS = ("speed", "memory", "size")
EXAMPLES = "examples"
MEMORY = {
    "cpu": "Peak of a process's memory, less what imports took,",
    "cuda": "Peak of what torch has taken of the GPU's memory,",
}

Models = Mapping[str, Mapping[str, Sequence[str]]]
"""The cells that made the models of a table, by the id of a row and the task."""


def kinds_of(text: str | None) -> list[str]:
    """From `speed,size`. Raises HarnessError for one that is none of `KINDS`."""
    names = [part.strip() for part in text.split(",")] if text is not None else []
    for name in names:
        if name not in KINDS:
            raise HarnessError(f"--show: no column '{name}'.{did_you_mean(name, KINDS)}")
    return list(dict.fromkeys(names))


def with_resources(
    table: Table,
    records: Sequence[Record],
    measured: Sequence[Measured],
    weights: Callable[[str], int | None],
    kinds: Sequence[str],
) -> Table:
    """The table with columns of these kinds.

    `records` are the score records its rows may rest on, `weights` gives the bytes of the weight files that a cell
    made. Times and memory come from one setting (machine, threads, workload, stage), the one at which most rows have
    them; ratios whose verdict is not VALID are left out.
    """
    models = cells_of(table, records)
    labels = {row.model: row.label for row in table.rows}
    resources: list[Resource] = []
    timed = _setting(models, measured, timed=True) if "speed" in kinds else None
    for kind in kinds:
        if kind == "size":
            resources.append(_size(models, weights))
        elif kind == "memory":
            resources.append(_memory(models, measured, timed or _setting(models, measured, timed=False), labels))
        else:
            resources += _speed(models, measured, timed, labels)
    return replace(table, resources=tuple(resources))


def cells_of(table: Table, records: Sequence[Record]) -> Models:
    """A model that is scored on several tasks counts for the first of them."""
    tasks = [column.task for column in table.columns]
    by_model: dict[str, dict[str, list[str]]] = {row.model: {} for row in table.rows}
    for record in sorted(records, key=lambda score: score.seed):
        data = record.data
        of_table = (data.source, data.limit, data.portion)
        by_task = by_model.get(record.model.id)
        cell = record.lineage.first.maker
        if by_task is None or not cell or of_table != (table.source, table.limit, table.portion):
            continue
        if record.task.name in tasks and not any(cell in cells for cells in by_task.values()):
            by_task.setdefault(record.task.name, []).append(cell)
    return by_model


def _usable(measurement: Measured, timed: bool) -> bool:
    return measurement.is_valid if timed else measurement.memory is not None and measurement.memory.most is not None


def _by_row(
    models: Models, measured: Sequence[Measured], setting: Setting, timed: bool
) -> dict[str, dict[str, Measured]]:
    """By row and task the newest measurement of one of its cells at a setting that can be used."""
    here = [measurement for measurement in measured if measurement.setting == setting and _usable(measurement, timed)]
    by_model: dict[str, dict[str, Measured]] = {}
    for model, by_task in models.items():
        for task, cells in by_task.items():
            of_task = next((measurement for measurement in here if measurement.model in cells), None)
            if of_task is not None:
                by_model.setdefault(model, {})[task] = of_task
    return by_model


def _setting(models: Models, measured: Sequence[Measured], timed: bool) -> Setting | None:
    """At which most rows were measured; of several the one measured last."""
    settings = list(dict.fromkeys(measurement.setting for measurement in measured))
    known = [
        (len(_by_row(models, measured, setting, timed)), -place, setting) for place, setting in enumerate(settings)
    ]
    best = max(known, key=lambda ranked: ranked[:2], default=None)
    return best[2] if best and best[0] else None


def _common(by_model: Mapping[str, Mapping[str, Measured]]) -> tuple[list[str], dict[str, Mapping[str, Measured]]]:
    """The tasks that all rows were measured on, or, where there are none, the one that most were; the rows on them."""
    tasks = list(dict.fromkeys(task for by_task in by_model.values() for task in by_task))
    common = [task for task in tasks if all(task in by_task for by_task in by_model.values())]
    if not common and tasks:
        common = [max(tasks, key=lambda task: sum(task in by_task for by_task in by_model.values()))]
    return common, {model: by_task for model, by_task in by_model.items() if all(task in by_task for task in common)}


def _speed(
    models: Models, measured: Sequence[Measured], setting: Setting | None, labels: Mapping[str, str]
) -> list[Resource]:
    rates: dict[str, Quantity] = {}
    ratios: dict[str, Quantity] = {}
    tasks: list[str] = []
    if setting is not None:
        tasks, rows = _common(_by_row(models, measured, setting, timed=True))
        for model, by_task in rows.items():
            pairs = [(base_of(measured, by_task[task]), by_task[task]) for task in tasks]
            ratios[model] = _geometric([_ratio(measurement) for _, measurement in pairs])
            rates[model] = _geometric([_scaled(_ratio(measurement), _rate(base)) for base, measurement in pairs])
    unit = EXAMPLES if setting is None else _counted(setting, measured)
    notes = [*_where("Speed", setting, measured, tasks), *_missing("speed", models, measured, setting, rates, labels)]
    if rates:
        notes.append(
            "× original: how many times as fast as the model it was measured against, with a 95 % interval, which the "
            f"{unit} a second have as well."
        )
    return [
        Resource("examples_per_second", f"{unit}/s", rates, False, tuple(notes)),
        Resource("speed_ratio", "× original", ratios, False, (), digits=2),
    ]


def _rate(measurement: Measured) -> float:
    """Examples a second of text, and of items what their modality counts."""
    return measurement.examples_per_second if measurement.unit == TOKENS else measurement.read_per_second


def _counted(setting: Setting, measured: Sequence[Measured]) -> str:
    unit = next(measurement.unit for measurement in measured if measurement.setting == setting)
    return EXAMPLES if unit == TOKENS else unit


def _ratio(measurement: Measured) -> Quantity:
    """Of an original 1, by definition."""
    return (
        Quantity(1.0)
        if measurement.speed is None
        else Quantity(measurement.speed.value, measurement.speed.low, measurement.speed.high)
    )


def _scaled(quantity: Quantity, factor: float) -> Quantity:
    low, high = (None if bound is None else factor * bound for bound in (quantity.low, quantity.high))
    return Quantity(factor * quantity.value, low, high)


def _geometric(values: Sequence[Quantity]) -> Quantity:
    """The geometric mean; half-widths of the logarithms add in quadrature, since measurements are independent."""
    centre = math.exp(fmean(math.log(quantity.value) for quantity in values))
    if any(quantity.low is None or quantity.high is None for quantity in values):
        return Quantity(centre)
    below, above = (
        math.hypot(*(math.log(getattr(quantity, bound) / quantity.value) for quantity in values)) / len(values)
        for bound in ("low", "high")
    )
    return Quantity(centre, centre * math.exp(-below), centre * math.exp(above))


def _memory(
    models: Models, measured: Sequence[Measured], setting: Setting | None, labels: Mapping[str, str]
) -> Resource:
    values: dict[str, Quantity] = {}
    tasks: list[str] = []
    if setting is not None:
        tasks, rows = _common(_by_row(models, measured, setting, timed=False))
        for model, by_task in rows.items():
            peaks = [by_task[task].memory.most for task in tasks]  # type: ignore[union-attr]
            values[model] = Quantity(fmean(peak for peak in peaks if peak is not None))
    notes = [
        *_where(MEMORY["cpu" if setting is None else setting.device], setting, measured, tasks),
        *_missing("memory", models, measured, setting, values, labels),
    ]
    return Resource("peak_memory_bytes", "peak MB", values, True, tuple(notes), unit=1e6, digits=1)


def _where(what: str, setting: Setting | None, measured: Sequence[Measured], tasks: Sequence[str]) -> list[str]:
    if setting is None:
        return []
    processor = next(measurement.processor for measurement in measured if measurement.setting == setting)
    threads = f"{setting.threads} thread{'s' if setting.threads > 1 else ''}"
    of = f", mean over {', '.join(tasks)}" if len(tasks) > 1 else ""
    return [f"{what} at {setting.where}{of}: {threads}, {processor} ({short(setting.machine)})."]


def _missing(
    kind: str,
    models: Models,
    measured: Sequence[Measured],
    setting: Setting | None,
    values: Mapping[str, Quantity],
    labels: Mapping[str, str],
) -> list[str]:
    """Why rows have no value: never measured, elsewhere only, or not to be counted."""
    models_of_reason: dict[str, list[str]] = {}
    for model, by_task in models.items():
        if model in values:
            continue
        cells = {cell for task_cells in by_task.values() for cell in task_cells}
        mine = [measurement for measurement in measured if measurement.model in cells]
        here = [measurement for measurement in mine if measurement.setting == setting] if setting else mine
        if not mine:
            reason = "not measured"
        elif not here:
            reason = "measured at other settings only"
        elif kind == "speed" and not any(measurement.is_valid for measurement in here):
            reason = f"{here[0].verdict}: {here[0].reason}"
        elif kind == "memory" and not any(measurement.memory for measurement in here):
            reason = here[0].memory_absent
        else:
            reason = "not measured on the tasks that the others were"
        models_of_reason.setdefault(reason, []).append(labels[model])
    return [f"No {kind} of {', '.join(names)}: {reason}." for reason, names in models_of_reason.items()]


def _size(models: Models, weights: Callable[[str], int | None]) -> Resource:
    values = {}
    for model, by_task in models.items():
        sizes = [size for cells in by_task.values() for cell in cells if (size := weights(cell)) is not None]
        if sizes:
            values[model] = Quantity(fmean(sizes))
    notes = ("MB: 10⁶ bytes of weight files, mean over tasks and seeds.",)
    return Resource("weight_bytes", "MB", values, True, notes, unit=1e6, digits=1)


def text_of(resource: Resource, model: str) -> str | None:
    """A value as it is shown: `1.43 [1.38, 1.48]`; None where there is none."""
    quantity = resource.values.get(model)
    if quantity is None:
        return None
    shown = [
        f"{part / resource.unit:.{resource.digits}f}"
        for part in (quantity.value, quantity.low, quantity.high)
        if part is not None
    ]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]" if len(shown) == 3 else shown[0]
