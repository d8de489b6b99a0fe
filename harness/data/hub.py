"""The Hugging Face hub as a source. Without the hub, only what its cache holds of the very same commit."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError, TaskAbsentError, did_you_mean
from harness.core.families import FAMILIES
from harness.core.source_specs import HubSource
from harness.core.specs import TaskSpec
from harness.data import files
from harness.data.assemble import Reading
from harness.data.document import Corpus, CorpusOptions
from harness.data.documents import TEXT, documents_of_rows
from harness.data.hub_access import COMMIT, hub_reachable, one_line, without_progress_bars
from harness.data.hub_corpus import hub_corpus
from harness.data.hub_pairs import hub_pairs
from harness.data.item_tasks import for_task
from harness.data.pair_corpus import PairCorpus
from harness.data.source import Source, refuse_rest
from harness.data.table import merge_rows, require_column, rows_where, with_composed

if TYPE_CHECKING:
    from datasets import Dataset

CONVERTED = "refs/convert/"
"""Where revisions begin that the hub has made of a dataset, such as parquet files of what a script generates."""

ARROW_FILE = re.compile(r"-(\w+)(?:-\d{5}-of-\d{5})?\.arrow$")


def state_of_hub(task: TaskSpec) -> object | None:
    """What determines the data, None where no commit is pinned. Raises TaskAbsentError as `read_hub` does."""
    source = _source(task)
    if not _is_pinned(source):
        return None
    return ["hub", source.path, source.name, source.revision]


def read_hub(task: TaskSpec, wanted: Sequence[str], limit: int | None = None) -> Reading:
    """The wanted splits, of each at most the first `limit` rows, from the hub, or from its local cache where that holds
    the pinned commit.

    Raises:
        TaskAbsentError: the task names no hub dataset.
        HarnessError: the hub cannot be reached, or has no such dataset, revision, config or split.
    """
    source = _source(task)
    notes: list[str] = []
    cached = _cached(source)
    if cached is not None and _is_pinned(source):
        datasets = _from_cache(cached)
        commit = cached.name
    elif (reason := hub_reachable()) is None:
        datasets, commit = _from_hub(source)
    elif cached is not None and source.revision is None:
        datasets = _from_cache(cached)
        commit = cached.name
        notes.append(f"the hub cannot be reached ({reason}); read from its cache")
    else:
        raise HarnessError(
            f"the Hugging Face hub cannot be reached ({reason}) and its cache lacks {_name(source)}; "
            "use --data synthetic or --data FOLDER"
        )
    if not _is_pinned(source):
        notes.append(f"the task pins no commit of {source.path}; it was {commit}")
    location = f"hub {_name(source)}@{commit}"
    tables = {}
    for split in wanted:
        name = source.splits.get(split) or files.match_split(split, datasets, location)
        if name is None or name not in datasets:
            hint = did_you_mean(name or split, datasets)
            raise HarnessError(f"{location}: no split '{name or split}' for task '{task.name}'.{hint}")
        rows = datasets[name]
        as_they_are = source.format is None and source.merge_by is None and not source.where
        if limit is not None and limit < len(rows) and as_they_are:
            rows = rows.select(range(limit))
        table = files.table_of(rows, f"{location} ({name})")
        tables[split] = rows_where(for_task(task, table), source.where)
    columns = {**task.fields, **source.columns}
    tables = {split: with_composed(table, columns) for split, table in tables.items()}
    if source.merge_by is not None:
        target = FAMILIES.get(task.family).target
        if target in (None, "label"):
            raise HarnessError(
                f"task '{task.name}': sources.hub.merge_by gathers reference texts, which {task.family} has none of"
            )
        tables = {
            split: merge_rows(table, source.merge_by, require_column(columns, target, table))
            for split, table in tables.items()
        }
    if source.format == "documents":
        [field] = FAMILIES.get(task.family).required
        tables = {
            split: documents_of_rows(table, require_column(columns, field, table)) for split, table in tables.items()
        }
        columns = {field: TEXT}
    return Reading(location, tables, columns, id=source.id, notes=notes)


class Hub(Source):
    """The dataset that a task's `sources.hub` names."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        refuse_rest("hub", rest)
        return read_hub(task, splits, limit)

    def corpus(self, rest: str, options: CorpusOptions) -> Corpus:
        """The dataset `ID`, `ID:CONFIG`, `ID@REVISION` or `ID:CONFIG@REVISION`: its split train, streamed."""
        return hub_corpus(rest, options.field)

    def pairs(self, rest: str, modality: str, size: int) -> PairCorpus:
        """The split train of a dataset, as `corpus` names it, with its column of items and that of captions."""
        return hub_pairs(rest, modality)

    def state(self, task: TaskSpec, rest: str) -> object | None:
        refuse_rest("hub", rest)
        return state_of_hub(task)


