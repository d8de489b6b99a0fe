"""What the verbs print: text for people, JSON for programs. Reads records; imports no model code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DamagedFile, HarnessError
from harness.execute.environment import cores, cpu, versions
from harness.hashing import short
from harness.progress import clock, cost
from harness.registry import Registry
from harness.run import Outcome, Prepared
from harness.specs import SuiteSpec
from harness.store import Store

RATE_SHARE = 0.35
"""Share of the GEMM rate that training of a small model reaches, for cost estimates."""


def columns(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Rows under a header, aligned by spaces; the last column is not padded."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header) - 1)]
    lines = [header, ["-" * len(title) for title in header], *rows]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip() for line in lines
    )


def listing(registry: Registry, kind: str, as_json: bool) -> str:
    """All names of a kind with what one needs to choose among them."""
    if kind == "tasks":
        rows = [
            {
                "name": task.name,
                "family": task.family,
                "metrics": task.metrics,
                "sources": [name for name in ("embedded", "glue", "hub") if getattr(task.sources, name)],
                "description": task.description,
            }
            for task in registry.tasks.values()
        ]
    elif kind == "suites":
        rows = [
            {"name": suite.name, "tasks": suite.tasks, "average": suite.averaged, "description": suite.description}
            for suite in registry.suites.values()
        ]
        if not as_json:
            rows = [{key: value for key, value in row.items() if key != "average"} for row in rows]
    elif kind == "models":
        rows = [
            {
                "name": recipe.name,
                "learner": recipe.learner,
                "from": recipe.pretrained or ("scratch" if recipe.config else "–"),
                "default": "default" if recipe.default else "",
                "description": recipe.description,
            }
            for recipe in registry.recipes.values()
        ]
    else:
        from harness import metrics

        rows = [
            {"name": name, "version": metrics.code_version(name)[:12], "source": str(metrics.source(name))}
            for name in metrics.names()
        ]
    if as_json:
        return json.dumps(rows, indent=1, ensure_ascii=False)
    header = list(rows[0])
    return columns([[_cell(row[key]) for key in header] for row in rows], header)


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def plan_text(prepared: Prepared) -> str:
    """The cells, which are cached, and what the rest is estimated to cost on this machine."""
    rate, workers = _rate()
    rows = [
        [
            short(cell.key),
            cell.kind,
            cell.task,
            cell.split or "",
            cell.model,
            str(cell.seed),
            "cached" if cell.key in prepared.cached else _estimate(cell.flops, cost(cell), rate),
        ]
        for cell in prepared.plan.cells
    ]
    missing = prepared.missing
    seconds = sum(cost(cell) for cell in missing) / rate
    unknown = sum(cell.flops is None for cell in missing)
    note = f", {unknown} of unknown cost counted at a guess" if unknown else ""
    total = f"{len(rows)} cells, {len(prepared.cached)} cached, {len(missing)} to compute"
    about = f": about {clock(seconds / min(workers, len(missing)))} on {min(workers, len(missing))} workers{note}" if missing else ""
    return columns(rows, ["cell", "kind", "task", "split", "model", "seed", "cost"]) + f"\n\n{total}{about}"


def plan_json(prepared: Prepared) -> str:
    rate, workers = _rate()
    cells = [
        {
            "cell": cell.key, "kind": cell.kind, "task": cell.task, "split": cell.split, "model": cell.model, "seed": cell.seed,
            "cached": cell.key in prepared.cached, "needs": list(cell.needs), "flops": cell.flops,
            "estimated_seconds": None if cell.flops is None else round(cost(cell) / rate, 2),
        }
        for cell in prepared.plan.cells
    ]  # fmt: skip
    return json.dumps(
        {"cells": cells, "absent": dict(prepared.plan.absent), "data": dict(prepared.plan.data), "workers": workers},
        indent=1,
        ensure_ascii=False,
    )


def _rate() -> tuple[float, int]:
    """FLOP/s of one worker and the number of workers, by the calibration."""
    from harness.execute.calibrate import calibration

    measured = calibration()
    threads = measured["threads"]
    return RATE_SHARE * 1e9 * measured["gemm_gflops"][str(threads)], max(1, cores() // threads)


def _estimate(flops: float | None, total: float, rate: float) -> str:
    return "unknown" if flops is None else f"~{total / rate:.0f} s"


def summary_line(outcome: Outcome) -> str:
    """`run NAME: 27 cells: 20 done, 7 cached, in 1:10`, failures first among the words."""
    counts = {status: list(outcome.statuses.values()).count(status) for status in ("failed", "skipped", "done", "cached", "missing")}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    lines = [f"run {outcome.name}: {len(outcome.statuses)} cells: {said}, in {outcome.seconds:.1f} s"]
    causes = dict.fromkeys(cause for key, cause in outcome.causes.items() if outcome.statuses[key] == "failed")
    return "\n".join([*lines, *(f"  failed: {cause}" for cause in causes)])


def score_records(store: Store, manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The score records of runs, each once; a damaged one is named on stderr and left out."""
    keys = dict.fromkeys(cell["cell"] for manifest in manifests for cell in manifest["cells"] if cell["kind"] == "score")
    records = []
    for key in keys:
        try:
            if store.has(key):
                records.append(store.read(key))
        except DamagedFile as error:
            print(f"damaged: {error}; left out, run its run again", file=sys.stderr)
    return records


