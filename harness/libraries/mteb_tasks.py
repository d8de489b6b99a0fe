"""Tasks of mteb: what this package must know of one, the task itself with its data, and its evaluation."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, unknown
from harness.core.hashing import hash_json, states_of
from harness.core.libraries import Embed
from harness.core.packages import require_packages
from harness.core.plugins import reason_of
from harness.core.specs import TaskSpec
from harness.data.hub_access import from_cache_if_unreachable
from harness.libraries.manners import not_loaded
from harness.libraries.mteb_data import files_of, local, quiet, seeded
from harness.libraries.mteb_kinds import Captured, Examples, Kind, Values, kind_of

if TYPE_CHECKING:
    import numpy as np

NAME = "mteb"
WITHIN = "/"
"""Stands between a task of several languages and one of them, as mteb calls its subsets."""
ALONE = "default"
"""The subset of a task that has no others."""


def require() -> None:
    """Raises HarnessError, with the extra to install, without the package."""
    require_packages("mteb", extra="mteb")


@cache
def classes() -> dict[str, Any]:
    """The classes of mteb's tasks by name."""
    require()
    with quiet():
        from mteb.get_tasks import _TASKS_REGISTRY

    return dict(_TASKS_REGISTRY)


def class_of(name: str) -> Any:
    """Raises HarnessError, with a did-you-mean, for a task there is none of."""
    known = classes()
    if name not in known:
        raise unknown("task", f"{NAME}:{name}", [f"{NAME}:{other}" for other in known])
    return known[name]


def refusal(task: Any) -> str | None:
    """Why a class of tasks is not done here; None where it is."""
    metadata, kind = task.metadata, kind_of(task)
    if kind is None:
        return f"tasks of the type {metadata.type} are not done here"
    if metadata.modalities != ["text"]:
        return "it shows images or sounds, and models here read text"
    return kind.scores(metadata.main_score)


def subsets_of(task: Any) -> list[str]:
    """Of a class of tasks: its languages, or only `default`."""
    return list(task.metadata.hf_subsets)


def parted(name: str) -> tuple[str, str | None]:
    """The name of a task, and its subset where one is named."""
    task, mark, subset = name.partition(WITHIN)
    return (task, subset) if mark else (name, None)


def spec_of(name: str, place: str = "") -> TaskSpec:
    """What a plan must know of a task, found without its data.

    Args:
        name: `TASK`, or `TASK/SUBSET` of one with several languages.
        place: A folder that holds its data; of none the hub does.

    Raises:
        HarnessError: there is no such task or subset, it has several, or it is not done here.
    """
    base, subset = parted(name)
    task = class_of(base)
    called = f"{NAME}:{name}"
    if reason := refusal(task):
        raise HarnessError(f"task {called}: {reason}")
    subsets = subsets_of(task)
    if subset is None:
        if len(subsets) > 1:
            raise HarnessError(f"{called} has {len(subsets)} subsets; a single one is asked for here")
        subset = subsets[0]
    if subset not in subsets:
        raise unknown("subset", subset, subsets, called)
    metadata, kind = task.metadata, kind_of(task)
    assert kind is not None
    metrics = [f"{NAME}:{score}" for score in dict.fromkeys((metadata.main_score, *kind.more))]
    says = {"task": base, "subset": subset, "definition": definition_of(task), "folder": place}
    return TaskSpec.model_validate(
        {
            "name": called,
            "family": "library",
            "description": f"{metadata.type} of {metadata.dataset['path']}",
            "fields": {field: field for field in ("text", "content", "target")},
            "sources": {NAME: says},
            "reading": {"source": f"{NAME}:"},
            "eval": list(metadata.eval_splits),
            "metrics": metrics,
            "primary_metrics": metrics[:1],
        }
    )


def definition_of(task: Any) -> str:
    """A hash of what a class of tasks says of its data and its evaluation, the package's version included."""
    settings = {
        name: repr(value)
        for base in reversed(task.__mro__)
        for name, value in vars(base).items()
        if not name.startswith("_") and (value is None or isinstance(value, str | int | float | bool | tuple | list))
    }
    metadata = {"dataset": dict(task.metadata.dataset), "splits": list(task.metadata.eval_splits)}
    return hash_json([version("mteb"), task.__qualname__, settings, metadata, task.metadata.main_score])


def kind_of_spec(task: TaskSpec) -> Kind:
    kind = kind_of(class_of(task.sources.of(NAME)["task"]))
    assert kind is not None
    return kind


