"""Where the results are that a command works on: a folder, or the one of this machine that stands for a URL."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from harness.core.atomic import write_atomically
from harness.core.hashing import hash_json
from harness.core.machine.environment import cache_folder
from harness.core.remote import MARK, UNSENT, Remote

ACCEPTED = Path("baselines") / "accepted"
"""Where accepted baselines are, if nothing else is said."""
URL = re.compile(r"([a-z][a-z0-9+.-]+)://\S+")


def is_url(place: str | os.PathLike[str]) -> bool:
    return URL.fullmatch(os.fspath(place)) is not None


def folder_for(place: str | os.PathLike[str]) -> Path:
    """The folder of results at `place`: itself, or the one of this machine that stands for a URL. Nobody is asked."""
    if not is_url(place):
        return Path(place)
    return cache_folder() / "stores" / hash_json(os.fspath(place).rstrip("/"))[:32]


def results_folder(place: str | os.PathLike[str]) -> Path:
    """As `folder_for`; that of a URL is made if it is not there, sends what it has not sent, and has the manifests that
    are there now.

    Raises:
        HarnessError: the URL cannot be used.
    """
    root = folder_for(place)
    if not is_url(place):
        return root
    url = os.fspath(place).rstrip("/")
    for name in ("cells", "runs", "locks", "building", "cache", "failures", UNSENT):
        (root / name).mkdir(parents=True, exist_ok=True)
    remote = Remote(url)
    if not (root / MARK).exists():
        write_atomically(root / MARK, json.dumps({"url": url}))
    for waiting in (root / UNSENT).glob("*"):
        remote.send(waiting.name, root / "cells" / waiting.name[:2] / waiting.name, root)
    remote.pull_runs(root / "runs")
    return root
