"""In jobs that submitit starts on this machine: the store that a run leaves is the one it leaves without, whoever is killed on the way."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

import harness as package
from tests.conftest import read_json
from tests.integration.executors.conftest import MORE, below, cells_of, is_clean, wait_until

pytest.importorskip("submitit")
pytestmark = pytest.mark.slow
LOCAL = ("--executor", "submitit", "--cluster", "local", "--workers", "2", "--threads", "1")


def test_a_run_in_jobs_goes_on_whoever_is_killed(start, unbroken, tmp_path):
    """A job, then the run itself by SIGKILL, then by SIGTERM."""
    first = start(*MORE, *LOCAL, "--quiet")
    (job, *_) = wait_until(lambda: tmp_path.glob("results/jobs/*/1.out") and below(first.pid, "submitit.core._submit"))
    wait_until(lambda: len(cells_of(tmp_path / "results")) >= 2)
    job.kill()
    wait_until(lambda: job not in (jobs := below(first.pid, "submitit.core._submit")) and len(jobs) == 2)
    jobs = below(first.pid, "submitit")
    first.send_signal(signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(jobs, timeout=20)
    assert not alive, "jobs end with their run"
    done = len(cells_of(tmp_path / "results"))
    second = start(*MORE, *LOCAL, "--quiet")
    wait_until(lambda: len(cells_of(tmp_path / "results")) > done)
    jobs, interrupted = below(second.pid, "submitit"), time.monotonic()
    second.send_signal(signal.SIGTERM)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 130 and errors.strip().splitlines()[-1].startswith(
        "interrupted; finished cells are kept"
    ), errors
    assert time.monotonic() - interrupted < 20 and not psutil.wait_procs(jobs, timeout=5)[1]
    third = start(*MORE, *LOCAL, "--json")
    output, errors = third.communicate(timeout=240)
    assert third.returncode == 0 and "Traceback" not in errors, errors
    assert {cell["status"] for cell in read_json(output)["cells"]} <= {"done", "cached"}
    assert cells_of(tmp_path / "results") == unbroken(MORE) and is_clean(tmp_path / "results")


def test_jobs_in_this_process_leave_the_same(harness, tmp_path, unbroken):
    small = ("--task", "cola", "--model", "majority", "--model", "tfidf", "--limit", "40")
    harness("run", *small, "--executor", "submitit", "--cluster", "debug", "--threads", "1", "--quiet")
    assert cells_of(tmp_path / "results") == unbroken(small) and is_clean(tmp_path / "results")


def test_a_job_that_cannot_start_says_what_it_printed(tmp_path, monkeypatch, machine_cache):
    """Here because it has another harness than the run."""
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other" / "harness").mkdir(parents=True)
    (tmp_path / "other" / "harness" / "__init__.py").write_text("raise ImportError('an old harness')")
    with pytest.raises(package.HarnessError, match=r"workers do not start: its job ended .*what it printed: "):
        package.run(
            task="cola",
            models="majority",
            limit=20,
            executor="submitit",
            cluster="local",
            workers=1,
            out=tmp_path / "results",
        )
