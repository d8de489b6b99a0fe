"""Workers on other machines: what they are started with, when they refuse, and how they are spoken to in files."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.version import __version__
from harness.pipeline.cells import Cell
from harness.pipeline.commands.run import check_executor
from harness.pipeline.executors import job_worker, remote_worker
from harness.pipeline.executors.logs import log_files, log_name, printed_in, remove_empty
from harness.pipeline.executors.mailbox import Mailbox, SignsOfLife, sign_of_life
from harness.pipeline.executors.remote_worker import RemoteWorker, Setup, included, setup_of
from tests.unit.core.test_placement import run

METRIC = """
import harness
from harness.metrics.base import Metric
harness.register("metric", "sent", Metric("sent", 1, "labels", 0.0, 1.0, lambda predictions, references: 0.5, lambda references: 0.5))
"""


def cell(machine: Any = None) -> Cell:
    kind: Any = SimpleNamespace(kind="score")
    return Cell("k" * 64, {} if machine is None else {"machine": machine}, kind, (), "t", "m", 0)


@pytest.fixture
def setup(tmp_path, monkeypatch) -> Setup:
    monkeypatch.setattr(remote_worker, "execute", lambda cell, store, threads, report: ("done", {"threads": threads}))
    return setup_of(tmp_path, (), 1)


def compute(setup: Setup, of: Cell) -> tuple[str, Any]:
    return RemoteWorker(setup, inside=True).compute(of, lambda fraction, detail: None)


def test_a_worker_with_the_same_code_computes(setup):
    assert compute(Setup.from_json(setup.as_json()), cell()) == ("done", {"threads": 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "0.0.1"}, f"has harness {__version__}, the run 0.0.1"),
        ({"code": "another"}, "has other code of harness"),
        ({"code": "another", "packages": {"torch": "1.0"}}, "install one version on all machines"),
    ],
)
def test_a_worker_with_another_version_or_other_code_refuses(setup, change, message):
    kind, line = compute(replace(setup, **change), cell())
    assert kind == "refused" and message in line and "\n" not in line


def test_a_worker_on_a_machine_that_computes_other_digits_refuses_what_names_the_machine(setup, monkeypatch):
    monkeypatch.setattr(remote_worker, "_numerics", lambda threads: {"threads": 1, "isa": ["avx2"]})
    assert compute(setup, cell())[0] == "done", "what is exact is computed anywhere"
    assert compute(setup, cell({"threads": 1, "isa": ["avx2"]}))[0] == "done"
    kind, line = compute(setup, cell({"threads": 1, "isa": ["avx512f"], "gpus": ["H200"]}))
    assert kind == "refused" and "differs in gpus and isa from the machine of the run" in line
    kind, line = compute(setup, cell("the fingerprint of another machine"))
    assert kind == "refused" and "is of another kind" in line, "of what is timed"


def test_specs_and_plug_ins_reach_a_worker_that_does_not_see_their_folder(tmp_path):
    folder = tmp_path / "mine"
    (folder / "tasks").mkdir(parents=True)
    (folder / "helpers").mkdir()
    (folder / "data").mkdir()
    for name in (
        "plugin.py",
        "helpers/__init__.py",
        "helpers/part.py",
        "tasks/task.yaml",
        "data/rows.csv",
        "notes.txt",
    ):
        (folder / name).write_text(METRIC if name == "plugin.py" else "")
    (folder / "tasks" / "task.yaml").write_text(
        "name: sent-task\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [sent]\n"
    )
    sent = setup_of(tmp_path, (str(folder),), 1)
    assert set(sent.include[str(folder)]) == {"plugin.py", "helpers/__init__.py", "helpers/part.py", "tasks/task.yaml"}
    before = plugins.snapshot()
    try:
        assert RemoteWorker(sent, inside=True).includes == [str(folder)], "where it is the same it is used as it is"
        plugins.restore(before)
        folder.rename(tmp_path / "elsewhere")
        worker = RemoteWorker(Setup.from_json(sent.as_json()), inside=True)
        (placed,) = worker.includes
        assert placed != str(folder) and included(Path(placed)) == dict(sent.include[str(folder)])
        assert plugins.lookup("metric", "sent").name == "sent"
    finally:
        plugins.restore(before)


def test_what_is_too_large_to_be_sent_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "task.yaml").write_text("x" * 100)
    monkeypatch.setattr(remote_worker, "SHIPPED", 99)
    with pytest.raises(HarnessError, match="too much to send"):
        setup_of(tmp_path, (str(tmp_path),), 1)


def test_messages_in_a_file_are_read_once_and_whole(tmp_path):
    written, read = Mailbox(tmp_path / "1.out"), Mailbox(tmp_path / "1.out")
    assert read.read() == []
    written.add({"text": "ü\nx"})
    written.add({"number": 2})
    assert read.read() == [{"text": "ü\nx"}, {"number": 2}] and read.read() == []
    with (tmp_path / "1.out").open("a") as file:
        file.write('{"half":')
    assert read.read() == [], "a writer that is not done"
    written.end_line()
    written.add({"whole": True})
    assert read.read() == [{"whole": True}], "a writer that was killed inside a line"


def test_a_job_that_is_started_again_goes_on_where_it_was(setup, tmp_path, monkeypatch):
    computed: list[str] = []

    def execute(cell: Cell, store: Any, threads: int, report: Any) -> tuple[str, Any]:
        computed.append(cell.key)
        return "done", {}

    monkeypatch.setattr(remote_worker, "execute", execute)
    monkeypatch.setattr(job_worker, "cell_from_json", lambda message: replace(cell(), key=message["key"]))
    (tmp_path / "1.setup").write_text(setup.as_json())
    inbox = Mailbox(tmp_path / "1.in")
    for key in ("a", "b"):
        inbox.add({"key": key})
    inbox.add({"end": True})
    Mailbox(tmp_path / "1.out").add({"key": "a", "kind": "done", "content": {}})
    (tmp_path / "1.out").open("a").write('{"key": "b", "kind": "pro')
    job_worker.serve(str(tmp_path), 1, inside=True)
    assert computed == ["b"]
    kinds = [message.get("kind", "ready") for message in Mailbox(tmp_path / "1.out").read()]
    assert kinds == ["done", "ready", "done"]


def test_a_run_gives_signs_of_life_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.pipeline.executors.mailbox.BEAT", 0.01)
    signs = SignsOfLife(tmp_path)
    seen = {sign_of_life(tmp_path)}
    while len(seen) < 3:
        threading.Event().wait(0.01)
        seen.add(sign_of_life(tmp_path))
    signs.end()
    assert sign_of_life(tmp_path / "nowhere") is None


def test_logs_are_kept_while_somebody_may_read_them(tmp_path):
    folder = log_files(tmp_path)
    assert folder is not None and log_files(tmp_path / "s3:" / "none") is None
    names = [log_name(folder, "ray", place) for place in range(3)]
    folder.mkdir()
    empty, full, old = (Path(str(name)) for name in names)
    for path, text in ((empty, ""), (full, "printed"), (old, "printed long ago")):
        path.write_text(text)
    os.utime(old, (0, 0))
    assert printed_in(str(full)).endswith(str(full)) and printed_in(str(empty)) == printed_in(None) == ""
    remove_empty(names)
    log_files(tmp_path)
    assert [*folder.iterdir()] == [full]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "ry"}, "Did you mean 'ray'"),
        (
            {"resources": "cpu=1"},
            "resources: executor local has no such setting; it goes with executor ray or submitit",
        ),
        ({"executor": "inline", "address": "auto"}, "it goes with executor ray"),
        ({"executor": "ray", "cluster": "slurm"}, "it goes with executor submitit"),
        ({"executor": "submitit", "address": "auto"}, "it goes with executor ray"),
    ],
)
def test_settings_go_with_the_executors_that_take_them(settings, message):
    with pytest.raises(HarnessError, match=message):
        check_executor(run(**settings))
    check_executor(run(executor="ray", address="auto", resources="cpu=1"))


@pytest.mark.parametrize(("executor", "package", "extra"), [("ray", "ray", "ray"), ("submitit", "submitit", "slurm")])
def test_without_its_package_an_executor_says_what_to_install(executor, package, extra, monkeypatch):
    monkeypatch.setattr("harness.core.packages.importlib.util.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=rf"{package} is not installed; pip install 'nlp-harness\[{extra}\]'"):
        check_executor(run(executor=executor, workers=1))


def test_a_setup_is_plain_json(setup):
    content = json.loads(setup.as_json())
    assert {"root", "folder", "threads", "include", "version", "code", "packages", "log"} == set(content)
