"""From what a user names to evidence: a run, a results folder, a manifest, a baseline."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError, did_you_mean
from harness.core.reading import expanded, is_file, is_folder
from harness.core.store import Store
from harness.gating import baseline
from harness.gating.run_results import RunResults, of_run


def resolve(name: str, out: Path, accepted: Path = baseline.FOLDER) -> RunResults:
    """The evidence of a path (a results folder means its latest run; a file, a baseline or a manifest in `runs`), of an
    accepted baseline's name, or of a run in `out`, by name, part of it, or `latest`.

    Raises:
        HarnessError: nothing of that name, or what it is cannot be read.
    """
    path = expanded(name)
    if is_folder(path):
        if not (path / "runs").is_dir():
            raise HarnessError(f"{name} is no results folder: it has no folder 'runs'")
        return of_run(Store(path), "latest")
    if is_file(path):
        if path.parent.name == "runs" and path.suffix == ".json":
            return of_run(Store(path.parent.parent), path.stem)
        return baseline.load(path)
    if is_file(accepted / f"{name}.json"):
        return baseline.load(accepted / f"{name}.json")
    runs = Store(out).run_names() if (out / "runs").is_dir() else []
    if name == "latest" or any(name in known for known in runs):
        return of_run(Store(out), name)
    known = [*runs, *(file.stem for file in accepted.glob("*.json"))]
    raise HarnessError(f"no run in {out}, path or accepted baseline '{name}'.{did_you_mean(name, known)}")
