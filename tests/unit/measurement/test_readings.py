"""What /proc and /sys say, on made-up files; and a reading of a real process from inside and outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.core.errors import HarnessError
from harness.core.machine.counters import EnergyCounter, between, busy_ticks, cpu_ticks, idle_cpus, read_counters
from harness.measurement.processes import WorkerProcess
from harness.measurement.procfs import reset_peak, resident
from tests.conftest import ROOT

STATUS = """Name:\tpython
VmPeak:\t  900000 kB
VmHWM:\t  415752 kB
VmRSS:\t   25312 kB
RssAnon:\t   12636 kB
RssFile:\t   12676 kB
RssShmem:\t       0 kB
Threads:\t1
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")


def test_status_in_bytes():
    found = resident(STATUS)
    assert (found.total, found.anonymous, found.file, found.peak) == tuple(
        1024 * kib for kib in (25312, 12636, 12676, 415752)
    )


def test_a_status_without_memory_is_an_error():
    with pytest.raises(HarnessError, match="no VmHWM"):
        resident(STATUS.replace("VmHWM", "VmOther"))


def test_a_peak_that_cannot_be_reset_has_a_reason(tmp_path):
    reason = reset_peak(tmp_path / "absent" / "clear_refs")
    assert reason is not None and "cannot be written" in reason


def test_ticks_by_state():
    ticks = cpu_ticks("cpu  10 1 5 100 3 0 2 7 0 0\ncpu0 1 2 3\n")
    assert (ticks["user"], ticks["idle"], ticks["steal"]) == (10, 100, 7)
    with pytest.raises(ValueError):
        cpu_ticks("intr 5\n")


def fake_machine(root: Path, steal: int, hot: int, over: int) -> tuple[Path, Path]:
    proc, sys = root / "proc", root / "sys"
    for core in (0, 1):
        throttle = sys / f"devices/system/cpu/cpu{core}/thermal_throttle"
        throttle.mkdir(parents=True, exist_ok=True)
        (throttle / "core_throttle_count").write_text(f"{hot}\n")
    (sys / "fs/cgroup").mkdir(parents=True, exist_ok=True)
    (sys / "fs/cgroup/cpu.stat").write_text(f"usage_usec 1\nnr_throttled {over}\nthrottled_usec 9\n")
    proc.mkdir(exist_ok=True)
    (proc / "stat").write_text(f"cpu  {100 + 90 * (steal > 0)} 0 0 0 0 0 0 {steal} 0 0\n")
    return proc, sys


def test_steal_and_throttling_between_two_readings(tmp_path):
    before = read_counters(*fake_machine(tmp_path, steal=0, hot=1, over=2))
    after = read_counters(*fake_machine(tmp_path, steal=10, hot=4, over=3))
    found = between(before, after)
    assert found["steal"] == 0.1
    assert found["throttled"] == {"thermal": 6, "quota": 1}


def test_what_nothing_counts_is_unknown_and_not_zero(tmp_path):
    reading = read_counters(tmp_path, tmp_path)
    found = between(reading, reading)
    assert found["steal"] is None and found["throttled"] is None


def package(root: Path, microjoules: int) -> Path:
    folder = root / "class/powercap/intel-rapl:0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("10000000\n")
    (root / "class/powercap/intel-rapl:0:0").mkdir(exist_ok=True)
    return root


def test_energy_is_counted_past_the_end_of_the_counter(tmp_path):
    counter = EnergyCounter.find(package(tmp_path, 8_000_000))
    assert counter is not None and counter.joules() == 0
    package(tmp_path, 9_000_000)
    assert counter.joules() == pytest.approx(1)
    package(tmp_path, 500_000)
    assert counter.joules() == pytest.approx(2.5)


def test_no_energy_counter_is_none(tmp_path):
    assert EnergyCounter.find(tmp_path) is None


@needs_proc
def test_memory_agrees_with_a_reading_from_outside(tmp_path):
    """A known allocation of 256 MiB, within 5 %, as the process sees it, as psutil and the kernel's rollup do."""
    worker = WorkerProcess(tmp_path, 1, (), "allocation")
    try:
        found = worker.ask("allocate", megabytes=256)
        outside = psutil.Process(worker.pid).memory_info().rss
        rollup = Path(f"/proc/{worker.pid}/smaps_rollup")
        whole = rollup.read_text() if rollup.exists() else ""
    finally:
        worker.close()
    held = found["after"]["total"] - found["before"]["total"]
    assert held == pytest.approx(256 << 20, rel=0.05)
    assert found["after"]["anonymous"] - found["before"]["anonymous"] == pytest.approx(256 << 20, rel=0.05)
    assert found["after"]["total"] == pytest.approx(outside, rel=0.05)
    for line in whole.splitlines():
        if line.startswith("Rss:"):
            assert found["after"]["total"] == pytest.approx(1024 * int(line.split()[1]), rel=0.05)
    if found["reason"] is None:
        assert found["after"]["peak"] == pytest.approx(found["after"]["total"], rel=0.05)


