"""Trackers: what each library is given. Real ones without a network where they are installed, else what they are called
with.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.exchange.trackers import mlflow, tensorboard, trackio, wandb
from harness.exchange.trackers.base import TrackedRun, Tracker, flat

RUN = TrackedRun(
    "a1" * 32, "sst2/bert/seed-0/finetune", "sst2/bert", "finetune", {"seed": 0, "spec": {"model": {"layers": 2}}}
)


def scalars(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """By run and tag the steps and values, as TensorBoard shows them."""
    multiplexer = pytest.importorskip("tensorboard.backend.event_processing.event_multiplexer")
    events = multiplexer.EventMultiplexer()
    events.AddRunsFromDirectory(str(folder))
    events.Reload()
    return {
        run: {tag: [(event.step, event.value) for event in events.Scalars(run, tag)] for tag in content["scalars"]}
        for run, content in events.Runs().items()
    }


@pytest.fixture
def log_folder(tmp_path: Path) -> tensorboard.LogFolder:
    pytest.importorskip("tensorboard")
    return tensorboard.TRACKER.open(str(tmp_path / "logs"), tmp_path)


def written(place: Any, run: TrackedRun, losses: dict[int, float], from_step: int = 0) -> None:
    writer = place.begin(run, from_step)
    for step, loss in losses.items():
        writer.log({"loss": loss}, step)
    writer.finish()


def test_tensorboard_shows_each_run_with_its_steps_and_settings(log_folder: Any, tmp_path: Path) -> None:
    written(log_folder, RUN, {1: 2.0, 2: 1.5})
    written(log_folder, TrackedRun("b2" * 32, "sst2/a|b c/../seed-0", "sst2/a", "score"), {1: 0.5})
    assert scalars(tmp_path / "logs") == {
        RUN.name: {"loss": [(1, 2.0), (2, 1.5)]},
        "sst2/a-b-c/-/seed-0": {"loss": [(1, 0.5)]},
    }
    facts = json.loads((tmp_path / "logs" / RUN.name / "run.json").read_text())
    assert facts == {"id": RUN.id, "kind": "finetune", "config": RUN.config}
    multiplexer = pytest.importorskip("tensorboard.backend.event_processing.event_multiplexer")
    events = multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "logs"))
    events.Reload()
    (text,) = events.Tensors(RUN.name, "config")
    assert '"layers": 2' in text.tensor_proto.string_val[0].decode()


def test_tensorboard_steps_after_the_checkpoint_that_a_run_goes_on_from_are_void(
    log_folder: Any, tmp_path: Path
) -> None:
    written(log_folder, RUN, {1: 3.0, 2: 2.0, 3: 9.0})
    written(log_folder, RUN, {3: 1.0, 4: 0.5}, from_step=2)
    assert scalars(tmp_path / "logs")[RUN.name]["loss"] == [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.5)]


def test_tensorboard_a_run_that_begins_anew_is_there_once(log_folder: Any, tmp_path: Path) -> None:
    written(log_folder, RUN, {1: 3.0, 2: 2.0})
    written(log_folder, RUN, {1: 1.0})
    assert scalars(tmp_path / "logs")[RUN.name]["loss"] == [(1, 1.0)]


def test_tensorboard_two_results_of_one_name_do_not_mix(log_folder: Any, tmp_path: Path) -> None:
    written(log_folder, RUN, {1: 3.0})
    written(log_folder, TrackedRun("c3" * 32, RUN.name, RUN.group, RUN.kind), {1: 4.0})
    assert scalars(tmp_path / "logs") == {
        RUN.name: {"loss": [(1, 3.0)]},
        f"{RUN.name}-c3c3c3c3": {"loss": [(1, 4.0)]},
    }


def test_tensorboard_files_do_not_name_the_machine(log_folder: Any, tmp_path: Path) -> None:
    written(log_folder, RUN, {1: 3.0})
    for path in (tmp_path / "logs").rglob("events*"):
        assert socket.gethostname() not in path.name.split(".")
        assert str(tmp_path).encode() not in path.read_bytes()


def test_settings_are_one_level_deep_where_a_tracker_knows_no_more() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}


@pytest.mark.parametrize("tracker", [tensorboard.TRACKER, wandb.TRACKER, mlflow.TRACKER, trackio.TRACKER])
def test_a_package_that_is_missing_is_named_with_its_extra(tracker: Tracker, monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=rf"pip install 'nlp-harness\[{tracker.extra}\]'"):
        tracker.check()


class Calls:
    """Stands for a library and notes what it is called with."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Any, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            self.noted.append((name, arguments, settings))
            return self

        return call

    def of(self, name: str) -> list[tuple[Any, Any]]:
        return [(arguments, settings) for called, arguments, settings in self.noted if called == name]


