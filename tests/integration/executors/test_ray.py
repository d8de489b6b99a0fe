"""On Ray: the store that a run leaves is the one it leaves without, whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import harness as package
from tests.conftest import read_json
from tests.integration.executors.conftest import FEW, MORE, below, cells_of, wait_until

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
SETTINGS = {
    "task": ["cola", "rte"],
    "models": ["majority", "tfidf", "bert-tiny"],
    "limit": 100,
    "epochs": 6,
    "threads": 1,
}

LOUD = """
import harness
from harness.metrics.base import Metric


def compute(predictions, references):
    print("heard", flush=True)
    raise ValueError("too loud")


harness.register("metric", "loud", Metric(name="loud", version=1, inputs="labels", low=0.0, high=1.0, compute=compute, chance=lambda references: 0.5))
"""


@pytest.fixture(scope="module")
def two_workers(machine_cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HARNESS_CACHE", str(machine_cache))
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        handler = signal.getsignal(signal.SIGTERM)
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
        signal.signal(signal.SIGTERM, handler)
        yield
        ray.shutdown()


def actors() -> list[psutil.Process]:
    return below(os.getpid(), "ray::RayWorker")


def test_workers_that_are_killed_are_replaced_and_their_cells_computed_again(
    two_workers, unbroken, tmp_path, monkeypatch, machine_cache
):
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    killed: list[int] = []
    events: Counter[str] = Counter()
    details: list[str] = []

    def listen(event) -> None:
        events[event.kind] += 1
        details.append(event.detail)
        if event.kind == "progress" and event.fraction > 0 and len(killed) < 2:
            (worker, *_) = actors()
            worker.kill()
            killed.append(worker.pid)

    run = package.run(**SETTINGS, executor="ray", out=tmp_path / "results", listen=listen)
    assert run.ok and len(killed) == 2
    assert any("attempt 2: its worker process was killed" in detail for detail in details)
    assert events["failed"] == 0
    wait_until(lambda: not actors(), 10)
    assert cells_of(tmp_path / "results") == unbroken(FEW)


def test_a_cell_that_fails_is_computed_once_and_says_what_it_printed(two_workers, tmp_path, monkeypatch, machine_cache):
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    plugin = tmp_path / "specs" / "loud.py"
    plugin.parent.mkdir()
    plugin.write_text(LOUD)
    (plugin.parent / "task.yaml").write_text(
        "name: mine\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [loud]\n"
    )
    (tmp_path / "data").mkdir()
    for split in ("train", "dev"):
        rows = "\n".join(f"a {word} film,{label}" for word, label in (("good", "yes"), ("bad", "no")) * 8)
        (tmp_path / "data" / f"{split}.csv").write_text(f"text,label\n{rows}\n")
    causes: list[str] = []
    run = package.run(
        task="mine", models="majority", data=tmp_path / "data", include=[plugin.parent], executor="ray", out=tmp_path / "results",
        listen=lambda event: causes.append(event.cause) if event.kind == "failed" else None,
    )  # fmt: skip
    assert not run.ok and len(causes) == 1
    assert "too loud" in causes[0], causes
    log = Path(causes[0].rpartition("what it printed: ")[2])
    assert log.parent == tmp_path / "results" / "logs" and log.read_text().count("heard") == 1


def test_a_driver_that_is_killed_takes_its_workers_with_it_and_the_same_command_goes_on(start, unbroken, tmp_path):
    command = (*MORE, "--executor", "ray", "--workers", "2", "--threads", "1", "--quiet")
    first = start(*command)
    wait_until(lambda: len(list(tmp_path.glob("results/cells/*/*/record.json"))) >= 4)
    workers = below(first.pid, "ray::RayWorker")
    assert workers
    first.send_signal(signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive, "actors end with the run"
    done = len(cells_of(tmp_path / "results"))
    second = start(*command)
    wait_until(lambda: len(cells_of(tmp_path / "results")) > done)
    interrupted = time.monotonic()
    second.send_signal(signal.SIGTERM)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 130 and errors.strip().splitlines()[-1].startswith(
        "interrupted; finished cells are kept"
    ), errors
    assert time.monotonic() - interrupted < 30
    third = start(*command, "--json")
    (worker, *_) = wait_until(lambda: below(third.pid, "ray::RayWorker.compute"))
    worker.kill()
    output, errors = third.communicate(timeout=240)
    assert third.returncode == 0 and errors == "", errors
    assert all(cell["status"] in ("done", "cached") for cell in read_json(output)["cells"]), (
        "and nothing of Ray's beside it"
    )
    assert cells_of(tmp_path / "results") == unbroken(MORE)


@pytest.mark.nightly
def test_a_node_that_is_removed_leaves_its_cells_to_the_others(unbroken, tmp_path, machine_cache, monkeypatch):
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    handler = signal.getsignal(signal.SIGTERM)
    small = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        second = cluster.add_node(**small)
        removed: list[float] = []

        def listen(event) -> None:
            if not removed and event.kind == "progress" and event.fraction > 0:
                cluster.remove_node(second, allow_graceful=False)
                removed.append(time.monotonic())

        run = package.run(**SETTINGS, executor="ray", address=cluster.address, out=tmp_path / "results", listen=listen)
        assert run.ok and removed
        assert cells_of(tmp_path / "results") == unbroken(FEW)
    finally:
        ray.shutdown()
        cluster.shutdown()
        signal.signal(signal.SIGTERM, handler)


@pytest.mark.nightly
def test_what_is_timed_has_a_node_for_itself(tmp_path, machine_cache, monkeypatch):
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    handler = signal.getsignal(signal.SIGTERM)
    small = {"num_cpus": 3, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    free: list[float] = []

    def listen(event) -> None:
        if event.cell.kind == "measure" and event.kind == "progress":
            free.append(ray.available_resources().get("CPU", 0))

    try:
        cluster.add_node(**small)
        run = package.run(
            task="sst2", models="bert-tiny", limit=60, epochs=1, compress="int8-weight", measure=True, measure_budget="20s", threads=1,
            executor="ray", address=cluster.address, out=tmp_path / "results", listen=listen,
        )  # fmt: skip
        assert run.ok and set(free) == {3.0}, "all of one node is taken, and the other free"
        assert len(list(tmp_path.glob("results/cells/*/*/measurement.json"))) == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
        signal.signal(signal.SIGTERM, handler)


def test_where_there_is_no_cluster_it_says_so(harness_process, tmp_path):
    if any(process.info["name"] == "raylet" for process in psutil.process_iter(["name"])):
        pytest.skip("a Ray of another test runs on this machine, which would be found")
    done = harness_process(
        "run", "--task", "cola", "--model", "majority", "--limit", "20", "--executor", "ray", "--address", "auto", "--quiet",
        code=2, RAY_TMPDIR=str(tmp_path),
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert "no Ray cluster at auto: " in line and "ray start --head" in line
