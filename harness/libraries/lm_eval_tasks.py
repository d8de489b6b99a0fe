"""Tasks of lm-evaluation-harness: what this package must know of one, and the task itself with its data."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, states_of
from harness.core.plugins import reason_of
from harness.core.specs import LIBRARY_MARK, TaskSpec
from harness.data.hub_access import from_cache_if_unreachable
from harness.libraries import lm_eval_metrics as metrics
from harness.libraries.lm_eval_names import NAME, WITHIN, config_of, group_of
from harness.libraries.manners import not_loaded, random_state_kept, without_remarks

FEWSHOT_SEED = 1234
"""By which lm_eval draws the examples that are shown."""
RANDOM_SEED, NUMPY_SEED = 0, 1234
"""Those under which it reads a task's data, which some tasks shuffle."""
CHOICES = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match")
LOADERS = ("json", "csv", "parquet", "text", "arrow")
"""Loaders of local files."""


def spec_of(name: str, shots: int | None, include: Sequence[str]) -> TaskSpec:
    """What a plan must know of a task, found without its data.

    Raises:
        HarnessError: there is no such task, it cannot be done here, or its number of examples shown is fixed.
    """
    cfg = config_of(name, include)
    called = f"{NAME}{LIBRARY_MARK}{name}"
    _refuse(cfg, called)
    config = _checked_config(cfg, called)
    fixed = config.num_fewshot
    if shots and fixed == 0:
        raise HarnessError(
            f"task {called}: it is asked without examples shown, by its own definition; leave @{shots}-shot out"
        )
    count = (fixed or 0) if shots is None else shots
    split = config.test_split or config.validation_split
    if split is None:
        raise HarnessError(
            f"task {called}: it names neither a test nor a validation split, so that there is nothing to score"
        )
    scored = metrics_of(config, called)
    says = {
        "task": name,
        "num_fewshot": count,
        "include": list(include),
        "definition": hash_json([_plain(_settings(cfg)), count]),
    }
    return TaskSpec.model_validate(
        {
            "name": called if shots is None else f"{called}@{shots}-shot",
            "version": _version(config),
            "family": "library",
            "description": f"{config.output_type} of {config.dataset_path or 'made data'}",
            "fields": {field: field for field in ("text", "content", "target")},
            "sources": {NAME: says},
            "reading": {"source": f"{NAME}{LIBRARY_MARK}"},
            "train": config.training_split or config.fewshot_split or "train",
            "eval": [split],
            "metrics": scored,
            "primary_metrics": [_primary(scored, _averaged(name, include))],
            "shots": 0,
        }
    )


def noted_of(task: TaskSpec) -> dict[str, Any]:
    """What `spec_of` noted of a task for those who load it."""
    says: dict[str, Any] = task.sources.of(NAME)
    return says


def metrics_of(config: Any, where: str) -> list[str]:
    """The metrics of a task as they are called here: each under each filter.

    Raises:
        HarnessError: a function that puts values together and is of a folder's own.
    """
    from lm_eval.api.registry import DEFAULT_METRIC_REGISTRY

    given = config.metric_list or [{"metric": name} for name in DEFAULT_METRIC_REGISTRY[config.output_type]]
    filters = [entry["name"] for entry in config.filter_list or [{"name": "none"}]]
    names = []
    for entry in given:
        metric = entry["metric"]
        called = metric.__name__ if callable(metric) else str(metric)
        usual = metrics.USUAL.get(called, metrics.Usual())
        aggregation, greater = _aggregation(entry, called, usual, where)
        is_plain = not callable(config.process_results) and not callable(metric)
        certain = usual.is_right_or_wrong and aggregation == "mean" and greater and is_plain
        names += [metrics.name_of(called, kept, aggregation, greater, certain) for kept in filters]
    return [f"{NAME}{LIBRARY_MARK}{name}" for name in dict.fromkeys(names)]


def _aggregation(entry: Mapping[str, Any], metric: str, usual: metrics.Usual, where: str) -> tuple[str, bool]:
    rule = entry.get("aggregation", usual.aggregation)
    greater = bool(entry.get("higher_is_better", usual.greater))
    if not callable(rule):
        if rule not in metrics.AGGREGATIONS:
            raise HarnessError(
                f"task {where}: its metric {metric} is put together by '{rule}', which is not known here"
            )
        return str(rule), greater
    function = metrics.function_name(rule)
    if function is None:
        raise HarnessError(
            f"task {where}: its metric {metric} is put together by a function of its folder, by which stored scores "
            f"could not be computed again; give one of {', '.join(metrics.AGGREGATIONS)}"
        )
    return function, greater


def _primary(names: Sequence[str], averaged: str | None) -> str:
    """The first that the group averages, or else of which more is better."""
    of = [metrics.metric_of(name.removeprefix(f"{NAME}{LIBRARY_MARK}"), NAME) for name in names]
    keys = [metrics.key_of(metric.name.removeprefix(f"{NAME}{LIBRARY_MARK}")).partition(",")[0] for metric in of]
    if averaged in keys:
        return names[keys.index(averaged)]
    return next((metric.name for metric in of if metric.greater_is_better), names[0])


def _averaged(name: str, include: Sequence[str]) -> str | None:
    """The metric that the group of `GROUP/TASK` averages."""
    group, mark, _ = name.partition(WITHIN)
    members = group_of(group, include) if mark else None
    return members.metric if members is not None else None


