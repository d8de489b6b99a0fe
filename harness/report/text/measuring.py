"""A measurement for people: tables of speed, memory and size, and a line for each candidate and cell."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.measurement_records import DeviceMemory, MeasurementFacts, RatioFacts, StageFacts, TimedModel
from harness.data.modalities import unit_of
from harness.report.tables.formats import escaped, markdown_table

NONE = "–"
STAGES = {"forward": "", "prefill": ", time to the first token", "decode": ", tokens after the first"}


def measurement_text(result: MeasurementFacts) -> str:
    """Markdown tables and verdicts."""
    parts = [_speed(result), _models(result)]
    if any(model.memory for model in result.models.values()):
        parts.append(_memory(result))
    return "\n".join([*parts, *verdict_lines(result), *_notes(result)]) + "\n"


def verdict_lines(result: MeasurementFacts) -> list[str]:
    """`B is 1.43× [1.38, 1.48] as fast as A at batch 8 × 128 (VALID, A/A 1.01)`, one a candidate, cell and stage."""
    base = result.original
    lines = []
    for cell_name, stage_name, stage in _stages(result):
        where = cell_name if cell_name.startswith("task ") else f"batch {cell_name}"
        for name, model in stage.models.items():
            if model.speed_ratio is None:
                continue
            verdict = model.verdict or stage.verdict
            again = f"A/A {stage.a_a.value:.2f}" if stage.a_a else ""
            why = "; ".join(part for part in (again, verdict.reason or verdict.note) if part)
            lines.append(
                f"{name} is {_times(model.speed_ratio)} as fast as {base} at {where}{STAGES[stage_name]} "
                f"({verdict.verdict}, {why})"
            )
        if all(model.speed_ratio is None for model in stage.models.values()):
            verdict = stage.verdict
            lines.append(f"{where}{STAGES[stage_name]}: no ratio ({verdict.verdict}, {verdict.reason})")
    return lines


def measured_text(record: MeasurementFacts) -> str:
    """A measurement in a line: `int8 2.41× [2.38, 2.44] at 8 × 64 VALID, …`."""
    times = [
        f"{name} {_times(model.speed_ratio)} at {cell_name}{STAGES[stage_name]} "
        f"{(model.verdict or stage.verdict).verdict}"
        for cell_name, stage_name, stage in _stages(record)
        for name, model in stage.models.items()
        if model.speed_ratio is not None
    ]
    return ", ".join(times) or record.verdict


def _times(ratio: RatioFacts) -> str:
    return f"{ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}]"


def _stages(result: MeasurementFacts) -> Iterator[tuple[str, str, StageFacts]]:
    for cell_name, cell in result.cells.items():
        for stage_name, stage in cell.stages.items():
            yield cell_name, stage_name, stage


def _speed(result: MeasurementFacts) -> str:
    units = {unit_of(cell.items) for cell in result.cells.values()}
    read = f"{units.pop()}/s" if len(units) == 1 else "read/s"
    header = [
        "batch × length", "stage", "model", "ms a call", read, "examples/s", "p50 ms", "p90 ms", "p95 ms",
        "p99 ms", "speed ratio", "A/A", "verdict",
    ]  # fmt: skip
    body = []
    for cell_name, stage_name, stage in _stages(result):
        for name, model in stage.models.items():
            latency = [_ms(model.latency[key].value) if key in model.latency else NONE for key in PERCENTILES]
            again = f"{stage.a_a.value:.3f}" if stage.a_a else NONE
            verdict = model.verdict.verdict if model.verdict else NONE
            ratio = [_times(model.speed_ratio) if model.speed_ratio else NONE, again, verdict]
            rates = [_read(result, cell_name, model), f"{model.examples_per_second:,.1f}"]
            body.append([cell_name, stage_name, escaped(name), _ms(model.seconds), *rates, *latency, *ratio])
    threads, device = result.protocol.threads, result.protocol.device
    where = "" if device == "cpu" else f" on {device}"
    return markdown_table(f"Speed{where}, {threads} thread{'s' if threads > 1 else ''}", header, body, SPEED_NOTES)


def _read(result: MeasurementFacts, cell: str, model: TimedModel) -> str:
    """What is read in a second, with its unit where the column has several."""
    items = result.cells[cell].items
    value = f"{model.amount_per_second:,.1f}" if items else f"{model.tokens_per_second:,.0f}"
    is_mixed = len({unit_of(other.items) for other in result.cells.values()}) > 1
    return f"{value} {unit_of(items)}" if is_mixed else value


PERCENTILES = ("p50", "p90", "p95", "p99")
SPEED_NOTES = (
    "Tokens are real ones, none of padding. Speed ratio: over the original's, with its 95 % interval; A/A: a second "
    "process of the original against it. A percentile is given where there are calls enough to bound it.",
)


def _models(result: MeasurementFacts) -> str:
    header = ["model", "runtime", "load s", "first call ms", "MB", "MB gzip", "parameters", "not zero"]
    body = []
    for name, model in result.models.items():
        size = model.size
        count, fraction = NONE, NONE
        if size.parameters is not None and size.nonzeros is not None:
            count = f"{size.parameters:,}"
            fraction = f"{size.nonzeros:,} ({100 * size.nonzeros / max(1, size.parameters):.1f} %)"
        first = sum(model.first_call.seconds.values())
        line = [escaped(name), model.runtime, f"{model.load_seconds:.2f}", _ms(first), _mb(size.bytes)]
        body.append([*line, _mb(size.gzip_bytes), count, fraction])
    where = next(iter(result.models.values())).first_call.cell
    notes = [f"Load: files are in the page cache. First call: at {where}. MB: 10⁶ bytes of weight files."]
    return markdown_table("Size and start", header, body, notes)


def _memory(result: MeasurementFacts) -> str:
    header = ["model", "batch × length", "peak MB", "loaded MB", "anonymous", "mapped files", "peak of loading"]
    on_device = any(cell.device for model in result.models.values() for cell in model.memory.values())
    header += ["GPU peak", "GPU loaded", "GPU reserved"] if on_device else []
    body = []
    for name, model in result.models.items():
        for cell, memory in model.memory.items():
            loaded, device = memory.loaded, memory.device or DeviceMemory()
            if loaded is None:
                continue
            line = [escaped(name), cell, _mb(memory.peak), _mb(loaded.total)]
            line += [_mb(loaded.anonymous), _mb(loaded.file), _mb(memory.load_peak)]
            on_gpu = [_mb(count) for count in (device.peak, device.loaded, device.reserved)]
            body.append(line + (on_gpu if on_device else []))
    notes = ["Each line is a process of its own, less what it had after importing. Loaded: what stays before any call."]
    return markdown_table("Memory", header, body, notes)


def _notes(result: MeasurementFacts) -> list[str]:
    counters = result.environment.counters
    cpu = result.environment.cpu
    steal = "unknown" if counters.steal is None else f"{100 * counters.steal:.1f} %"
    throttled = counters.throttled
    cut = "unknown" if throttled is None else ", ".join(f"{key} {value}" for key, value in throttled.items())
    load = " → ".join(NONE if number is None else f"{number:.1f}" for number in counters.load)
    gpus = "".join(f", {gpu.name} (driver {gpu.driver})" for gpu in result.environment.gpus)
    lines = [
        "",
        f"Machine: {cpu.model} ({' '.join(cpu.isa)}){gpus}; steal {steal}, throttled {cut}, load {load}.",
    ]
    lines += [f"Absent: {name}: {reason}." for name, reason in result.absent.items()]
    for name, cell in result.cells.items():
        energy = {"whole CPU package": cell.joules_per_example, "whole GPU": cell.gpu_joules_per_example}
        for what, joules in energy.items():
            if joules:
                energies = ", ".join(f"{escaped(model)} {value:.3g}" for model, value in joules.items())
                lines.append(f"Energy at {name}, joules an example, {what}: {energies}.")
    return lines


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"


def _mb(count: int | None) -> str:
    return NONE if count is None else f"{count / 1e6:.1f}"
