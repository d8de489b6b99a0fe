"""What can be asked for by name."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from harness import metrics
from harness.attacks.base import Attack
from harness.compression import Compressor
from harness.core import plugins
from harness.core.errors import HarnessError, unknown
from harness.core.libraries import LIBRARIES
from harness.core.registry import Registry
from harness.core.specs import LIBRARY_MARK
from harness.corpora.rules.base import Rule
from harness.data.augment.base import Augmentation
from harness.report.text.text import cell_text, columns
from harness.report.text.untrained import may_be_untrained, modality_of, untrained_families
from harness.training.objectives import Objective

SPECS = ("tasks", "suites", "models")
PLURALS = {"families": "family", "libraries": "library"} | {
    f"{kind}s": kind for kind in plugins.KINDS if kind not in ("family", "library")
}
"""Kinds of plug-ins by their plural."""
KINDS = (*SPECS, *PLURALS)


def listing(registry: Registry, kind: str, as_json: bool, source: str | None = None) -> str:
    """All names of a kind with what one needs to choose among them; of tasks those of the library `source`.

    Raises:
        HarnessError: there is no such kind; with a did-you-mean.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if source is not None:
        rows = _of_library(registry, kind, source)
    else:
        rows = _specs(registry, kind) if kind in SPECS else _plugins(PLURALS[kind])
    if as_json:
        return json.dumps(rows, indent=1, ensure_ascii=False)
    if not rows:
        return f"no {kind}"
    if kind == "suites":
        rows = [{key: value for key, value in row.items() if key != "average"} for row in rows]
    header = list(rows[0])
    return columns([[cell_text(row[key]) for key in header] for row in rows], header)


def _specs(registry: Registry, kind: str) -> list[dict[str, Any]]:
    if kind == "tasks":
        return [
            {
                "name": task.name,
                "family": task.family,
                "modality": modality_of(task),
                "untrained": "yes" if may_be_untrained(task) else "",
                "metrics": task.metrics,
                "sources": task.sources.given,
                "description": task.description,
            }
            for task in registry.tasks.values()
        ]
    if kind == "suites":
        return [
            {"name": suite.name, "tasks": suite.tasks, "average": suite.averaged, "description": suite.description}
            for suite in registry.suites.values()
        ]
    return [
        {
            "name": model_spec.name,
            "learner": model_spec.learner,
            "from": model_spec.pretrained or ("scratch" if model_spec.config else "–"),
            "default": "default" if model_spec.default else "",
            "untrained": untrained_families(model_spec),
            "description": model_spec.description,
        }
        for model_spec in registry.model_specs.values()
    ]


def _of_library(registry: Registry, kind: str, source: str) -> list[dict[str, Any]]:
    """Raises HarnessError for another kind than tasks, an unknown library, or one that is not installed."""
    if kind != "tasks":
        raise HarnessError(f"--source {source}: a task library has tasks, not {kind}")
    return [
        {
            "name": f"{source}{LIBRARY_MARK}{listed.name}",
            "kind": listed.kind,
            "asks": listed.asks,
            "members": list(listed.members),
        }
        for listed in LIBRARIES.get(source).names(registry.included.get(source, ()))
    ]


def _plugins(kind: str) -> list[dict[str, Any]]:
    table = plugins.table(kind)
    if kind in ("objective", "compressor"):
        facts = _objective if kind == "objective" else _compressor
        return [
            {"name": name, **facts(table.get(name)), "description": _described(table.source(name))}
            for name in table.names()
        ]
    if kind == "augmentation":
        return [_augmentation(name, table.get(name)) for name in table.names()]
    if kind == "attack":
        return [_attack(name, table.get(name)) for name in table.names()]
    if kind == "rule":
        return [_rule(name, table.get(name)) for name in table.names()]
    if kind == "metric":
        return [
            {"name": name, "version": metrics.code_version(name)[:12], "source": str(metrics.source(name))}
            for name in table.names()
        ]
    return [
        {"name": name, "source": str(table.source(name)), "description": _described(table.source(name))}
        for name in table.names()
    ]


def _augmentation(name: str, operation: type[Augmentation]) -> dict[str, Any]:
    description = " ".join((operation.__doc__ or "").split())
    return {
        "name": name,
        "changes": operation.changes,
        "options": list(operation.Options.model_fields),
        "description": description,
        "from": operation.source,
    }


def _attack(name: str, attack: type[Attack]) -> dict[str, Any]:
    description = " ".join((attack.__doc__ or "").split())
    return {
        "name": name, "options": list(attack.Options.model_fields), "from": attack.source, "description": description,
    }  # fmt: skip


def _rule(name: str, rule: type[Rule]) -> dict[str, Any]:
    description = " ".join((rule.__doc__ or "").split())
    return {"name": name, "options": list(rule.Options.model_fields), "from": rule.source, "description": description}


def _described(source: Path) -> str:
    """The first paragraph of a module's docstring, read without importing it."""
    paragraph = (ast.get_docstring(ast.parse(source.read_bytes())) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def _objective(kind: type[Objective]) -> dict[str, Any]:
    return {
        "tokenizers": list(kind.tokenizers),
        "options": list(kind.Options.model_fields),
    }


def _compressor(kind: type[Compressor]) -> dict[str, Any]:
    return {
        "runtime": kind.runtime,
        "options": list(kind.Options.model_fields),
        "main": kind.main or "",
    }