def module(monkeypatch: Any, name: str, **content: Any) -> None:
    fake = ModuleType(name)
    vars(fake).update(content)
    monkeypatch.setitem(sys.modules, name, fake)


def test_wandb_gets_a_run_by_its_id_in_the_group_of_its_seeds(monkeypatch: Any, tmp_path: Path) -> None:
    calls = Calls()
    module(monkeypatch, "wandb", init=calls.init, Settings=lambda **settings: settings)
    place = wandb.TRACKER.open("team/project", tmp_path)
    written(place, RUN, {1: 2.0, 2: 1.0})
    written(place, RUN, {3: 0.5}, from_step=2)
    (_, first), (_, second) = calls.of("init")
    assert (first["entity"], first["project"], first["name"], first["group"]) == (
        "team",
        "project",
        RUN.name,
        RUN.group,
    )
    assert (first["id"], first["job_type"], first["config"]) == (RUN.id[:32], "finetune", RUN.config)
    assert first["resume"] is None and second["resume"] == "allow" and second["id"] == first["id"]
    assert first["settings"]["host"] != socket.gethostname() and first["settings"]["x_disable_meta"]
    assert calls.of("log") == [
        (({"loss": 2.0},), {"step": 1}),
        (({"loss": 1.0},), {"step": 2}),
        (({"loss": 0.5},), {"step": 3}),
    ]
    assert len(calls.of("finish")) == 2


def test_wandb_writes_here_without_a_network(monkeypatch: Any, tmp_path: Path) -> None:
    library = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    written(wandb.TRACKER.open(None, tmp_path), RUN, {1: 2.0})
    library.teardown()
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert RUN.name.encode() in kept.read_bytes() and str(tmp_path).encode() not in kept.read_bytes()


class FakeClient:
    """The part of MLflow's client that is used, in memory."""

    def __init__(self, tracking_uri: str) -> None:
        self.address = tracking_uri
        self.runs: dict[str, dict[str, Any]] = {}

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return name

    def search_runs(self, experiments: list[str], query: str, max_results: int) -> list[Any]:
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=key))
            for key, run in self.runs.items()
            if f"'{run['tags']['harness.id']}'" in query
        ]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        key = f"run-{len(self.runs)}"
        self.runs[key] = {"name": run_name, "tags": tags, "metrics": [], "params": {}, "ended": False}
        return SimpleNamespace(info=SimpleNamespace(run_id=key))

    def delete_run(self, key: str) -> None:
        del self.runs[key]

    def log_batch(self, key: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= 1000 and len(params) <= 100
        self.runs[key]["metrics"] += metrics
        self.runs[key]["params"].update(params)

    def get_metric_history(self, key: str, name: str) -> list[Any]:
        return [SimpleNamespace(step=step) for metric, _, _, step in self.runs[key]["metrics"] if metric == name]

    def set_terminated(self, key: str) -> None:
        self.runs[key]["ended"] = True


@pytest.fixture
def fake_mlflow(monkeypatch: Any) -> None:
    module(monkeypatch, "mlflow", MlflowClient=FakeClient)
    module(
        monkeypatch, "mlflow.entities", Metric=lambda *values: values, Param=lambda name, value: (name, value)
    )  # fmt: skip


def test_mlflow_gets_settings_steps_and_the_end_of_a_run(fake_mlflow: None, tmp_path: Path) -> None:
    place = mlflow.TRACKER.open("http://localhost:5000", tmp_path)
    many = TrackedRun(RUN.id, RUN.name, RUN.group, RUN.kind, {f"key|{number}": number for number in range(250)})
    writer = place.begin(many)
    for step in range(1, 1202):
        writer.log({"loss": 1.0, "score/f1": 0.5}, step)
    writer.finish()
    (run,) = place._client.runs.values()
    assert place._client.address == "http://localhost:5000"
    assert run["name"] == RUN.name and run["tags"]["harness.group"] == RUN.group and run["ended"]
    assert len(run["params"]) == 250 and run["params"]["key_7"] == "7"
    assert [step for name, _, _, step in run["metrics"] if name == "score/f1"] == list(range(1, 1202))


def test_mlflow_a_run_that_goes_on_gets_no_step_twice_and_one_anew_replaces_the_old(
    fake_mlflow: None, tmp_path: Path
) -> None:
    place = mlflow.TRACKER.open("http://localhost:5000", tmp_path)
    written(place, RUN, {1: 3.0, 2: 2.0, 3: 1.0})
    written(place, RUN, {3: 1.0, 4: 0.5}, from_step=2)
    (run,) = place._client.runs.values()
    assert [step for _, _, _, step in run["metrics"]] == [1, 2, 3, 4]
    written(place, RUN, {1: 3.0})
    (run,) = place._client.runs.values()
    assert [step for _, _, _, step in run["metrics"]] == [1]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("file:mlruns", "file:mlruns"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("https://mlflow.example", "https://mlflow.example"),
        ("databricks", "databricks"),
    ],
)
def test_mlflow_takes_addresses_as_they_are(fake_mlflow: None, tmp_path: Path, given: str, address: str) -> None:
    assert mlflow.TRACKER.open(given, tmp_path)._client.address == address


