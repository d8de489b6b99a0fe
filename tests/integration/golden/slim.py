"""What of the commands' JSON must stay: scores, intervals, n, data, verdicts; no times, keys, names of runs, machine, prose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

ESTIMATE = ("value", "low", "high")
ROW = (
    "model", "task", "metrics", "n", "seeds", "base", "candidate", "drop", "low", "high", "p", "test", "margin",
    "ok_margin", "detectable", "power", "verdict", "improved",
)  # fmt: skip
FLIPS = ("model", "task", "split", "n", "seeds", "worse", "better", "by_label", "by_length", "by_kind")


def run(content: Json) -> Json:
    """Of `harness run --json`."""
    return {
        "status": content["status"],
        "models": content["models"],
        "cells": len(content["cells"]),
        "not_applicable": sorted([one["model"], one["task"]] for one in content["not_applicable"]),
        "scores": {
            f"{one['model']['name']} {one['task']['name']} {one['split']} seed {one['seed']}": {
                "n": one["n"],
                "runtime": one["runtime"],
                "parameters": one["model"]["parameters"],
                "data": one["data"]["fingerprint"],
                "splits": {name: split["fingerprint"] for name, split in one["data"]["splits"].items()},
                "scores": {
                    name: _chosen(score, *ESTIMATE, "n", "chance") | {"ceiling": _estimate(score["ceiling"])}
                    for name, score in one["scores"].items()
                },
            }
            for one in content["scores"]
        },
    }


def leaderboard(content: Json) -> Json:
    """Of `harness leaderboard --format json`."""
    (table,) = content["tables"]
    return {
        "data": table["fingerprint"],
        "columns": {
            one["task"]: _chosen(one, "n", "fingerprint", "metrics", "chance", "headline")
            | {"ceiling": _estimate(one["ceiling"])}
            for one in table["columns"]
        },
        "rows": {
            row["label"]: {
                "seeds": row["seeds"],
                "scores": {task: _estimate(score["estimate"]) for task, score in row["scores"].items()},
                "average": _estimate((row["average"] or {}).get("estimate")),
            }
            for row in table["rows"]
        },
    }


def judgement(content: Json) -> Json:
    """Of `harness gate --json` and `harness compare --format json`."""
    return {
        **_chosen(content, "outcome", "exit_code", "alpha"),
        "reasons": len(content["reasons"]),
        "rows": {f"{row['model']} {row['task']}": _chosen(row, *ROW[2:]) for row in content["rows"]},
        "flips": {f"{one['model']} {one['task']}": _chosen(one, *FLIPS[2:]) for one in content["flips"]},
    }


def compression(content: Json) -> Json:
    """Of `harness compress --json`."""
    return _chosen(content, "method", "runtime", "steps", "before", "after")


def _estimate(estimate: Mapping[str, Any] | None) -> Json | None:
    return None if estimate is None else _chosen(estimate, *ESTIMATE)


def _chosen(content: Mapping[str, Any], *names: str) -> Json:
    return {name: content[name] for name in names}
