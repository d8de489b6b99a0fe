"""Whether the Hugging Face hub answers, and its libraries' manners."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

COMMIT = re.compile(r"[0-9a-f]{40}")
OFFLINE_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def hub_reachable(timeout: float = 5.0) -> str | None:
    """None where the hub (`HF_ENDPOINT`, else huggingface.co) answers in `timeout` seconds, else why not.

    Returns in time whatever hangs: name resolution, the connection, or the answer.
    """
    switch = next((name for name in OFFLINE_SWITCHES if _is_on(os.environ.get(name))), None)
    if switch is not None:
        return f"{switch} is set"
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    outcome: list[str | None] = []
    # No timeout of a client covers name resolution, nor can it be interrupted: it may hang on in a thread.
    probe = threading.Thread(target=lambda: outcome.append(_probe(endpoint, timeout)), daemon=True)
    probe.start()
    probe.join(timeout)
    return outcome[0] if outcome else f"{endpoint} does not answer within {timeout:g} s"


def _is_on(value: str | None) -> bool:
    return (value or "").upper() in ("1", "ON", "YES", "TRUE")


def _probe(endpoint: str, timeout: float) -> str | None:
    """Asks through the hub's own client, so that proxies and certificates count as in a download."""
    from huggingface_hub.utils import get_session

    try:
        answer = get_session().head(endpoint, timeout=timeout)
    except Exception as error:
        if "timeout" in type(error).__name__.lower():
            return f"{endpoint} does not answer within {timeout:g} s"
        return f"{endpoint}: {one_line(error)}"
    return f"{endpoint} answers with status {answer.status_code}" if answer.status_code >= 500 else None


@contextmanager
def from_cache_if_unreachable() -> Iterator[None]:
    """Where the hub does not answer, its libraries read their caches at once, and do not ask again and again."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    if hub_reachable() is not None:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def without_progress_bars() -> Iterator[None]:
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "…"
