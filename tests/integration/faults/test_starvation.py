"""A full disk, no place to write, no home, few open files: one clear line, and the same command goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.store import Store
from harness.core.verifying import verify
from tests.integration.faults.conftest import RUN, predictions


def shell(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A script in which `$harness` is the command line."""
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env={**environment, "harness": f"{sys.executable} -m harness"},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip


@pytest.fixture
def mounting(tmp_path):
    command = ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", str(tmp_path)]
    try:
        allowed = subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("needs the right to mount a file system")


FULL = """
mkdir results
exec unshare --mount --map-root-user bash -c '
  mount -t tmpfs -o size=SIZE none results
  $harness COMMAND; echo "code $?" >&2
  mount -o remount,size=64m results
  $harness COMMAND --quiet && $harness verify
  cp -r results/. kept'
"""


@pytest.mark.parametrize("size", ["64k"])
def test_a_full_disk(mounting, environment, tmp_path, size, figure):
    (tmp_path / "kept").mkdir()
    command = " ".join([*RUN[:-2], "--executor inline"])
    done = shell(FULL.replace("SIZE", size).replace("COMMAND", command), tmp_path, environment)
    assert "Traceback" not in done.stderr, done.stderr
    first = done.stderr.split("code ")[0]
    assert "No space left on device" in first, first
    assert "code 0" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert "all as it was written" in done.stdout
    store = Store(tmp_path / "kept")
    assert verify(store).faults == [] and len(predictions(store.root)) == 4
    figure(f"a disk of {size}", lost=0, traces=0)


def test_nobody_s_home(environment, tmp_path, figure):
    bare = {
        name: value for name, value in environment.items() if name not in ("HOME", "HARNESS_CACHE", "XDG_CACHE_HOME")
    }
    command = " ".join([*RUN[:2], "cola", "--model", "majority", "--limit", "20", "--executor", "inline"])
    as_nobody = (
        "chmod 777 . temporary && exec setpriv --reuid 12345 --clear-groups -- " if os.getuid() == 0 else "exec "
    )
    done = shell(f"{as_nobody} $harness {command} --quiet", tmp_path, bare)
    if "setpriv" in done.stderr or "Permission denied" in done.stderr:
        done = shell(f"exec $harness {command} --quiet", tmp_path, bare)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    figure("no home", failed=0)


@pytest.mark.parametrize("limit", ["-n 24", "-f 8"])
def test_low_limits(environment, tmp_path, limit, figure):
    command = " ".join([*RUN[:2], "cola", "--model", "tfidf", "--limit", "20", "--executor", "inline", "--quiet"])
    done = shell(f"(ulimit {limit}; exec $harness {command}); echo $?", tmp_path, environment)
    assert "Traceback" not in done.stderr, done.stderr
    code = int(done.stdout.splitlines()[-1])
    assert code in (0, 1, 2), done.stderr
    if code:
        assert 0 < len(done.stderr.splitlines()[-1]) < 500
    again = shell(f"exec $harness {command}", tmp_path, environment)
    assert again.returncode == 0, again.stderr
    assert verify(Store(tmp_path / "results")).faults == []
    figure(f"ulimit {limit}", code=code, lost=0)
