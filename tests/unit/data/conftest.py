"""Task specs as shipped or made up, files written byte for byte, and a small hub to download from."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from harness.core.specs import TaskSpec
from harness.core.strict_spec import load_spec, parse

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shipped() -> Callable[[str], TaskSpec]:
    """A task as the package ships it, by name."""
    return lambda name: load_spec(TaskSpec, ROOT / "tasks" / f"{name}.yaml")


@pytest.fixture
def task() -> Callable[..., TaskSpec]:
    """A small task of one's own; keyword arguments replace single keys."""

    def make(**values: Any) -> TaskSpec:
        spec = {
            "name": "mood",
            "family": "classification",
            "fields": {"text": ["text", "sentence"], "label": "label"},
            "labels": ["bad", "good"],
            "metrics": ["accuracy"],
        }
        return parse(TaskSpec, {**spec, **values}, "test")

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's folder, byte for byte."""

    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


CONVERTED = "converted"
"""How the branch `refs/convert/parquet`, which the hub makes of every dataset, is called in here."""


class HubMirror:
    """Serves one dataset repository as the hub does, by the requests that `datasets` and `huggingface_hub` make."""

    def __init__(self, repository: str, commit: str, files: dict[str, bytes]) -> None:
        self.repository, self.commit, self.files = repository, commit, files
        self.requests: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            do_HEAD = do_POST = do_GET

            def log_message(self, *args: object) -> None:
                mirror.requests.append(f"{self.command} {self.path}")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path.replace("/refs%2Fconvert%2Fparquet", f"/{CONVERTED}")
        path = unquote(path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        api, pages = f"/api/datasets/{self.repository}", f"/datasets/{self.repository}/resolve/"
        if path == "/":
            return self._send(request, b"a hub", {})
        if path.startswith(pages):
            revision, _, name = path.removeprefix(pages).partition("/")
            if not self._has(revision):
                return self._fail(request, "RevisionNotFound")
            if name not in self.files:
                return self._fail(request, "EntryNotFound")
            content = self.files[name]
            return self._send(request, content, {"ETag": f'"{sha256(content).hexdigest()}"'})
        if path != api and not path.startswith(f"{api}/"):
            return self._fail(request, "RepoNotFound")
        kind, _, rest = path.removeprefix(api).strip("/").partition("/")
        revision, _, below = rest.partition("/")
        if kind and not self._has(revision):
            return self._fail(request, "RevisionNotFound")
        if kind == "tree":
            return self._send_json(request, self._tree(below))
        if kind == "paths-info":
            asked = parse_qs(body.decode())["paths"]
            return self._send_json(request, [entry for entry in self._tree("") if entry["path"] in asked])
        siblings = [{"rfilename": name} for name in self.files]
        return self._send_json(request, {"id": self.repository, "sha": self.commit, "siblings": siblings, "tags": []})

    def _has(self, revision: str) -> bool:
        return revision in ("main", CONVERTED, self.commit)

    def _tree(self, below: str) -> list[dict[str, Any]]:
        prefix = f"{below}/" if below else ""
        inside = [name for name in self.files if name.startswith(prefix)]
        above = {str(folder) for name in inside for folder in PurePosixPath(name).parents if str(folder) != "."}
        folders = sorted(folder for folder in above if folder.startswith(prefix) and folder != below)
        entries: list[dict[str, Any]] = [{"type": "directory", "path": name, "size": 0, "oid": "0"} for name in folders]
        for name in inside:
            content = self.files[name]
            entries.append({"type": "file", "path": name, "size": len(content), "oid": sha1(content).hexdigest()})
        return entries

    def _send_json(self, request: BaseHTTPRequestHandler, value: object) -> None:
        self._send(request, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self, request: BaseHTTPRequestHandler, content: bytes, headers: dict[str, str], status: int = 200
    ) -> None:
        request.send_response(status)
        for name, value in {**headers, "X-Repo-Commit": self.commit, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)

    def _fail(self, request: BaseHTTPRequestHandler, code: str) -> None:
        self._send(request, b"{}", {"X-Error-Code": code, "X-Error-Message": code}, status=404)


@pytest.fixture
def hub_mirror() -> Iterator[Callable[..., HubMirror]]:
    started: list[HubMirror] = []

    def start(repository: str, commit: str, files: dict[str, bytes]) -> HubMirror:
        started.append(HubMirror(repository, commit, files))
        return started[-1]

    yield start
    for mirror in started:
        mirror.close()
