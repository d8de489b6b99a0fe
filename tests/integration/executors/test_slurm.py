"""The way over SLURM's commands, with commands of the test's own in their place: what jobs are asked for, and what becomes of one that dies."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from pathlib import Path

import pytest

import harness as package
from tests.integration.executors.conftest import cells_of, is_clean

pytest.importorskip("submitit")
pytestmark = pytest.mark.slow

COMMANDS = r'''#!PYTHON
"""sbatch, srun, sacct and scancel of one machine: a job is a process group, whose state is a file."""
import os, pathlib, signal, subprocess, sys

home, name, arguments = pathlib.Path(os.environ["FAKE_SLURM"]), pathlib.Path(sys.argv[0]).name, sys.argv[1:]


def state_of(job):
    if (home / f"{job}.state").exists():
        return (home / f"{job}.state").read_text()
    try:
        os.kill(int(job), 0)
        return "RUNNING"
    except ProcessLookupError:
        return "OUT_OF_MEMORY" if (home / "kills").exists() else "COMPLETED"


if name == "sbatch":
    environment = dict(os.environ, SLURM_NTASKS="1", SLURM_JOB_NUM_NODES="1", SLURM_NODEID="0", SLURM_PROCID="0", SLURM_LOCALID="0")
    waits = "import os, sys; os.environ['SLURM_JOB_ID'] = str(os.getpid()); os.execvp('bash', ['bash', sys.argv[1]])"
    job = subprocess.Popen(
        [sys.executable, "-c", waits, arguments[-1]], env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    (home / f"{job.pid}.sh").write_text(pathlib.Path(arguments[-1]).read_text())
    print(f"Submitted batch job {job.pid}")
elif name == "srun":
    while arguments[0].startswith("--"):
        option, *arguments = arguments
        if option in ("--output", "--error"):
            file = open(arguments.pop(0).replace("%j", os.environ["SLURM_JOB_ID"]).replace("%t", "0"), "a")
            os.dup2(file.fileno(), 1 if option == "--output" else 2)
    os.execvp(arguments[0], arguments)
elif name == "sacct":
    print("JobID|State|NodeList")
    for option, job in zip(arguments, arguments[1:]):
        if option == "-j":
            print(f"{job}|{state_of(job)}|here")
elif name == "scancel":
    job = arguments[0]
    if state_of(job) == "RUNNING":
        (home / f"{job}.state").write_text("CANCELLED by 0")
        os.killpg(int(job), signal.SIGKILL)
'''


@pytest.fixture
def slurm(tmp_path, monkeypatch, machine_cache) -> Path:
    home, commands = tmp_path / "slurm", tmp_path / "commands"
    home.mkdir()
    commands.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        (commands / name).write_text(COMMANDS.replace("PYTHON", sys.executable))
        (commands / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("FAKE_SLURM", str(home))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    monkeypatch.setattr("harness.pipeline.executors.slurm_jobs.LOOK_EVERY", {"slurm": 0.5})
    return home


def test_jobs_of_slurm_get_what_is_asked_for_and_are_replaced_where_they_die(slurm, unbroken, tmp_path):
    details: list[str] = []
    small = ("--task", "cola", "--model", "majority", "--model", "tfidf", "--limit", "40")

    def listen(event) -> None:
        details.append(event.detail)
        if event.kind == "started" and not (slurm / "kills").exists():
            (slurm / "kills").touch()
            for script in slurm.glob("*.sh"):
                os.killpg(int(script.stem), 9)

    run = package.run(
        task="cola", models=["majority", "tfidf"], limit=40, threads=1, executor="submitit", workers=2, out=tmp_path / "results",
        resources="cpu=2,memory=3G", cluster_option=["slurm_partition=test", "timeout_min=7", 'slurm_additional_parameters={"reservation": "r"}'],
        listen=listen,
    )  # fmt: skip
    assert run.ok and is_clean(tmp_path / "results")
    assert cells_of(tmp_path / "results") == unbroken(small)
    scripts = [script.read_text() for script in slurm.glob("*.sh")]
    assert len(scripts) >= 2, "one in place of that which was killed"
    directives = set(re.findall(r"^#SBATCH --(.*)$", scripts[0], re.MULTILINE))
    assert {"cpus-per-task=2", "mem=3GB", "partition=test", "time=7", "reservation=r", "nodes=1"} <= directives
    assert "export OMP_NUM_THREADS=1" in scripts[0] and "exclusive" not in directives
    assert any("its job ran out of memory" in detail for detail in details)
    deadline = time.monotonic() + 60
    for script in slurm.glob("*.sh"):
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(int(script.stem), 0)
                time.sleep(0.2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster_option": "partition=gpu"}, "submitit has no parameter 'partition'. Did you mean 'slurm_partition'"),
        ({"cluster_option": "timeout_min=soon"}, "timeout_min"),
        ({"cluster_option": "nodes=2"}, "nodes is no option"),
        ({"cluster_option": 'slurm_additional_parameters={"a"'}, "is no JSON"),
        ({"resources": "gpu=0.5"}, "whole GPUs"),
        ({"resources": "fast_disk=1"}, "see --cluster-option"),
        ({"threads": 2, "resources": "cpu=1"}, "less than the 2 threads"),
        ({"workers": None}, "--workers"),
        ({"cluster_option": "folder=/proc/none"}, "cannot use /proc/none for jobs"),
    ],
)
def test_what_jobs_cannot_be_asked_for_is_one_line(slurm, tmp_path, settings, message):
    with pytest.raises(package.HarnessError, match=re.escape(message)) as refused:
        package.run(
            **{"task": "cola", "models": "majority", "limit": 20, "workers": 1, **settings},
            executor="submitit",
            out=tmp_path / "results",
        )
    assert "\n" not in str(refused.value) and not [*slurm.iterdir()]


def test_without_slurm_it_says_so(tmp_path, monkeypatch, machine_cache):
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(package.HarnessError, match="executor submitit on slurm: "):
        package.run(task="cola", models="majority", limit=20, executor="submitit", workers=1, out=tmp_path / "results")
