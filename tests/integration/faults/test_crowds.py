"""Four runs and readers at once on one results folder."""

from __future__ import annotations

import json

from harness.core.store import Store
from harness.core.verifying import verify
from tests.integration.faults.conftest import ROUNDS, RUN, ended


def test_four_runs_and_readers_at_once(start, tmp_path, temporary, figure):
    reads = 0
    for number in range(ROUNDS):
        out = f"shared-{number}"
        command = [*RUN[:-2], "--workers", "1", "--out", out, "--json"]
        runs = [start(*command) for _ in range(4)]
        while any(process.poll() is None for process in runs):
            for reader in (["leaderboard"], ["show", "--json"], ["score"], ["verify"]):
                process = start(*reader, "--out", out)
                output, errors = process.communicate(timeout=120)
                assert "Traceback" not in errors, errors
                nothing_yet = any(
                    words in errors for words in ("no results in", "no runs in", "no scores yet", "nothing to score")
                )
                assert process.returncode == 0 or nothing_yet, errors + output
                assert "damaged" not in errors + output, errors + output
                reads += 1
                if all(process.poll() is not None for process in runs):
                    break
        results = [json.loads(ended(process)) for process in runs]
        done = [{cell["cell"] for cell in result["cells"] if cell["status"] == "done"} for result in results]
        every = {cell["cell"] for cell in results[0]["cells"]}
        assert set().union(*done) == every
        assert sum(map(len, done)) == len(every), "a cell was computed twice"
        store = Store(tmp_path / out)
        assert verify(store).faults == []
        assert sorted(store.run(name).number for name in store.run_names()) == [1, 2, 3, 4]
    assert list(temporary.iterdir()) == []
    figure("four runs at once", runs=4 * ROUNDS, reads=reads, computed_twice=0)
