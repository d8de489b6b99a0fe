"""Processes that train together: that they leave no thread behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """\
import atexit, sys
from pathlib import Path

def tell():
    names = [(one / "comm").read_text().strip() for one in Path("/proc/self/task").iterdir()]
    print("threads", sum("gloo" in name for name in names), file=sys.stderr, flush=True)

import torch
atexit.register(tell)  # after what is registered later
from harness.pipeline.executors.torchrun import _from_first, _join
_join()
assert _from_first(7) == 7
torch.distributed.all_reduce(torch.ones(1000))
tell()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are looked for in /proc")
def test_no_thread_of_a_group_is_left_when_the_interpreter_ends(tmp_path):
    """Such a thread that lets go of a tensor then aborts the process, which is a failure to `torchrun`."""
    (tmp_path / "program.py").write_text(PROGRAM)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run([*torchrun, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=200,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("threads ")]
    assert len(counts) == 4 and sum(count == 0 for count in counts) == 2 and max(counts) > 0
