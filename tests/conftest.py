"""Settings every test needs before torch is imported, and what several test modules share."""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", TOKENIZERS_PARALLELISM="false")

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from harness.core.machine.calibrate import calibration
from tests.command_line import ROOT, CompletedProcess, Harness, call_harness, call_process
from tests.zoo import Trainer, save, trainer

SHARED = ROOT.parent / "shared" / "data"
PROCESSES = {"harness_process", "start", "pushing", "two_processes"}
"""Fixtures that start the command line in processes."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Benchmarks that are asked for are run, slow ones too, and have the machine to themselves."""
    if config.option.benchmark_enable or config.option.benchmark_only:
        config.option.numprocesses, config.option.dist = 0, "no"
        if config.option.markexpr == "not slow":
            config.option.markexpr = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if PROCESSES & set(getattr(item, "fixturenames", ())):
            item.add_marker("process")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that all its test processes see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def machine_cache(shared_folder: Path) -> Path:
    """One calibration for the whole session, and none of the user's."""
    folder = shared_folder / "machine-cache"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"), pytest.MonkeyPatch.context() as patched:
        patched.setenv("HARNESS_CACHE", str(folder))
        calibration()
    return folder


@pytest.fixture
def harness(machine_cache: Path, tmp_path: Path) -> Harness:
    """The command line in an empty folder, in this process: `harness("run", "--suite", "mini", code=0)`."""
    return partial(call_harness, tmp_path, machine_cache)


@pytest.fixture
def harness_process(machine_cache: Path, tmp_path: Path) -> Harness:
    """The same as a process of its own: for exit codes, signals, environment variables and worker processes."""
    return partial(call_process, tmp_path, machine_cache)


SMALL = ("--task", "cola", "--task", "stsb", "--model", "majority", "--model", "tfidf", "--limit", "200")


@pytest.fixture(scope="session")
def small_run(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Harness, Path, CompletedProcess]:
    """One finished run for the tests that only look at it: the command line in its folder, the folder, what the run printed."""
    folder = tmp_path_factory.mktemp("small-run")
    call = partial(call_harness, folder, machine_cache)
    return call, folder, call("run", *SMALL)


@pytest.fixture(scope="session")
def trained(shared_folder: Path) -> Trainer:
    """Tiny fine-tuned models, each trained once: `trained("question-answering")`, `trained("t5", "dialogsum", 12)`."""
    return trainer(shared_folder / "zoo")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`saved("bert")`: a folder of a small model with random weights, with any other settings a folder of its own."""
    known: dict[str, Path] = {}

    def of(model_type: str, **settings: Any) -> Path:
        key = f"{model_type} {settings}"
        if key not in known:
            known[key] = save(tmp_path_factory.mktemp(model_type), model_type, **settings)
        return known[key]

    return of


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real public data beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data not found in {SHARED}")
    return SHARED


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder of two small csv splits that anybody could have: texts and labels."""
    folder = tmp_path / "reviews"
    folder.mkdir()
    good, bad = ["great", "lovely", "fine", "superb"], ["awful", "boring", "poor", "dreadful"]
    things = ["film", "book", "meal", "song", "play", "hotel", "game", "show"]
    for split, take in (("train", slice(0, 6)), ("dev", slice(6, 8))):
        rows = ["text,label"]
        for thing in things[take]:
            rows += [f"a {word} {thing},good" for word in good] + [f"a {word} {thing},bad" for word in bad]
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return folder


def python_with_hub(code: str, *arguments: str, endpoint: str, folder: Path, **environment: str) -> dict:
    """The JSON that `code` prints last, run in `folder` by a fresh process whose hub and caches are its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            **inherited,
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(folder / "hf"),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def read_json(text: str) -> dict:
    """The JSON document a command printed."""
    return json.loads(text)
