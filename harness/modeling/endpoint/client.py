"""Requests to a server: limits of time, rate and size; repeats where it is busy or fails; errors in one line."""

from __future__ import annotations

import email.utils
import ipaddress
import json
import math
import os
import queue
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from harness.core.atomic import write_atomically
from harness.core.endpoints import EndpointOptions
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.locks import holding
from harness.core.text import clipped, visible

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the first repeat, doubled for each further one, and the most."""
LONGEST_WAIT = 300.0
"""Seconds that a server may ask to wait for (Retry-After)."""
CONNECTING = 10.0
"""Seconds in which a connection must stand."""
LARGEST = 2**26
"""Bytes of an answer."""
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
"""Statuses after which a request is sent again."""
TOO_LONG = re.compile(
    r"context (length|size|window)|maximum (context|model|input)|max_model_len|too (long|large)", re.IGNORECASE
)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class RefusedError(HarnessError):
    """The server understood a request and does not answer it; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One server as a process asks it; safe for threads. `shared` is a folder in which processes that share a rate
    limit keep when the next request may go.
    """

    def __init__(self, options: EndpointOptions, shared: Path | None = None) -> None:
        self._options, self._shared = options, shared
        self.where = f"endpoint {options.url}"
        self._key = os.environ.get(options.api_key_env, "").strip()
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise HarnessError(f"{self.where}: the API key in {options.api_key_env} holds characters that no key has")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx.Timeout(options.timeout, connect=min(CONNECTING, options.timeout))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=options.concurrency)
        self._http = httpx.Client(
            headers=headers, timeout=timeout, limits=limits, trust_env=not _is_loopback(options.url)
        )
        self._next, self._lock = 0.0, threading.Lock()

    def get(self, path: str, retries: int | None = None) -> Any:
        """The JSON at a path below `/v1/`. Raises HarnessError as `post` does."""
        return self._asked("GET", path, None, self._options.retries if retries is None else retries)

    def post(self, path: str, content: dict[str, Any], retries: int | None = None) -> Any:
        """The JSON that the server answers to a JSON object.

        Raises:
            RefusedError: it refuses this request.
            HarnessError: it cannot be reached, fails or is busy after all repeats, takes too long, or answers with
                something else than JSON.
        """
        return self._asked("POST", path, content, self._options.retries if retries is None else retries)

    def _asked(self, method: str, path: str, content: dict[str, Any] | None, retries: int) -> Any:
        reason, wait = "", 0.0
        for attempt in range(retries + 1):
            if attempt:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
                time.sleep(max(wait, pause * random.uniform(0.5, 1)))
            self._wait_for_turn()
            try:
                status, headers, body = self._sent(method, path, content)
            except httpx.HTTPError as error:
                reason, wait = _of_transport(error, self._options.timeout), 0.0
                continue
            if status not in AGAIN:
                return self._content(status, body, path)
            reason, wait = f"it answers {status}: {self._message(body)}", _seconds_asked(headers.get("retry-after"))
            if wait > LONGEST_WAIT:
                raise HarnessError(
                    f"{self.where}: it asks to wait {wait:.0f} seconds ({status}); run the command again then: what is "
                    "answered is kept"
                )
        tried = f" {retries + 1} times" if retries else ""
        raise HarnessError(f"{self.where}: asked{tried} without an answer: {reason}; what is answered so far is kept")

    def _sent(self, method: str, path: str, content: dict[str, Any] | None) -> tuple[int, httpx.Headers, bytes]:
        deadline = time.monotonic() + self._options.timeout
        parts, size = [], 0
        with self._http.stream(method, f"{self._options.url}/v1/{path}", json=content) as response:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise HarnessError(f"{self.where}: an answer has more than {LARGEST >> 20} MB")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer comes too slowly")
        return response.status_code, response.headers, b"".join(parts)

    def _content(self, status: int, body: bytes, path: str) -> Any:
        if status == 200:
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise HarnessError(
                    f"{self.where}: what it answers at /v1/{path} is no JSON: {self._in_a_line(body)}"
                ) from None
        if status in (401, 403):
            variable = self._options.api_key_env
            has_key = f"the API key in {variable} is not accepted" if self._key else f"set the API key in {variable}"
            raise RefusedError(f"{self.where}: access is refused ({status}): {has_key}", status)
        if status == 404:
            raise RefusedError(f"{self.where}: it has no /v1/{path} (404): {self._message(body)}", status)
        if 300 <= status < 400:
            raise RefusedError(f"{self.where}: it sends requests elsewhere ({status}); give the address itself", status)
        message = self._message(body)
        if status == 413 or TOO_LONG.search(message):
            raise RefusedError(f"{self.where}: a request is longer than the model reads: {message}", status)
        raise RefusedError(f"{self.where}: it refuses a request ({status}): {message}", status)

    def _message(self, body: bytes) -> str:
        """What an error's answer says, wherever it stands in it."""
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return self._in_a_line(body)
        for name in ("error", "message", "detail"):
            if isinstance(content, dict) and name in content:
                content = content[name]
        return self._in_a_line(content if isinstance(content, str) else json.dumps(content))

    def _in_a_line(self, text: str | bytes) -> str:
        """A server's words in a line, without the key."""
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        if self._key:
            words = words.replace(self._key, "…")
        return clipped(visible(" ".join(words.split())), 160) or "nothing"

    def _wait_for_turn(self) -> None:
        """Sleep until the rate limit lets a request go."""
        if self._options.requests_per_minute is None:
            return
        interval = 60 / self._options.requests_per_minute
        with self._lock, self._alone():
            turn = max(time.time(), self._read_turn())
            self._keep_turn(turn + interval)
        time.sleep(max(0.0, turn - time.time()))

    def _alone(self) -> AbstractContextManager[Any]:
        """While no other process takes a turn."""
        if self._shared is None:
            return nullcontext()
        self._shared.mkdir(parents=True, exist_ok=True)
        return holding(self._turns.with_suffix(".lock"))

    @property
    def _turns(self) -> Path:
        assert self._shared is not None
        return self._shared / f"turns-{hash_json(self._options.url)[:16]}"

    def _read_turn(self) -> float:
        """When the next request may go."""
        if self._shared is None:
            return self._next
        try:
            turn = float(self._turns.read_text())
        except (OSError, ValueError):
            return 0.0
        longest = 60 / (self._options.requests_per_minute or 1) * 10_000
        return turn if 0 <= turn < time.time() + longest else 0.0

    def _keep_turn(self, turn: float) -> None:
        if self._shared is None:
            self._next = turn
        else:
            write_atomically(self._turns, repr(turn))