def leaderboard_text(store: Store, names: Sequence[str], style: str) -> str:
    """The tables of the named runs, or of all runs, in `markdown`, `csv`, `json` or `latex`.

    Raises:
        HarnessError: no run, or none with a score.
    """
    from harness.report import formats, leaderboard

    manifests = [store.run(name) for name in names or store.run_names() or ["latest"]]
    records = score_records(store, manifests)
    suites: dict[tuple[str, ...], SuiteSpec] = {}
    for manifest in reversed(manifests):
        for suite in manifest["suites"]:
            spec = SuiteSpec.model_construct(
                name=suite["name"], version=suite["version"], description="", tasks=suite["tasks"], average=suite["averaged"]
            )
            suites[suite["name"], *suite["tasks"]] = spec
    if not records:
        causes = [cell["cause"] for manifest in manifests for cell in manifest["cells"] if "cause" in cell]
        raise HarnessError(f"no scores in {'these runs' if names else store.root}{f': {causes[0]}' if causes else ''}")
    tables = leaderboard.build(records, list(suites.values()))
    if style == "csv":
        return formats.to_csv(tables).rstrip("\n")
    if style == "json":
        return formats.to_json(tables)
    one = formats.to_latex if style == "latex" else formats.to_markdown
    return "\n\n".join(one(table).rstrip("\n") for table in tables)


def run_json(store: Store, name: str) -> str:
    """A run's manifest with its score records."""
    manifest = store.run(name)
    keep = ("cell", "task", "split", "model", "seed", "n", "data", "scores", "selection", "lineage", "predictions", "timings")
    scores = [{key: record[key] for key in keep} for record in score_records(store, [manifest])]
    return json.dumps({**manifest, "scores": scores}, indent=1, ensure_ascii=False)


def run_text(store: Store, name: str) -> str:
    """A run for a reader: head, cells with scores, notes on the data, failures with their causes."""
    manifest = store.run(name)
    spec = {key: value for key, value in manifest["spec"].items() if value not in (None, [])}
    head = [
        f"run       {manifest['run']}",
        f"status    {manifest['status']}, {manifest['created']}, {manifest['timings']['seconds']:.1f} s",
        f"asked     {', '.join(f'{key} {_cell(value)}' for key, value in spec.items())}",
        f"machine   {manifest['environment']['cpu']['model']}, {manifest['environment']['cores']} cores, "
        f"{manifest['environment']['threads']} thread(s) a process",
    ]
    rows, notes = [], {}
    for cell in manifest["cells"]:
        record = _record(store, cell["cell"])
        seconds = f"{record['timings']['seconds']:.1f} s" if record else ""
        rows.append(
            [short(cell["cell"]), cell["kind"], cell["task"], cell["split"] or "", cell["model"], str(cell["seed"]),
             cell["status"], seconds, _scores_text(record) if record else ""]
        )  # fmt: skip
        if record and record["kind"] == "score":
            for note in record["data"]["notes"]:
                notes[f"{cell['task']}: {note}"] = None
            if "note" in record["selection"]:
                notes[f"{cell['task']} {cell['model']}: {record['selection']['note']}"] = None
    table = columns(rows, ["cell", "kind", "task", "split", "model", "seed", "status", "time", "scores [95 % interval]"])
    parts = ["\n".join(head), table]
    if manifest["absent"]:
        parts.append("absent\n" + "\n".join(f"  {task}: {reason}" for task, reason in manifest["absent"].items()))
    if notes:
        parts.append("notes\n" + "\n".join(f"  {note}" for note in notes))
    failed = [cell for cell in manifest["cells"] if cell["status"] in ("failed", "skipped")]
    if failed:
        lines = [f"  {cell['kind']} {cell['task']} {cell['model']} seed {cell['seed']}: {cell.get('cause', '')}" for cell in failed]
        where = f"  tracebacks: {store.root / 'failures'}"
        parts.append("\n".join(["failures", *lines, where]))
    return "\n\n".join(parts)


def _record(store: Store, key: str) -> dict[str, Any] | None:
    try:
        return store.read(key) if store.has(key) else None
    except DamagedFile as error:
        print(f"damaged: {error}", file=sys.stderr)
        return None


