"""Cards: all that the specs say of one task or model, for a terminal, JSON or the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.core.errors import unknown
from harness.core.registry import Registry
from harness.core.source_specs import FolderSource, HubSource
from harness.core.specs import ModelSpec, TaskSpec
from harness.report.text.text import columns

WITH_CARDS = ("tasks", "models")
Row = tuple[str, str]


def card(registry: Registry, kind: str, name: str, as_json: bool) -> str:
    """The card of a task or a model.

    Args:
        registry: What is known by name.
        kind: `tasks` or `models`.
        name: One of them.
        as_json: The spec as it stands, in place of text.

    Raises:
        HarnessError: nothing of that kind has a card, or there is none of that name; with a did-you-mean.
    """
    if kind not in WITH_CARDS:
        raise unknown("kind with cards", kind, WITH_CARDS)
    spec: TaskSpec | ModelSpec = registry.task(name) if kind == "tasks" else registry.model_spec(name)
    if as_json:
        return json.dumps(spec.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False)
    rows = task_rows(spec) if isinstance(spec, TaskSpec) else model_rows(spec)
    width = max(len(title) for title, _ in rows)
    lines = [f"{spec.name}: {spec.description}", "", *(f"{title.ljust(width)}  {text}" for title, text in rows)]
    published = published_rows([spec]) if isinstance(spec, TaskSpec) else []
    return "\n".join([*lines, *(["", columns(published, PUBLISHED)] if published else [])])


PUBLISHED = ("published", "metric", "split", "score", "source")


def task_rows(task: TaskSpec) -> list[Row]:
    """What a task is, as titles and texts; the published scores apart."""
    rows = [
        ("family", task.family),
        ("classes", _some(task.labels or ())),
        ("examples", " · ".join(f"{split} {count:,}" for split, count in task.card.size.items())),
        ("scored", f"{', '.join(task.eval)} by {', '.join(task.metrics)}"),
        ("model of", task.train_on or ""),
        ("chance", chance(task)),
        ("licence", task.card.licence or ""),
        ("language", task.card.language or ""),
        ("data", "; ".join(_places(task))),
        ("citation", task.card.citation or ""),
        ("homepage", task.card.homepage or ""),
    ]
    return [(title, text) for title, text in rows if text]


def model_rows(model: ModelSpec) -> list[Row]:
    """What a model is, as titles and texts."""
    training = model.training.model_dump(mode="json", exclude_defaults=True)
    pretraining = model.pretraining.objective if model.pretraining else ""
    rows = [
        ("learner", model.learner),
        ("weights", f"{model.pretrained}{f'@{model.revision}' if model.revision else ''}" if model.pretrained else ""),
        ("architecture", str((model.config or {}).get("model_type", ""))),
        ("pretraining", pretraining),
        ("parameters", f"{model.card.parameters:,}" if model.card.parameters else ""),
        ("training", ", ".join(f"{name} {value}" for name, value in training.items())),
        ("settings of", model.card.finetuning or ""),
        ("licence", model.card.licence or ""),
        ("language", model.card.language or ""),
        ("citation", model.card.citation or ""),
        ("homepage", model.card.homepage or ""),
    ]
    return [(title, text) for title, text in rows if text]


def published_rows(tasks: Iterable[TaskSpec]) -> list[list[str]]:
    """Published scores, ×100 where they are fractions, by `PUBLISHED`'s columns."""
    several = [task for task in tasks if task.card.published]
    return [
        [
            f"{task.name}: {published.model}" if len(several) > 1 else published.model,
            published.metric,
            published.split,
            f"{100 * published.score:.1f}" if published.score <= 1 else f"{published.score:g}",
            published.source,
        ]
        for task in several
        for published in task.card.published
    ]


def chance(task: TaskSpec) -> str:
    """What guessing evenly scores where the spec alone tells; tables of runs have the best constant answer's."""
    classes = len(task.labels or ())
    known = {"accuracy": f"{100 / classes:.1f}" if classes else "", "matthews_correlation": "0"}
    known |= {"pearson": "0", "spearman": "0"}
    scores = [f"{metric} {known[metric]}" for metric in task.metrics if known.get(metric)]
    return f"{', '.join(scores)}, guessing evenly" if scores else ""


def _places(task: TaskSpec) -> list[str]:
    places = []
    for kind in task.sources.given:
        source = task.sources.of(kind)
        if isinstance(source, HubSource):
            named = f"{source.path}:{source.name}" if source.name else source.path
            places.append(f"hub {named}@{source.revision}" if source.revision else f"hub {named}, no commit pinned")
        elif isinstance(source, FolderSource):
            places.append(f"folder {' or '.join(source.folder)}")
        else:
            places.append(kind)
    return places


def _some(names: Sequence[Any], most: int = 10) -> str:
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(str, names[:most]), *more])
