"""What can be asked for by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.compression import COMPRESSORS
from harness.core.registry import Registry
from harness.report.text.text import cell_text, columns
from harness.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from harness.compression import Compressor
    from harness.training.objectives import Objective


def listing(registry: Registry, kind: str, as_json: bool) -> str:
    """All names of a kind with what one needs to choose among them."""
    if kind == "tasks":
        rows = [
            {
                "name": task.name,
                "family": task.family,
                "metrics": task.metrics,
                "sources": [name for name in ("embedded", "glue", "folder", "hub") if getattr(task.sources, name)],
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
    elif kind == "objectives":
        rows = [{"name": name, **_objective(OBJECTIVES.get(name))} for name in OBJECTIVES.names()]
    elif kind == "compressors":
        rows = [{"name": name, **_compressor(COMPRESSORS.get(name))} for name in COMPRESSORS.names()]
    else:
        rows = [
            {"name": name, "version": metrics.code_version(name)[:12], "source": str(metrics.source(name))}
            for name in metrics.names()
        ]
    if as_json:
        return json.dumps(rows, indent=1, ensure_ascii=False)
    header = list(rows[0])
    return columns([[cell_text(row[key]) for key in header] for row in rows], header)


def _objective(kind: type[Objective]) -> dict[str, Any]:
    return {
        "tokenizers": list(kind.tokenizers),
        "options": list(kind.Options.model_fields),
        "description": _about(kind),
    }


def _compressor(kind: type[Compressor]) -> dict[str, Any]:
    return {
        "runtime": kind.runtime,
        "options": list(kind.Options.model_fields),
        "main": kind.main or "",
        "description": _about(kind),
    }


def _about(kind: type) -> str:
    """The first paragraph of what the module of a class says of itself."""
    import sys

    about = (sys.modules[kind.__module__].__doc__ or "").strip().split("\n\n")[0]
    return " ".join(about.split())