def _scores_text(record: Mapping[str, Any]) -> str:
    if record["kind"] != "score":
        return f"{record['model'].get('parameters') or 0:,} parameters"
    if not record["scores"]:
        return f"no labels; {record['n']} predictions written"
    return ", ".join(f"{name} {one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]" for name, one in record["scores"].items())


def rescore(store: Store, name: str, names: Sequence[str], as_json: bool) -> tuple[str, bool]:
    """Metrics computed again from stored predictions, beside the stored ones.

    Returns the text and whether every score that was stored came out the same.

    Raises:
        DamagedFile: predictions are not what was written.
        HarnessError: an unknown metric, or one that does not fit a task's predictions.
    """
    from harness import metrics
    from harness.execute.score import PREDICTIONS, read_predictions, score_all

    for metric in names:
        metrics.get(metric)
    rows: list[dict[str, Any]] = []
    for record in score_records(store, [store.run(name)]):
        predictions, references, oracle = read_predictions(store.file(record["cell"], PREDICTIONS))
        wanted = list(names) or list(record["scores"])
        values = "labels" if predictions.dtype.kind in "iu" else "values"
        fitting = [metric for metric in wanted if metrics.get(metric).inputs == values]
        for metric, score in score_all(fitting, predictions, references, oracle).items():
            stored = record["scores"].get(metric, {}).get("value")
            rows.append(
                {
                    "task": record["task"]["name"], "split": record["split"], "model": record["model"]["name"],
                    "seed": record["seed"], "metric": metric, **score, "stored": stored,
                    "same": None if stored is None else abs(stored - score["value"]) < 1e-9,
                }
            )  # fmt: skip
    if not rows:
        raise HarnessError(f"run {name}: nothing to score{f' with {_cell(list(names))}' if names else ''}: no stored predictions that fit")
    same = all(row["same"] is not False for row in rows)
    if as_json:
        return json.dumps(rows, indent=1), same
    said = {None: "new", True: "same as stored", False: "DIFFERS"}
    lines = [
        [row["task"], row["split"], row["model"], str(row["seed"]), row["metric"], f"{row['value']:.4f}",
         f"[{row['low']:.4f}, {row['high']:.4f}]", str(row["n"]),
         said[row["same"]] + (f", stored {row['stored']:.4f}" if row["same"] is False else "")]
        for row in rows
    ]  # fmt: skip
    return columns(lines, ["task", "split", "model", "seed", "metric", "value", "95 % interval", "n", "compared"]), same


def doctor(out: Path, as_json: bool) -> str:
    """The machine, the software, the hub and the results folder."""
    import psutil

    from harness import data
    from harness.execute.calibrate import calibration

    measured = calibration()
    unreachable = data.hub_reachable()
    memory = psutil.virtual_memory()
    store = Store(out)
    facts = {
        "cpu": cpu(),
        "cores": cores(),
        "memory_gib": {"total": round(memory.total / 2**30, 1), "available": round(memory.available / 2**30, 1)},
        "calibration": measured,
        "versions": versions(),
        "hub": unreachable or "reachable",
        "results": {"folder": str(out), "runs": len(store.run_names()) if (out / "runs").is_dir() else 0},
    }
    if as_json:
        return json.dumps(facts, indent=1)
    gemm = ", ".join(f"{rate} GFLOP/s with {count} thread(s)" for count, rate in measured["gemm_gflops"].items())
    steps = ", ".join(f"{value} ms with {count}" for count, value in measured["step_ms"].items())
    bf16 = measured["cpu_bf16_speedup"]
    lines = [
        ("cpu", f"{facts['cpu']['model']}; {', '.join(facts['cpu']['isa']) or 'no vector extensions known'}"),
        ("cores", f"{facts['cores']} usable"),
        ("memory", f"{facts['memory_gib']['available']} GiB available of {facts['memory_gib']['total']}"),
        ("cuda", f"{measured['cuda_devices']} device(s)" if measured["cuda_devices"] else "no device"),
        ("threads", f"{measured['threads']} intra-op a process, {max(1, cores() // measured['threads'])} worker(s) "
                    f"(calibration{', cached' if measured['cached'] else ', just measured'})"),
        ("gemm", gemm),
        ("step", f"{steps} (small encoder, training)"),
        ("bf16", f"{bf16}× the fp32 rate on this CPU" + ("; fp32 is used" if bf16 < 1.5 else "")),
        ("hub", f"not reachable: {unreachable}; --data embedded and --data FOLDER work without" if unreachable else "reachable"),
        ("results", f"{facts['results']['folder']}: {facts['results']['runs']} run(s)"),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
    ]  # fmt: skip
    return "\n".join(f"{name:<9} {value}" for name, value in lines)
