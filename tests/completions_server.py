"""An OpenAI-compatible server of a small checkpoint, in a thread: its log-probabilities are real, its faults are asked for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


def failure(status: int, message: str = "it fails", **headers: str) -> Reply:
    return status, headers, json.dumps({"error": {"message": message}}).encode()


class CompletionsServer:
    """Serves a causal model. `requests` are the bodies it was sent, `faults` is asked before each completion and may reply
    in its place; `echoes` says whether it gives log-probabilities of a prompt, and `shortest` the least max_tokens then.
    """

    def __init__(
        self, model: Any, tokenizer: Any, name: str = "tiny", begins: bool = False, echoes: bool = True
    ) -> None:
        self.model, self.tokenizer, self.name, self.begins, self.echoes = model, tokenizer, name, begins, echoes
        self.shortest, self.limit, self.key = 0, 10**6, ""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: Callable[[int, dict[str, Any]], Reply | None] = lambda number, body: None
        self.write: Callable[[str], str] | None = None
        self.listed: dict[str, Any] = {"object": "model", "owned_by": "tests"}
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def reply(self, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Reply:
        with self._lock:
            self.headers.append(headers)
        if self.key and headers.get("Authorization") != f"Bearer {self.key}":
            return failure(401, f"Incorrect API key provided: {headers.get('Authorization')}")
        if path == "/v1/models":
            listed = [{"id": self.name, "created": time.time_ns(), **self.listed}, {"id": "another"}]
            return 200, {}, json.dumps({"object": "list", "data": listed}).encode()
        if path != "/v1/completions" or body is None:
            return failure(404, "no such path")
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            fault = self.faults(number, body)
            return fault or self._completed(body)
        finally:
            with self._lock:
                self.at_once -= 1

    def ids(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [self.tokenizer.eos_token_id, *ids] if self.begins else list(ids)

    def _completed(self, body: dict[str, Any]) -> Reply:
        import torch

        ids, most = self.ids(body["prompt"]), body.get("max_tokens", 16)
        if len(ids) + most > self.limit:
            return failure(400, f"This model's maximum context length is {self.limit} tokens, you asked for {len(ids)}")
        if body.get("echo") and most < self.shortest:
            return failure(400, "max_tokens must be at least 1")
        with self._lock, torch.inference_mode():
            written = []
            for _ in range(most if self.write is None else 0):
                step = int(self.model(torch.tensor([[*ids, *written]])).logits[0, -1].argmax())
                if step == self.tokenizer.eos_token_id:
                    break
                written.append(step)
            text = self.write(body["prompt"]) if self.write else self.tokenizer.decode(written)
            for stop in body.get("stop", ()):
                text = text.partition(stop)[0]
            choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": "length", "logprobs": None}
            if body.get("echo") and self.echoes:
                choice["text"] = body["prompt"] + text
                choice["logprobs"] = self._logs([*ids, *written])
        answer = {
            "object": "text_completion",
            "model": self.name,
            "choices": [choice],
            "usage": {"prompt_tokens": len(ids)},
        }
        return 200, {}, json.dumps(answer).encode()

    def _logs(self, ids: list[int]) -> dict[str, Any]:
        import torch

        logs = self.model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        texts = [self.tokenizer.decode([token]) for token in ids]
        best = logs.max(-1)
        following = [float(logs[place, token]) for place, token in enumerate(ids[1:])]
        tops = [
            {self.tokenizer.decode([int(best.indices[place])]): float(best.values[place]), texts[place + 1]: log}
            for place, log in enumerate(following)
        ]
        return {"tokens": texts, "token_logprobs": [None, *following], "top_logprobs": [None, *tops]}


@contextmanager
def serving(server: CompletionsServer) -> Iterator[str]:
    """The address of a server while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, body: dict[str, Any] | None) -> None:
            status, headers, content = server.reply(self.path, body, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *arguments: Any) -> None:
            pass

    class Running(ThreadingHTTPServer):
        def handle_error(self, request: Any, address: Any) -> None:
            """A client that went away is none."""

    running = Running(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()
