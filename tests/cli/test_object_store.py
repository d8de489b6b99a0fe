"""`--results URL`: results in an object store, from machines that share no folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.machine.results_place import is_url, results_folder
from harness.core.remote import Remote
from harness.core.store import Store
from tests.command_line import call_harness
from tests.conftest import read_json

COMMAND = ("run", "--task", "sst2", "--task", "cola", "--model", "majority", "--model", "tfidf", "--limit", "120")


@pytest.fixture
def machines(machine_cache, tmp_path):
    """Two machines: the command line with a cache and a working folder each."""

    def machine(name: str):
        cache, folder = tmp_path / f"cache-{name}", tmp_path / name
        shutil.copytree(machine_cache, cache)
        shutil.rmtree(cache / "stores", ignore_errors=True)
        folder.mkdir()
        return lambda *command, **options: call_harness(folder, cache, *command, **options)

    return machine("first"), machine("second")


@pytest.fixture(scope="module")
def bucket():
    """A bucket on an S3 server of this process, named by the environment variables that S3 clients know."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("results")
    yield "s3://results/glue"
    server.stop()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def scores(result):
    return [(score["task"]["name"], score["model"]["name"], score["scores"]) for score in result["scores"]]


def check_shared(first, second, url):
    there = read_json(first(*COMMAND, "--results", url, "--json").stdout)
    assert {cell["status"] for cell in there["cells"]} == {"done"}
    here = read_json(second(*COMMAND, "--results", url, "--json").stdout)
    assert {cell["status"] for cell in here["cells"]} == {"cached"}
    assert scores(here) == scores(there)
    assert second("leaderboard", "--results", url).stdout == first("leaderboard", "--results", url).stdout
    noisy = read_json(second(*COMMAND, "--noise", "typos", "--results", url, "--json").stdout)
    assert {cell["status"] for cell in noisy["cells"]} == {"cached", "done"}, "models come when they are asked for"
    assert read_json(first(*COMMAND, "--noise", "typos", "--results", url, "--json").stdout)["status"] == "done"
    assert "no longer" not in second("verify", "--results", url).stderr


def test_a_second_machine_finds_what_the_first_has_computed(machines, tmp_path):
    url = f"file://{tmp_path / 'shared'}"
    check_shared(*machines, url)
    records = list((tmp_path / "shared" / "cells").glob("*/*/record.json"))
    assert records and all(len(record.parent.name) > 20 for record in records)


@pytest.mark.slow
def test_results_in_a_bucket(machines, bucket):
    check_shared(*machines, bucket)


def committed(root: Path, key: str = "ab" + "0" * 62, text: str = "a model") -> Store:
    store = Store(root)
    with store.building(key) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "weights").write_text(text)
        (folder / "predictions").write_text("p")
        store.commit(key, folder, {"kind": "test", "value": 1.5})
    return store


KEY = "ab" + "0" * 62


@pytest.fixture
def on(monkeypatch, tmp_path):
    """The folder of results of a machine, by its name."""

    def folder(machine: str) -> Path:
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / machine))
        return results_folder(f"file://{tmp_path / 'there'}/")

    return folder


def test_a_record_is_written_last_and_a_cell_without_one_is_not_done(on, tmp_path, monkeypatch):
    def broken(self, key, place):
        raise HarnessError("the network is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "push", broken)
        with pytest.raises(HarnessError, match="network is gone"):
            committed(on("one"))
    assert not Store(on("two")).has(KEY)
    assert not list((tmp_path / "there").rglob("record.json"))
    on("one")
    assert Store(on("two")).has(KEY), "the next command sends what was not sent"


def test_models_are_copied_when_they_are_asked_for_and_the_first_of_two_cells_stays(on):
    committed(on("one"))
    two = Store(on("two"))
    assert two.has(KEY) and not (two.folder(KEY) / "model").exists()
    assert (two.folder(KEY) / "predictions").read_text() == "p"
    assert (two.model(KEY) / "weights").read_text() == "a model"
    shutil.rmtree(two.folder(KEY))
    three = committed(on("three"), text="another")
    assert (three.model(KEY) / "weights").read_text() == "a model"


def test_a_damaged_copy_is_told_and_made_again(on, tmp_path):
    from harness.core.errors import DamagedFileError

    committed(on("one"))
    record = next((tmp_path / "there").rglob("record.json"))
    record.write_text(record.read_text().replace("1.5", "2.5"))
    two = Store(on("two"))
    with pytest.raises(DamagedFileError):
        two.has(KEY)
    two.quarantine(KEY)
    assert not two.has(KEY)
    committed(on("two"))
    three = Store(on("three"))
    three.check(KEY)
    digests = {hashlib.sha256((store.folder(KEY) / "record.json").read_bytes()).hexdigest() for store in (two, three)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nowhere://bucket/results", "nowhere://bucket/results: Protocol not known"),
        ("s3://no-such-bucket-anywhere/x", "s3://no-such-bucket-anywhere/x"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line(url, expected, harness, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = harness(*COMMAND, "--results", url, code=2)
    assert expected in done.stderr and "Traceback" not in done.stderr


def test_a_missing_extra_is_named(monkeypatch):
    import fsspec

    def missing(*arguments, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(HarnessError, match=r"pip install 'nlp-harness\[s3\]'"):
        Remote("s3://bucket/x").keys()


def test_what_a_url_is():
    assert is_url("s3://bucket/x") and is_url("file:///x")
    assert not is_url("results") and not is_url("C:/x") and not is_url(Path("s3://x"))