def _version(config: Any) -> int:
    """lm_eval counts 0, 1, 2.0, …; here the first is 1."""
    try:
        return max(1, int(float((config.metadata or {}).get("version", 1))))
    except (TypeError, ValueError):
        return 1


def _refuse(cfg: Mapping[str, Any], where: str) -> None:
    """Raises HarnessError for what is not done here."""
    if "class" in cfg or cfg.get("unsafe_code"):  # of a group's own
        raise HarnessError(f"task {where}: it runs code of its own, which is not done here")
    if cfg.get("doc_to_image") or cfg.get("doc_to_audio"):
        raise HarnessError(f"task {where}: it shows images or sounds, and models here read text")


def _settings(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A task's configuration, without where it was found and what it is filed under."""
    metadata = {key: value for key, value in (cfg.get("metadata") or {}).items() if key != "config_source"}
    return {
        **{key: value for key, value in cfg.items() if key not in ("tag", "group", "task_list", "task_alias")},
        "metadata": metadata,
    }


def _plain(value: Any) -> Any:
    """A configuration as JSON; functions and classes by their names and the code of their files."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, partial):
        return ["partial", _plain(value.func), _plain(value.args), _plain(value.keywords)]
    if callable(value):
        return ["code", getattr(value, "__qualname__", repr(value)), _code_of(value)]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def _code_of(function: Callable[..., Any]) -> str:
    import inspect

    try:
        return hash_json(Path(inspect.getsourcefile(function) or "").read_text(encoding="utf-8"))
    except (OSError, TypeError, UnicodeDecodeError):
        return ""


def _checked_config(cfg: Mapping[str, Any], where: str) -> Any:
    from lm_eval.api.task import ALL_OUTPUT_TYPES, TaskConfig

    try:
        with quiet():
            config = TaskConfig(**_settings(copy.deepcopy(dict(cfg))))
    except Exception as error:
        raise HarnessError(f"task {where}: its definition is none of lm_eval: {reason_of(error)}") from None
    if config.output_type not in ALL_OUTPUT_TYPES:
        raise HarnessError(f"task {where}: output_type {config.output_type} is none of {', '.join(ALL_OUTPUT_TYPES)}")
    return config


def state_of(task: TaskSpec) -> object | None:
    """What pins the data of a task: local files by their states; a dataset of the hub is not pinned by lm_eval."""
    says = noted_of(task)
    cfg = config_of(says["task"], says["include"])
    files = _local_files(cfg)
    if files is None:
        return None
    return [says["definition"], *states_of(files)]


def _local_files(cfg: Mapping[str, Any]) -> list[Path] | None:
    """None where the data is none of local files."""
    if cfg.get("dataset_path") not in LOADERS or callable(cfg.get("custom_dataset")):
        return None
    files = [Path(text) for text in _texts_in((cfg.get("dataset_kwargs") or {}).get("data_files"))]
    return files if files and all(file.is_file() for file in files) else None


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts_in(inner)


def load(task: TaskSpec) -> Any:
    """The task as lm_eval has it, with its data. Raises HarnessError where that cannot be had."""
    says = noted_of(task)
    state = state_of(task)
    return _loaded(says["task"], tuple(says["include"]), says["definition"], json.dumps(state), says["num_fewshot"])


@lru_cache(maxsize=4)
def _loaded(name: str, include: tuple[str, ...], definition: str, state: str, shots: int) -> Any:
    """`definition` and `state` tell what changed within the life of a process from what it was."""
    from lm_eval.api.task import ConfigurableTask

    where = f"task {NAME}{LIBRARY_MARK}{name}"
    cfg = _settings(copy.deepcopy(config_of(name, include)))
    reading = contextlib.nullcontext() if _is_local(cfg) else from_cache_if_unreachable()
    try:
        with quiet(), seeded(), reading:
            task = ConfigurableTask(config=cfg)
    except Exception as error:
        raise _not_loaded(where, cfg, error) from None
    task.set_config(key="num_fewshot", value=shots)
    return task


def _not_loaded(where: str, cfg: Mapping[str, Any], error: Exception) -> HarnessError:
    dataset = f"{cfg.get('dataset_path')}" + (f", {cfg['dataset_name']}" if cfg.get("dataset_name") else "")
    return not_loaded(where, dataset, error, _is_local(cfg))


def _is_local(cfg: Mapping[str, Any]) -> bool:
    """Whether a task's data are files of this machine."""
    place = cfg.get("dataset_path")
    places = [str(place), *_texts_in((cfg.get("dataset_kwargs") or {}).get("data_files"))]
    return place in LOADERS and not any("://" in text for text in places)


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """As lm_eval seeds the generators before it reads a task; what they were is put back."""
    import numpy as np

    with random_state_kept():
        random.seed(RANDOM_SEED)
        np.random.seed(NUMPY_SEED)
        yield


def quiet() -> contextlib.AbstractContextManager[None]:
    """Without lm_eval's remarks and the progress of reading data."""
    return without_remarks("lm_eval")


@contextlib.contextmanager
def templates_kept() -> Iterator[None]:
    """Each template of Jinja is compiled once, which lm_eval does for each example."""
    from lm_eval.utils import env

    vars(env)["from_string"] = functools.cache(env.from_string)
    try:
        yield
    finally:
        del vars(env)["from_string"]