@needs_proc
def test_processes_started_at_once_all_have_their_environment(tmp_path):
    """Each as `/proc` shows it; and this process keeps its own."""
    from concurrent.futures import ThreadPoolExecutor

    before = dict(os.environ)
    with ThreadPoolExecutor(4) as executor:
        workers = list(executor.map(lambda number: WorkerProcess(tmp_path, 3, (), f"{number}"), range(8)))
    try:
        for one in workers:
            assert "OMP_NUM_THREADS=3" in Path(f"/proc/{one.pid}/environ").read_text().split("\0")
        assert dict(os.environ) == before
    finally:
        for one in workers:
            one.close()


@needs_proc
@pytest.mark.slow
def test_the_peak_of_a_model_agrees_with_a_whole_process_reading_from_outside(saved):
    """Sampled by psutil while a model is loaded and called, within 5 % of all that the process held."""
    import threading

    worker = WorkerProcess(saved("bert", hidden_size=512, num_hidden_layers=4, intermediate_size=2048), 1, (), "model")
    seen, done = [0], threading.Event()

    def sample() -> None:
        process = psutil.Process(worker.pid)
        while not done.wait(0.0005):
            seen.append(process.memory_info().rss)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        cell = {"name": "32 × 64", "batch": 32, "length": 64, "task": None, "data": ""}
        found = worker.ask("memory", cell=cell, seed=0)
    finally:
        done.set()
        sampler.join()
        worker.close()
    if "peak" not in found:
        pytest.skip(found["absent"]["peak"])
    whole = found["baseline"]["total"] + max(found["peak"], found["load_peak"])
    assert whole == pytest.approx(max(seen), rel=0.05)
    assert found["peak"] > 50 << 20


def test_a_worker_that_dies_is_one_line(tmp_path):
    worker = WorkerProcess(tmp_path, 1, (), "a model")
    try:
        psutil.Process(worker.pid).kill()
        with pytest.raises(HarnessError, match=r"a model: its process ended with exit code -9; .*memory"):
            worker.ask("start")
    finally:
        worker.close()


def test_a_request_that_fails_is_one_line(tmp_path):
    worker = WorkerProcess(tmp_path, 1, (), "a model")
    try:
        with pytest.raises(HarnessError, match=r"a model: AttributeError: .*no attribute 'dance'"):
            worker.ask("dance")
    finally:
        worker.close()


def test_a_worker_ends_with_its_parent(tmp_path):
    """However the parent goes: here it is killed."""
    code = (
        "import os, time\n"
        "from harness.measurement.processes import WorkerProcess\n"
        "if __name__ == '__main__':\n"
        f"    worker = WorkerProcess({str(tmp_path)!r}, 1, (), 'a model')\n"
        "    worker.ask('allocate', megabytes=1)\n"
        "    print(worker.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    child.wait(timeout=60)


def test_busy_ticks_are_all_but_idle_and_waiting_by_cpu():
    stat = "cpu  9 9 9 9 9 9 9 9\ncpu0 5 1 2 100 50 1 0 3 7 0\ncpu11 1 0 0 4\nintr 5 0\n"
    assert busy_ticks(stat) == {0: 12, 11: 1}


def test_idle_cpus_are_some_of_those_allowed_or_all_of_them():
    if not hasattr(os, "sched_getaffinity"):
        assert idle_cpus(1) is None
        return
    allowed = os.sched_getaffinity(0)
    assert idle_cpus(len(allowed)) is None
    if len(allowed) > 1:
        assert set(idle_cpus(1, seconds=0.01)) < allowed


def test_gpus_are_part_of_the_machine(monkeypatch, tmp_path):
    from harness.core.machine import environment

    monkeypatch.setattr(environment, "gpus", lambda: [])
    without = environment.describe(1)
    assert "gpus" not in without
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 580.1'\necho 'A, B, 2'\n")
    script.chmod(0o755)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    environment.gpus.cache_clear()
    try:
        found = environment.describe(1)
        assert found["gpus"] == [{"name": "NVIDIA H100 80GB HBM3", "driver": "580.1"}, {"name": "A, B", "driver": "2"}]
        assert environment.machine_fingerprint(found) != environment.machine_fingerprint(without)
        script.write_text("#!/bin/sh\nexit 9\n")
        environment.gpus.cache_clear()
        assert environment.gpus() == []
    finally:
        environment.gpus.cache_clear()


class FakeNvml:
    """Its counter moves each third time it is read."""

    def __init__(self) -> None:
        self.read = 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle) -> int:
        self.read += 1
        return 1000 * (self.read // 3)


def test_energy_of_a_gpu_is_read_from_step_to_step(monkeypatch):
    from harness.core.machine.counters import GpuEnergyCounter
    from harness.measurement import worker

    process = worker.Process(Path(), 1, ())
    monkeypatch.setattr(GpuEnergyCounter, "find", classmethod(lambda cls: None))
    assert process.gpu_energy("1 × 1") is None
    calls = []
    process._open_model = SimpleNamespace(call=calls.append)
    process._gpu = GpuEnergyCounter(FakeNvml(), None)
    monkeypatch.setattr(worker, "ENERGY_SECONDS", 0.0)
    joules = process.gpu_energy("1 × 1")
    assert joules == pytest.approx(1.0 / (len(calls) - 1)), "one step, all calls but that before it began"