def test_mlflow_keeps_runs_in_a_folder_where_nothing_else_is_asked_for(
    fake_mlflow: None, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert mlflow.TRACKER.open(None, tmp_path)._client.address == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert mlflow.TRACKER.open(f"{tmp_path}/mine", tmp_path)._client.address == f"sqlite:///{tmp_path}/mine/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert mlflow.TRACKER.open(None, tmp_path)._client.address == "http://there"


def test_mlflow_itself_takes_all_of_it(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    place = mlflow.TRACKER.open(str(tmp_path), tmp_path)
    written(place, RUN, {1: 2.0})
    (run,) = place._client.search_runs([place._experiment])
    assert run.data.metrics == {"loss": 2.0} and run.data.params == {"seed": "0", "spec.model.layers": "2"}


def test_trackio_gets_a_run_by_name_and_no_step_twice(monkeypatch: Any, tmp_path: Path) -> None:
    calls = Calls()
    calls._initial_last_step = 3
    module(monkeypatch, "trackio", init=calls.init, finish=calls.finish)
    place = trackio.TRACKER.open("mine", tmp_path)
    written(place, RUN, {1: 2.0})
    written(place, RUN, {3: 1.0, 4: 0.5}, from_step=2)
    (project, first), (_, second) = calls.of("init")
    assert project == ("mine",) and (first["name"], first["group"]) == (RUN.name, RUN.group)
    assert first["config"] == {"seed": 0, "spec.model.layers": 2, "id": RUN.id, "kind": "finetune"}
    assert (first["resume"], second["resume"]) == ("never", "allow")
    assert calls.of("log") == [(({"loss": 2.0},), {"step": 1}), (({"loss": 0.5},), {"step": 4})]
    assert len(calls.of("finish")) == 2


def test_trackio_itself_takes_all_of_it(monkeypatch: Any, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    storage = pytest.importorskip("trackio.sqlite_storage")
    for name in ("trackio.utils", "trackio.sqlite_storage"):
        monkeypatch.setattr(f"{name}.TRACKIO_DIR", tmp_path, raising=False)
    written(trackio.TRACKER.open("mine", tmp_path), RUN, {1: 2.0, 2: 1.0})
    assert (tmp_path / "mine.db").is_file()
    logs = storage.SQLiteStorage.get_logs("mine", RUN.name)
    assert [(log["step"], log["loss"]) for log in logs] == [(1, 2.0), (2, 1.0)]
