"""A suite on every executor: the same cells, models and prediction bytes."""

from __future__ import annotations

import pytest

from tests.integration.executors.conftest import MANY, cells_of, is_clean

EXECUTORS = {
    "local": ("--executor", "local"),
    "ray": ("--executor", "ray"),
    "submitit": ("--executor", "submitit", "--cluster", "local"),
}


@pytest.mark.slow
@pytest.mark.parametrize("executor", [pytest.param("local", marks=pytest.mark.nightly), "ray", "submitit"])
def test_sixty_cells_on_two_workers_leave_what_one_process_leaves(executor, harness_process, unbroken, tmp_path):
    if executor != "local":
        pytest.importorskip(executor)
    done = harness_process("run", *MANY, *EXECUTORS[executor], "--workers", "2", "--threads", "1", "--quiet")
    assert done.stderr == ""
    expected = unbroken(MANY)
    assert len(expected) >= 60 and {cell["kind"] for cell in expected.values()} == {"finetune", "score"}
    assert cells_of(tmp_path / "results") == expected
    assert is_clean(tmp_path / "results")
    left = {path.name for path in (tmp_path / "results").iterdir()}
    assert "jobs" not in left and not [*(tmp_path / "results").glob("logs/*")]
