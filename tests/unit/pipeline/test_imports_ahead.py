"""Imports of workers begin while a run is planned, where it will need them, and never outlive their use."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from harness.core.errors import HarnessError
from harness.core.run_spec import RunSpec
from harness.pipeline.cells import Cell
from harness.pipeline.commands.ahead import imports_beside
from harness.pipeline.executors.local import Pool
from tests.conftest import ROOT, SMALL

SLOW_IMPORT = "import time\ntime.sleep(60)\n"
BEGUN_AND_LEFT = """
import sys, time
from harness.pipeline.executors import copying

if __name__ == "__main__":
    print(*copying.begin(1, ["slow_import"]), flush=True)
    time.sleep(60)
"""
WITHDRAWN = """
from harness.pipeline.executors import copying

if __name__ == "__main__":
    copying.withdraw(copying.begin(1, ["slow_import"]))
    context = copying.context(1, ["harness.core.hashing"])
    process = context.Process(target=print, args=(context.get_start_method(),))
    process.start()
    process.join()
"""

WORKER = """
import os
from harness.pipeline.executors import copying

class Asked:
    def __reduce__(self):
        return eval, ("__import__('os')._exit(10 + __import__('gc').isenabled())",)

if __name__ == "__main__":
    context = copying.context(1, ["harness.core.hashing"])
    ours, theirs = context.Pipe()
    worker = context.Process(target=copying.serving.main, args=(theirs, "results", (), 1, dict(os.environ)))
    worker.start()
    ours.send(Asked())
    worker.join()
    print(context.get_start_method(), worker.exitcode)
"""


def started(folder: Path, script: str) -> subprocess.Popen[str]:
    (folder / "slow_import.py").write_text(SLOW_IMPORT)
    (folder / "script.py").write_text(script)
    command = [sys.executable, str(folder / "script.py")]
    return subprocess.Popen(command, env={"PYTHONPATH": f"{folder}:{ROOT}"}, stdout=subprocess.PIPE, text=True)


def test_a_process_that_imports_ends_with_a_killed_parent_amid_its_imports(tmp_path: Path):
    parent = started(tmp_path, BEGUN_AND_LEFT)
    assert parent.stdout is not None
    importing = psutil.Process(int(parent.stdout.readline()))
    parent.kill()  # maybe before the other has begun to import
    parent.wait()
    deadline = time.monotonic() + 20
    while importing.is_running() and importing.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_imports_that_were_withdrawn_hold_nothing_up_and_later_workers_are_copies(tmp_path: Path):
    output, _ = started(tmp_path, WITHDRAWN).communicate(timeout=50)
    assert output == "forkserver\n"


def test_a_worker_looks_for_cycles_though_the_process_it_is_a_copy_of_does_not(tmp_path: Path):
    output, _ = started(tmp_path, WORKER).communicate(timeout=50)
    assert output == "forkserver 11\n"


class Recorded:
    """What is begun and withdrawn in place of a process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[set[str]] = []
        self.withdrawn = 0
        monkeypatch.setattr(Pool, "begin", staticmethod(self._begin))
        monkeypatch.setattr(Pool, "withdraw", staticmethod(self._withdraw))

    def _begin(self, threads: int, modules: Iterable[str]) -> set[int]:
        self.begun.append(set(modules))
        return {1}

    def _withdraw(self, started: set[int]) -> None:
        assert started == {1}
        self.withdrawn += 1


def run_of(folder: Path, *models: str, executor: str = "local", tasks: Iterable[str] = ("cola", "stsb")) -> RunSpec:
    return RunSpec(task=[*tasks], model=[*models], limit=200, executor=executor, out=str(folder / "results"))


@pytest.fixture
def recorded(machine_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    return Recorded(monkeypatch)


def planned(run: RunSpec, missing: Iterable[Cell] = ()) -> None:
    with imports_beside(run) as settle:
        settle([*missing])


def test_imports_begin_for_models_that_need_them_alone(recorded: Recorded, tmp_path: Path):
    planned(run_of(tmp_path, "majority", "tfidf"))
    planned(run_of(tmp_path, "bert-tiny", executor="inline"))
    assert recorded.begun == []
    planned(run_of(tmp_path, "majority", "bert-tiny"))
    planned(run_of(tmp_path))
    assert all("harness.training.trainer" in modules for modules in recorded.begun) and len(recorded.begun) == 2
    assert recorded.withdrawn == 2, "nothing was to be computed"


def test_imports_are_withdrawn_where_a_plan_fails(recorded: Recorded, tmp_path: Path):
    with pytest.raises(HarnessError), imports_beside(run_of(tmp_path, "bert-tiny")):
        raise HarnessError("no such task")
    assert len(recorded.begun) == recorded.withdrawn == 1


def test_a_run_that_is_there_begins_nothing(recorded: Recorded, small_run, monkeypatch: pytest.MonkeyPatch):
    _, folder, _ = small_run
    assert SMALL[-2:] == ("--limit", "200")
    monkeypatch.setattr("harness.pipeline.commands.ahead._learners", lambda models: {"transformer"})
    monkeypatch.chdir(folder)
    planned(run_of(folder, "majority", "tfidf"))
    planned(run_of(folder, "tfidf", tasks=["cola"]))
    assert recorded.begun == []
    planned(run_of(folder, "majority", "bert-tiny"))
    planned(run_of(folder, "majority").model_copy(update={"seeds": 2}))
    assert len(recorded.begun) == 2
