"""Results in an object store (`s3://`, `gs://`, …): a folder of this machine stands for the URL, and cells and
manifests are copied both ways.

A cell is there when its record is, which is written last and names every file with its hash; cells are addressed by the
hash of their spec, so that one written twice is the same cell, and the first one stays. Models are copied when they are
asked for, all else with the record. There are no locks in an object store: two runs may compute one cell twice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.core.atomic import new_folder, write_atomically
from harness.core.errors import HarnessError

MARK = "remote.json"
"""In a folder that stands for a URL, the file that names it."""
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
UNSENT = "unsent"
"""The folder that names cells which are done here and not there yet: the next command sends them."""
RECORD, MODEL, DAMAGED = "record.json", "model", ".damaged"


def remote_of(root: Path) -> Remote | None:
    """What a folder of results stands for; None of one that is itself."""
    try:
        url = json.loads((root / MARK).read_text())["url"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{root / MARK} cannot be read: {error}; remove {root} to begin anew") from None
    return Remote(url)


def address_of(root: Path) -> str:
    """By which another machine finds the results of a folder: the URL it stands for, or its path."""
    remote = remote_of(root)
    return str(root.resolve()) if remote is None else remote.url


class Remote:
    """The results at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: tuple[Any, str] | None = None

    @property
    def _place(self) -> tuple[Any, str]:
        """The file system and the path in it."""
        if self._opened is None:
            import fsspec

            protocol = self.url.partition("://")[0]
            try:
                self._opened = fsspec.core.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
            except ImportError:
                extra = EXTRAS.get(protocol)
                what = f"pip install 'nlp-harness[{extra}]'" if extra else f"install what fsspec needs for {protocol}"
                raise HarnessError(f"{self.url}: {protocol} is not installed; {what}") from None
            except ValueError as error:
                raise HarnessError(f"{self.url}: {' '.join(str(error).split())}") from None
        return self._opened

    def pull_runs(self, runs: Path) -> None:
        """The manifests of all runs into a folder, and the order in which they began."""
        with self._reached() as (files, base):
            for path in files.glob(f"{base}/runs/*.json"):
                target = runs / path.rpartition("/")[2]
                write_atomically(target, files.cat_file(path).decode())

    def push_run(self, path: Path) -> None:
        with self._reached() as (files, base):
            files.makedirs(f"{base}/runs", exist_ok=True)
            files.put_file(str(path), f"{base}/runs/{path.name}")

    def keys(self) -> list[str]:
        with self._reached() as (files, base):
            return [path.split("/")[-2] for path in files.glob(f"{base}/cells/*/*/{RECORD}")]

    def pull(self, key: str, place: Path) -> bool:
        """A cell without its model into `place`; False where it is not done."""
        with self._reached() as (files, base):
            home = _home(base, key)
            if not files.exists(f"{home}/{RECORD}"):
                return False
            wanted = [
                name for name in _names(files, home) if not name.startswith(f"{MODEL}/") and not name.endswith(DAMAGED)
            ]
            _get(files, home, wanted, place)
            return (place / RECORD).exists()

    def complete(self, key: str, place: Path) -> None:
        """The model of a cell, where it is not here."""
        if (place / MODEL).exists():
            return
        with self._reached() as (files, base):
            home = f"{_home(base, key)}/{MODEL}"
            if names := _names(files, home) if files.exists(home) else []:
                _get(files, home, names, place / MODEL)

    def send(self, key: str, place: Path, root: Path) -> None:
        """Push a cell, or leave a note of it to the next command where that fails."""
        note = root / UNSENT / key
        note.touch()
        self.push(key, place)
        note.unlink(missing_ok=True)

    def push(self, key: str, place: Path) -> None:
        """A cell that is done, its record last; one that is there already takes its place here."""
        with self._reached() as (files, base):
            home = _home(base, key)
            if files.exists(f"{home}/{RECORD}"):
                shutil.rmtree(place)
                self.pull(key, place)
                return
            paths = sorted(path for path in place.rglob("*") if path.is_file() and path != place / RECORD)
            for path in (*paths, place / RECORD):
                target = f"{home}/{path.relative_to(place).as_posix()}"
                files.makedirs(target.rpartition("/")[0], exist_ok=True)
                files.put_file(str(path), target)

    def remove(self, key: str) -> None:
        """A damaged cell is no longer done; its files stay until it is written again."""
        with self._reached() as (files, base):
            path = f"{_home(base, key)}/{RECORD}"
            if files.exists(path):
                files.mv(path, f"{path}{DAMAGED}")

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """Raises HarnessError where the other side does not answer."""
        try:
            yield self._place
        except HarnessError:
            raise
        except Exception as error:  # each file system has errors of its own
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise HarnessError(f"{self.url} cannot be read or written: {why}") from None


def _home(base: str, key: str) -> str:
    return f"{base}/cells/{key[:2]}/{key}"


def _names(files: Any, home: str) -> list[str]:
    """Of all files below a folder, however their file system writes paths."""
    below = f"{home.rpartition('/cells/')[2]}/"
    return [path.partition(below)[2] for path in files.find(home)]


def _get(files: Any, home: str, names: list[str], place: Path) -> None:
    """Files below `home` into the folder `place`, whole or not at all; one that another process was quicker to make
    stays.
    """
    with suppress(FileExistsError), new_folder(place) as building:
        for name in names:
            target = building / name
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(f"{home}/{name}", str(target))
