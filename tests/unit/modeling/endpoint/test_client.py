"""Servers that are busy, fail, hang or say nonsense."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest

from harness.core.endpoints import EndpointOptions
from harness.core.errors import HarnessError
from harness.modeling.endpoint import client as clients
from harness.modeling.endpoint.client import Client, concurrently
from tests.completions_server import CompletionsServer, Reply, failure, serving

ASKED = {"prompt": "x", "max_tokens": 1}
DONE: Reply = (200, {}, b'{"choices": [{"text": "y"}]}')


class Scripted(CompletionsServer):
    """Replies in an order, the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(None, None)
        self.faults = lambda number, body: replies[min(number, len(replies)) - 1]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long is waited before each repeat; nobody waits."""
    slept: list[float] = []
    monkeypatch.setattr(clients.time, "sleep", lambda seconds: slept.append(seconds))
    return slept


def ask(server: CompletionsServer, **options: Any) -> Any:
    with serving(server) as url:
        return Client(EndpointOptions(url=url, model="tiny", **options)).post("completions", ASKED)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_or_failing_server_is_asked_again(status):
    server = Scripted(failure(status), failure(status), DONE)
    assert ask(server)["choices"] and len(server.requests) == 3


def test_pauses_grow_and_differ(pauses):
    ask(Scripted(*[failure(500)] * 5, DONE))
    assert all(0.25 * 2**place <= pause <= 0.5 * 2**place for place, pause in enumerate(pauses))
    assert len({round(pause / 2**place, 6) for place, pause in enumerate(pauses)}) > 1


def test_the_wait_that_a_server_asks_for_is_kept(pauses):
    ask(Scripted(failure(429, Retry_After="7"), DONE))
    assert pauses == [7.0]


def test_a_wait_until_a_date_is_kept(pauses):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))
    ask(Scripted(failure(503, Retry_After=date), DONE))
    assert 15 < pauses[0] <= 20


@pytest.mark.parametrize("asked", ["soon", "nan", "-5", "1:2:3", "inf"])
def test_a_wait_that_is_none_counts_as_none(pauses, asked):
    ask(Scripted(failure(429, Retry_After=asked), DONE))
    assert 0 < pauses[0] < 1


def test_a_server_that_asks_to_wait_long_is_left_alone(pauses):
    with pytest.raises(HarnessError, match="asks to wait 4000 seconds"):
        ask(Scripted(failure(429, Retry_After="4000"), DONE))
    assert pauses == []


def test_what_fails_again_and_again_ends_in_a_line():
    server = Scripted(failure(500, "CUDA out of memory"))
    with pytest.raises(HarnessError, match="asked 3 times without an answer: it answers 500: CUDA out of memory"):
        ask(server, retries=2)
    assert len(server.requests) == 3


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said_in_a_line(body):
    with pytest.raises(HarnessError, match="is no JSON") as raised:
        ask(Scripted((200, {}, body)))
    assert len(str(raised.value)) < 300 and "\n" not in str(raised.value)


def test_a_server_that_hangs_is_given_up(pauses):
    class Hanging(Scripted):
        def reply(self, *asked: Any) -> Reply:
            threading.Event().wait(1)
            return super().reply(*asked)

    with pytest.raises(HarnessError, match=r"asked 2 times without an answer: it takes more than 0.1 seconds"):
        ask(Hanging(DONE), timeout=0.1, retries=1)


def test_an_answer_that_trickles_is_given_up(monkeypatch):
    server = Scripted((200, {}, b" " * 200_000 + DONE[2]))
    moments = iter(range(0, 10_000, 50))
    with serving(server) as url:
        client = Client(EndpointOptions(url=url, model="tiny", timeout=100, retries=0))
        monkeypatch.setattr(clients.time, "monotonic", lambda: next(moments))
        with pytest.raises(HarnessError, match="takes more than 100 seconds"):
            client.post("completions", ASKED)


def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(clients, "LARGEST", 1000)
    with pytest.raises(HarnessError, match="more than"):
        ask(Scripted((200, {}, b" " * 200_000)))


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(HarnessError, match=r"endpoint http://127.0.0.1:9: asked 2 times .* cannot be reached"):
        Client(EndpointOptions(url="http://127.0.0.1:9", model="tiny", retries=1)).get("models")


@pytest.mark.parametrize("status", [401, 403])
def test_access_without_a_key_says_where_it_belongs(status, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = Scripted(failure(status))
    with pytest.raises(HarnessError, match=f"refused \\({status}\\): set the API key in OPENAI_API_KEY"):
        ask(server)
    assert len(server.requests) == 1 and "Authorization" not in server.headers[0]


def test_a_key_is_sent_and_never_said(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    server = Scripted(failure(400, "the key sk-very-secret has no credit"))
    with pytest.raises(HarnessError, match="the key … has no credit") as raised:
        ask(server, api_key_env="MY_KEY")
    assert "secret" not in str(raised.value) and server.headers[0]["Authorization"] == "Bearer sk-very-secret"


def test_a_key_with_line_ends_is_refused_without_being_said(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-a\nHost: b")
    with pytest.raises(HarnessError, match="MY_KEY holds characters that no key has") as raised:
        Client(EndpointOptions(url="http://localhost:1", model="tiny", api_key_env="MY_KEY"))
    assert "sk-a" not in str(raised.value)


def test_requests_are_not_sent_elsewhere():
    with pytest.raises(HarnessError, match="sends requests elsewhere"):
        ask(Scripted((307, {"Location": "http://example.org/"}, b"")))


def test_a_rate_is_kept_by_all_who_share_a_folder(tmp_path, pauses, monkeypatch):
    server = Scripted(DONE)
    monkeypatch.setattr(clients.time, "time", lambda: 1000.0)
    with serving(server) as url:
        options = EndpointOptions(url=url, model="tiny", requests_per_minute=60)
        for client in (Client(options, tmp_path), Client(options, tmp_path), Client(options, tmp_path / "other")):
            client.post("completions", ASKED)
    assert pauses == [0.0, 1.0, 0.0]


def test_a_damaged_turn_holds_nobody_up(tmp_path, pauses):
    server = Scripted(DONE)
    with serving(server) as url:
        client = Client(EndpointOptions(url=url, model="tiny", requests_per_minute=60), tmp_path)
        for content in ("nonsense", "nan", "1e300"):
            client._turns.write_text(content)
            client.post("completions", ASKED)
    assert max(pauses) < 1


def test_so_many_are_asked_at_once_and_no_more():
    active, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=5)

    def work(item: int) -> int:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        together.wait()
        with lock:
            active -= 1
        return item * item

    assert dict(concurrently(work, range(9), 3)) == {item: item * item for item in range(9)}
    assert most == 3


def test_what_one_raises_ends_all():
    asked = []

    def work(item: int) -> int:
        asked.append(item)
        if item == 2:
            raise HarnessError("broken")
        return item

    with pytest.raises(HarnessError, match="broken"):
        list(concurrently(work, range(1000), 1))
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/v1/", "http://localhost:8000"),
        ("https://host.example/api/v1", "https://host.example/api"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_addresses_are_those_of_the_server(url, plain):
    assert EndpointOptions(url=url, model="m").url == plain


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://user:word@host",
        "http://host:99999",
        "http://h?key=1",
        "http://a b",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="address"):
        EndpointOptions(url=url, model="m")


def test_transport_errors_are_told_in_words():
    told = clients._of_transport(httpx.RemoteProtocolError("Server disconnected"), 1)
    assert told == "the connection breaks (RemoteProtocolError: Server disconnected)"
    assert json.dumps(told)
