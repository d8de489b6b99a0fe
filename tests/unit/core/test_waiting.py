"""What a process waits for its CPU is no part of what it takes; what it sleeps, and what its own threads take, is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.machine.waiting import Stopwatch, Waits
from tests.conftest import ROOT

TIMED = """
import json, os, threading, time
from harness.core.machine.waiting import Stopwatch, Waits

os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def timed(work):
    waits = Waits()
    waits.look()
    assert waits.are_counted
    watch, used, start = Stopwatch(waits), time.process_time(), time.perf_counter()
    work()
    return watch.seconds(), time.process_time() - used, time.perf_counter() - start

def both():
    other = threading.Thread(target=compute, args=(0.05,))
    other.start()
    compute(0.05)
    other.join()

parent = os.getpid()
other = os.fork()
while other == 0:
    compute(0.01)
    if os.getppid() != parent:
        os._exit(0)
found = {"computes": timed(lambda: compute(0.1)), "two threads": timed(both), "sleeps": timed(lambda: time.sleep(0.2))}
os.kill(other, 9)
print(json.dumps(found))
"""
needs_schedstat = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no schedstat on this system")


@needs_schedstat
def test_on_a_cpu_that_others_use_a_process_takes_what_it_computes_and_what_it_sleeps():
    done = subprocess.run(
        [sys.executable, "-c", TIMED], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    own, computed, clock = found["computes"]
    assert clock > 1.3 * computed and own == pytest.approx(computed, rel=0.1)
    own, computed, clock = found["two threads"]
    assert own >= computed and clock > 1.3 * own
    own, computed, _ = found["sleeps"]
    assert own >= 0.2 > 10 * computed


def test_where_waits_are_not_counted_it_is_the_clock(tmp_path: Path):
    waits = Waits()
    waits.look(tmp_path / "nothing")
    assert not waits.are_counted and waits.seconds() == 0
    watch = Stopwatch(waits)
    assert 0 <= watch.seconds() <= watch.seconds()
