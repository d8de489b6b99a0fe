"""Pushing to the hub: only on its flag, private by default, one line where it fails. The hub is a server of the test."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.command_line import Harness, call_process

TOKEN = "hf_aTokenOfTheTest"


class Hub:
    """Takes a repository and a commit as the hub does, all files in the commit itself; remembers both."""

    def __init__(self, refuses: int | None = None) -> None:
        self.refuses = refuses
        self.requests: list[str] = []
        self.created: list[dict] = []
        self.files: dict[str, bytes] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.requests.append(f"GET {self.path}")
                self.send(hub.refuses or 404, {"error": "no such repository for you"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hub.requests.append(f"POST {self.path}")
                self.send(*hub.answer(self.path, body))

            def send(self, status: int, value: object) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: bytes) -> tuple[int, object]:
        if self.refuses:
            return self.refuses, {"error": "no permission to write here"}
        if path.startswith("/api/repos/create"):
            self.created.append(json.loads(body))
            return 200, {"url": f"{self.address}/me/model", "name": "me/model"}
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return 200, {"files": [{**one, "uploadMode": "regular", "shouldIgnore": False} for one in files]}
        if "/commit/" in path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            return 200, {"success": True, "commitUrl": f"{self.address}/me/model/commit/{'0' * 40}",
                         "commitOid": "0" * 40, "hookOutput": "", "pullRequestUrl": None}  # fmt: skip
        return 200, {"errors": [], "warnings": []}


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()


@pytest.fixture
def pushing(small_run, machine_cache) -> Harness:
    """The command line as a process: the hub's library reads its address and token when it is imported."""
    return partial(call_process, small_run[1], machine_cache)


def environment(address: str, folder) -> dict[str, str]:
    return {
        "HF_ENDPOINT": address, "HF_TOKEN": TOKEN, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }  # fmt: skip


def test_a_model_is_pushed_with_its_card_to_a_private_repository(small_run, pushing, hub, tmp_path):
    folder, call = small_run[1], pushing
    done = call("export", "model-card", "tfidf:cola", "--push", "me/model", **environment(hub.address, tmp_path))
    (created,) = hub.created
    assert created.get("private") is True or created.get("visibility") == "private"
    assert set(hub.files) == {"README.md", "model.safetensors", "tfidf.json"}
    assert b"model-index" in hub.files["README.md"]
    stored = {path.read_bytes() for path in folder.glob("results/cells/*/*/model/model.safetensors")}
    assert hub.files["model.safetensors"] in stored
    assert "me/model" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.slow
def test_public_is_said(pushing, hub, tmp_path):
    pushing(
        "export", "model-card", "tfidf:cola", "--push", "me/model", "--public", **environment(hub.address, tmp_path)
    )
    (created,) = hub.created
    assert created.get("private") is False or created.get("visibility") == "public"


@pytest.mark.slow
def test_without_the_flag_nothing_is_asked_of_the_hub(pushing, hub, tmp_path):
    pushing("export", "model-card", "tfidf:cola", "-o", tmp_path / "c.md", **environment(hub.address, tmp_path))
    assert hub.requests == []


@pytest.mark.slow
def test_a_refusal_and_no_answer_are_one_line(pushing, hub, tmp_path):
    call = pushing
    hub.refuses = 403
    arguments = ("export", "model-card", "tfidf:cola", "--push", "me/model")
    refused = call(*arguments, code=2, **environment(hub.address, tmp_path)).stderr.splitlines()
    assert refused[-1].startswith("error: --push me/model: the hub refused it: ")
    nobody = call(*arguments, code=2, **environment("http://127.0.0.1:9", tmp_path)).stderr.splitlines()
    assert nobody[-1].startswith("error: --push me/model: the hub cannot be reached")
    assert len([line for line in nobody if line.startswith("error")]) == 1
    assert TOKEN not in "".join(refused + nobody)


@pytest.mark.slow
def test_bad_names_and_several_models_are_refused_before_anything_is_sent(pushing, hub, tmp_path):
    call = pushing
    there = environment(hub.address, tmp_path)
    several = call("export", "model-card", "tfidf", "--push", "me/model", code=2, **there).stderr
    assert "tfidf:cola" in several
    assert "--push a b" in call("export", "model-card", "tfidf:cola", "--push", "a b", code=2, **there).stderr
    assert hub.requests == []
