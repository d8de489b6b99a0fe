"""From what a user names to results: a run, a results folder, a manifest, a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import HarnessError, IncompatibleError, did_you_mean
from harness.core.machine.results_place import ACCEPTED
from harness.core.reading import expanded, is_file, is_folder
from harness.core.store import Store
from harness.exchange.reader import READERS, names_reader
from harness.gating import baseline
from harness.gating.entries import of_tool
from harness.gating.run_results import RunResults, of_run

LATEST = "latest"


def refuse_another_model(base: RunResults, candidate: RunResults, name: str, models: Sequence[str]) -> None:
    """Refuse to judge whatever run happens to be the newest, where it is one of another model.

    Args:
        base: The baseline.
        candidate: The run that `name` stands for.
        name: How the run was asked for; by its own name, it may have any model.
        models: Which models are to be paired, where that was said.

    Raises:
        IncompatibleError: the run is `latest`, and each side has one model, of different names.
    """
    both = (base.models, candidate.models)
    if name != LATEST or models or any(len(models_of_run) != 1 for models_of_run in both) or both[0] == both[1]:
        return
    raise IncompatibleError(
        f"the latest run, {candidate.name}, is one of the model {candidate.models[0]}, and {base.name} of "
        f"{base.models[0]}; name the run with --candidate, or pair the two with --model "
        f"'{base.models[0]}={candidate.models[0]}'"
    )


def accepted_baseline(name: str, accepted: Path = ACCEPTED) -> RunResults:
    """What a gate judges against: an accepted baseline by name or file, or results of another tool by `READER:PATH`.

    Raises:
        IncompatibleError: there is no such baseline, or it is damaged.
        HarnessError: the results of another tool cannot be read.
    """
    return of_tool(name) if names_reader(name) else baseline.load(baseline.find(name, accepted))


def resolve(name: str, out: Path, accepted: Path = ACCEPTED) -> RunResults:
    """The results of a path (a results folder means its latest run; a file, a baseline or a manifest in `runs`), of an
    accepted baseline's name, or of a run in `out`, by name, part of it, or `latest`; of another tool by `READER:PATH`.

    Raises:
        HarnessError: nothing of that name, or what it is cannot be read.
    """
    if names_reader(name):
        return of_tool(name)
    path = expanded(name)
    if is_folder(path):
        if not (path / "runs").is_dir():
            raise HarnessError(f"{name} is no results folder: it has no folder 'runs'")
        return of_run(Store(path), LATEST)
    if is_file(path):
        if path.parent.name == "runs" and path.suffix == ".json":
            return of_run(Store(path.parent.parent), path.stem)
        return baseline.load(path)
    if is_file(accepted / f"{name}.json"):
        return baseline.load(accepted / f"{name}.json")
    runs = Store(out).run_names() if (out / "runs").is_dir() else []
    if name == LATEST or any(name in known for known in runs):
        return of_run(Store(out), name)
    reader, colon, _ = name.partition(":")
    if colon and reader.isidentifier():
        raise HarnessError(f"'{name}': no reader '{reader}'.{did_you_mean(reader, READERS.names())}")
    known = [*runs, *(file.stem for file in accepted.glob("*.json"))]
    raise HarnessError(f"no run in {out}, path or accepted baseline '{name}'.{did_you_mean(name, known)}")