SOURCE = Hub()


def _source(task: TaskSpec) -> HubSource:
    if task.sources.hub is None:
        raise TaskAbsentError(f"task '{task.name}' is not on the hub (its sources name no hub dataset)")
    return task.sources.hub


def _is_pinned(source: HubSource) -> bool:
    return source.revision is not None and COMMIT.fullmatch(source.revision) is not None


def _name(source: HubSource) -> str:
    return f"{source.path}:{source.name}" if source.name else source.path


def _cached(source: HubSource) -> Path | None:
    """The folder in which `datasets` keeps the config at the commit, the latest one where none is pinned."""
    *owner, dataset = source.path.split("/")
    commit = source.revision if _is_pinned(source) else "*"
    folders = [
        folder
        for base in _cache_root().glob("___".join([*owner, "*"]))
        if base.name.split("___")[-1].replace("_", "") == dataset.lower().replace("_", "")
        for folder in base.glob(f"{source.name or '*'}/*/{commit}")
        if COMMIT.fullmatch(folder.name) and (folder / "dataset_info.json").is_file()
    ]
    configs = {folder.parent.parent.name for folder in folders}
    if source.name is None and len(configs) > 1:
        return None
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _cache_root() -> Path:
    """As `datasets` derives it from the environment; said here again, since importing it takes a second."""
    general = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{general}/huggingface"
    root = os.environ.get("HF_DATASETS_CACHE") or f"{home}/datasets"
    return Path(os.path.expandvars(root)).expanduser()


def _from_cache(folder: Path) -> Mapping[str, Dataset]:
    from datasets import Dataset, concatenate_datasets

    shards: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.arrow")):
        match = ARROW_FILE.search(path.name)
        if match and not path.name.startswith("cache-"):
            shards.setdefault(match[1], []).append(path)
    try:
        return {
            split: concatenate_datasets([Dataset.from_file(str(path)) for path in paths])
            for split, paths in shards.items()
        }
    except Exception as error:
        raise HarnessError(f"{folder}: the hub's cache is damaged ({one_line(error)}); remove that folder") from None


def asked_of_hub(source: HubSource) -> dict[str, str | None]:
    """The arguments of `load_dataset`. The prefix keeps a folder of that name in the working directory from being read
    instead; what the hub has converted has one folder a config, and no card.
    """
    is_converted = source.name and (source.revision or "").startswith(CONVERTED)
    config = {"data_dir" if is_converted else "name": source.name}
    return {"path": f"hf://datasets/{source.path}", "revision": source.revision, **config}


def _from_hub(source: HubSource) -> tuple[Mapping[str, Dataset], str]:
    """The splits and the commit they are of."""
    import datasets

    wanted = f"{_name(source)}@{source.revision or 'main'}"
    try:
        with without_progress_bars():
            loaded = datasets.load_dataset(**asked_of_hub(source))
    except Exception as error:
        raise HarnessError(f"hub dataset {wanted} cannot be loaded: {one_line(error)}") from None
    commit = Path(next(iter(loaded.values())).cache_files[0]["filename"]).parent.name
    # Where its download fails, `datasets` takes any commit from its cache.
    if _is_pinned(source) and commit != source.revision:
        raise HarnessError(f"hub dataset {wanted} cannot be loaded: the hub and its cache only have {commit}")
    return {str(name): split for name, split in loaded.items()}, commit