def concurrently(ask: Callable[[Item], Answer], items: Iterable[Item], workers: int) -> Iterator[tuple[Item, Answer]]:
    """Items with their answers as they come, so many asked at once. What one raises ends it: no further is asked, and
    nobody waits for those that are on their way.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Item, Any, BaseException | None]] = queue.SimpleQueue()
    count = 0
    for item in items:
        waiting.put(item)
        count += 1
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((item, ask(item), None))
            except BaseException as error:
                is_over.set()
                done.put((item, None, error))

    try:
        for _ in range(min(workers, count)):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(count):
            item, answer, error = done.get()
            if error is not None:
                raise error
            yield item, answer
    finally:
        is_over.set()


def _of_transport(error: httpx.HTTPError, timeout: float) -> str:
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return f"it cannot be reached ({clipped(' '.join(str(error).split()), 100) or type(error).__name__})"
    if isinstance(error, httpx.TimeoutException):
        return f"it takes more than {timeout:g} seconds"
    return f"the connection breaks ({type(error).__name__}: {clipped(' '.join(str(error).split()), 100)})"


def _seconds_asked(value: str | None) -> float:
    """Of Retry-After: a number of seconds, or a date."""
    seconds = 0.0
    with suppress(ValueError, TypeError, OverflowError):
        if value is not None and ":" in value:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        else:
            seconds = float(value or 0)
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
