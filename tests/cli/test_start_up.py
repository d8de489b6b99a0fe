"""What a command imports before it has anything to compute, or to compute with."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from harness.cli.app import main
sys.argv = ["harness", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *sorted({"torch", "transformers", "datasets", "evaluate"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_plan_and_a_run_that_is_there_import_no_torch(harness, machine_cache, tmp_path, monkeypatch):
    asked = ["run", "--task", "sst2", "--model", "bert-tiny", "--limit", "8", "--epochs", "1", "--workers", "1"]
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))

    def imported(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *asked, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    imported("--dry-run")  # where the config of the model was never checked on this machine `transformers` is asked
    assert imported("--dry-run") == "imported:"
    imported()
    assert imported() == "imported:"