def load(task: TaskSpec, limits: dict[str, int] | None = None) -> Any:
    """The task as mteb has it, with its data; of each split of `limits` only so many examples.

    Raises:
        HarnessError: its data cannot be had, or only a whole split can be evaluated.
    """
    says = task.sources.of(NAME)
    kind_of_task, metadata = class_of(says["task"]), class_of(says["task"]).metadata
    path, splits = str(metadata.dataset["path"]), metadata.eval_splits
    reading = local(says["folder"], says["task"], path, splits) if says["folder"] else from_cache_if_unreachable()
    try:
        with quiet(), reading, seeded():
            subsets = None if says["subset"] == ALONE else [says["subset"]]
            made = kind_of_task().filter_languages(None, hf_subsets=subsets)
            made.load_data()
    except HarnessError:
        raise
    except Exception as error:
        remedy = "; a folder of it is read with --data FOLDER"
        raise not_loaded(f"task {task.name}", path, error, bool(says["folder"]), remedy) from None
    kind = kind_of_spec(task)
    for split, count in (limits or {}).items():
        kind.limit(made, says["subset"], split, count)
    return made


def examples(task: TaskSpec, split: str, limit: int | None) -> Examples:
    """The examples of a split."""
    kind = kind_of_spec(task)
    if limit is not None and not kind.limited:
        raise HarnessError(f"--limit: task {task.name} draws its own samples of the texts; leave it out")
    made = load(task, None if limit is None else {split: limit})
    try:
        return kind.examples(made, task.sources.of(NAME)["subset"], split)
    except HarnessError as error:
        raise HarnessError(f"task {task.name}: {error}") from None
    except KeyError as error:
        raise HarnessError(f"task {task.name}: its data has no {error}") from None


def evaluate(task: TaskSpec, split: str, count: int, embed: Embed) -> tuple[list[Values], float]:
    """The values of the first `count` examples of a split, and the main score that mteb makes of them.

    Raises:
        HarnessError: the data cannot be had, or the evaluation failed.
    """
    says = task.sources.of(NAME)
    kind = kind_of_spec(task)
    with seeded():
        made = load(task, {split: count} if kind.limited else None)
        captured = Captured()
        _capture(made, captured)
        with quiet():
            try:
                scores = made.evaluate(
                    Encoder(embed), split, subsets_to_run=[says["subset"]], encode_kwargs={},
                    prediction_folder=Path("predictions"),
                )  # fmt: skip
            except HarnessError:
                raise
            except Exception as error:
                raise HarnessError(f"task {task.name}: mteb cannot evaluate it: {reason_of(error)}") from None
    captured.scores = scores[says["subset"]]
    return kind.values(made, says["subset"], split, captured), float(captured.scores[made.metadata.main_score])


def _capture(task: Any, captured: Captured) -> None:
    """Have a task leave what it would write to a file, and of a search the values of each query."""

    def save(predictions: Any, *arguments: Any, **settings: Any) -> None:
        captured.predictions = predictions

    specific_scores = getattr(task, "task_specific_scores", None)

    def specific(scores: Any, qrels: Any, results: Any, **settings: Any) -> Any:
        captured.queries, captured.relevant, captured.results = scores, qrels, results
        return specific_scores(scores, qrels, results, **settings) if specific_scores is not None else {}

    task._save_task_predictions = save
    if specific_scores is not None:
        task.task_specific_scores = specific


class Encoder:
    """A model as mteb calls one."""

    def __init__(self, embed: Embed) -> None:
        from mteb.models.model_meta import ModelMeta

        self._embed = embed
        self.mteb_model_meta = ModelMeta.create_empty({"name": "harness/model", "revision": "none"})

    def encode(self, inputs: Any, *, task_metadata: Any, prompt_type: Any = None, **settings: Any) -> np.ndarray:
        """Vectors (n, size) of the texts of batches."""
        texts = [text for batch in inputs for text in batch["text"]]
        return self._embed(texts, purposes(task_metadata.name, task_metadata.type, prompt_type and prompt_type.value))

    def similarity(self, first: Any, second: Any) -> Any:
        from mteb.similarity_functions import cos_sim

        return cos_sim(first, second)

    def similarity_pairwise(self, first: Any, second: Any) -> Any:
        from mteb.similarity_functions import pairwise_cos_sim

        return pairwise_cos_sim(first, second)


def purposes(task: str, kind: str, role: str | None) -> list[str]:
    """What prompts may be called that are meant for the texts of a task, the most special first; `role`: `query` or
    `document`, or None.
    """
    roles = {"document": ["document", "passage", "corpus"], "query": ["query"]}.get(role or "", [])
    of_role = [f"{name}-{role}" for name in (task, kind)] if role else [None, None]
    return [name for name in (of_role[0], task, of_role[1], kind, *roles) if name]


def state_of(task: TaskSpec) -> object:
    """What pins the data: the commit that mteb names, or the states of local files."""
    says = task.sources.of(NAME)
    metadata = class_of(says["task"]).metadata
    if not says["folder"]:
        return [says["definition"], says["subset"], metadata.dataset["revision"]]
    files = files_of(says["folder"], says["task"], str(metadata.dataset["path"]), metadata.eval_splits)
    return [says["definition"], says["subset"], *states_of(files)]


def outcome(content: dict[str, Any]) -> str:
    """An example's as JSON."""
    return json.dumps(content, ensure_ascii=False)


def package() -> str:
    """The version of mteb."""
    return version("mteb")
