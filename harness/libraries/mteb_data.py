"""Where the data of mteb's tasks comes from, and how the package is kept quiet and without traces meanwhile."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.libraries.manners import random_state_kept, without_remarks

FILES = ("parquet", "jsonl", "json", "csv", "tsv")


@contextlib.contextmanager
def local(place: str, name: str, path: str, splits: Sequence[str]) -> Iterator[None]:
    """Have `datasets` read the dataset `path` of the task `name` from a folder: `PLACE/OWNER/NAME` of the hub,
    `PLACE/TASK`, or `PLACE`. Raises HarnessError where none of them holds a split that is scored.
    """
    import datasets

    files = files_of(place, name, path, splits)
    if not files:
        raise HarnessError(f"--data {place}: it holds no data of mteb:{name}, neither as {path} nor as {name}")
    here = str(next(folder for folder in folders_of(place, name, path) if data_files(folder, splits)))
    loaded, names, split_lists = (
        datasets.load.load_dataset,
        datasets.inspect.get_dataset_config_names,
        datasets.inspect.get_dataset_split_names,
    )

    def load_dataset(path: str | None = None, *arguments: Any, **settings: Any) -> Any:
        left_out = ("path", "revision", "trust_remote_code")
        return loaded(here, *arguments, **{key: value for key, value in settings.items() if key not in left_out})

    def config_names(path: str, *arguments: Any, **settings: Any) -> Any:
        return names(here)

    def split_names(path: str, config_name: str | None = None, **settings: Any) -> Any:
        return split_lists(here, config_name)

    with (
        _everywhere(loaded, load_dataset),
        _everywhere(names, config_names),
        _everywhere(split_lists, split_names),
    ):
        yield


@contextlib.contextmanager
def _everywhere(function: Any, other: Any) -> Iterator[None]:
    """Put another function in the place of one, in every module of mteb that has imported it."""
    import datasets

    modules = [module for name, module in list(sys.modules.items()) if name.startswith("mteb.") and module]
    places = [
        (module, name)
        for module in (datasets, *modules)
        for name, value in list(vars(module).items())
        if value is function
    ]
    for module, name in places:
        setattr(module, name, other)
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, function)


def files_of(place: str, name: str, path: str, splits: Sequence[str]) -> list[Path]:
    """The files of a task's data in a folder."""
    candidates = (data_files(folder, splits) for folder in folders_of(place, name, path))
    return next((files for files in candidates if files), [])


def folders_of(place: str, name: str, path: str) -> list[Path]:
    """Where the data of a task may lie in a folder."""
    root = Path(place).expanduser()
    return [root / path, root / path.rpartition("/")[2], root / name, root]


def data_files(folder: Path, splits: Sequence[str]) -> list[Path]:
    """The files of a dataset that lie in a folder or one below it; none where no file is named after a split that is
    scored.
    """
    patterns = [pattern for ending in FILES for pattern in (f"*.{ending}", f"*/*.{ending}")]
    files = sorted(file for pattern in patterns for file in folder.glob(pattern))
    words = {word for file in files for word in re.split(r"[^a-zA-Z0-9]+", file.stem)}
    return files if words & {*splits, *(("dev", "valid") if "validation" in splits else ())} else []


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """What mteb does to the generators of random numbers is undone."""
    import torch

    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with random_state_kept(), torch.random.fork_rng(devices=devices):
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the remarks of mteb and of what reads its data, and without progress bars."""
    with (
        without_remarks("mteb", "huggingface_hub", "datasets"),
        _without_bars_of_search(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _without_bars_of_search() -> Iterator[None]:
    """mteb's own bars, which ask no setting."""
    import tqdm
    import tqdm.auto

    kinds = {tqdm.tqdm, tqdm.auto.tqdm}
    before = {kind: kind.__init__ for kind in kinds}

    def silent(original: Any) -> Any:
        return lambda bar, *arguments, **settings: original(bar, *arguments, **{**settings, "disable": True})

    for kind, original in before.items():
        kind.__init__ = silent(original)
    try:
        yield
    finally:
        for kind, original in before.items():
            kind.__init__ = original
