"""A worker on a machine of a cluster: what it is started with, and what makes it the right one for a run's cells."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.core.machine.environment import describe, machine_fingerprint
from harness.core.machine.numerics import numerics
from harness.core.machine.processes import quiet_libraries
from harness.core.machine.results_place import results_folder
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.core.version import __version__
from harness.pipeline.cells import Cell
from harness.pipeline.executors.execute import STEPS, execute
from harness.pipeline.executors.logs import printed_in
from harness.pipeline.executors.worker import PROGRESS_EVERY

SHIPPED = 2**25
"""Bytes of specs and plug-ins that are sent to workers."""
SPECS = (".yaml", ".yml")
SPEC_FOLDERS = ("", "tasks", "tasks/suites", "suites", "baselines")


@dataclass(frozen=True)
class Setup:
    """What a worker is started with, as JSON can have it.

    Attributes:
        root: The results folder.
        folder: The working folder of the run: paths in specs may be relative to it.
        threads: Intra-op threads.
        include: Files and folders of specs and plug-ins, and the contents of each, by path inside it.
        version: Of harness, where the run was planned.
        code: Identity of the code that computes cells, there.
        packages: The libraries it uses, with their versions.
        log: The file that gets what is printed; none where nobody collects it.
    """

    root: str
    folder: str
    threads: int
    include: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    version: str = __version__
    code: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    log: str | None = None

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Setup:
        return cls(**json.loads(text))


def setup_of(root: Path | str, include: Sequence[str], threads: int) -> Setup:
    """The setup of this run's workers."""
    contents = {str(Path(path).resolve()): included(Path(path)) for path in include}
    code, packages = code_here()
    return Setup(str(root), str(Path.cwd()), threads, contents, __version__, code, packages)


@cache
def code_here() -> tuple[str, dict[str, str]]:
    """The identity of all steps, and the versions of the packages they use."""
    steps = [f"harness.pipeline.steps.{kind}" for kind in STEPS]
    return code_identity.identity(*steps), code_identity.packages(*steps)


def included(path: Path) -> dict[str, str]:
    """The specs, plug-ins and packages at a path of `--include`: their text by the path inside it, `` of a file.

    Raises:
        HarnessError: they are too large to be sent.
    """
    if path.is_file():
        files = {"": path}
    else:
        folders = (path / name for name in SPEC_FOLDERS)
        specs = [file for folder in folders if folder.is_dir() for file in folder.iterdir() if file.suffix in SPECS]
        modules = [file for file in path.glob("*.py") if file.is_file()]
        packages = [file for marker in path.glob("*/__init__.py") for file in marker.parent.rglob("*.py")]
        files = {str(file.relative_to(path)): file for file in [*specs, *modules, *packages]}
    if (size := sum(file.stat().st_size for file in files.values())) > SHIPPED:
        raise HarnessError(f"--include {path}: {size} bytes are too much to send to workers; at most {SHIPPED}")
    return {name: file.read_text(encoding="utf-8", errors="surrogateescape") for name, file in files.items()}


class RemoteWorker:
    """Computes cells, one after another, with the specs and plug-ins of the run that started it."""

    def __init__(self, setup: Setup, inside: bool = False) -> None:
        """`inside`: in the process of the run, which stays as it is."""
        self._setup = setup
        self.refusal = _difference(setup)
        if not inside:
            if setup.log is not None:
                _print_to(Path(setup.log))
            with suppress(OSError):
                os.chdir(setup.folder)
            quiet_libraries()
        self._scratch = ExitStack()
        self.includes = [self._placed(Path(path), files) for path, files in setup.include.items()]
        load_registry(self.includes)
        self._store = Store(results_folder(setup.root))

    def compute(self, cell: Cell, report: Callable[[float, str], None]) -> tuple[str, Any]:
        """As `execute`; or `("refused", why)` where this machine or its code would compute something else."""
        refusal = self.refusal or _another_machine(cell, self._setup.threads)
        if refusal:
            return "refused", refusal
        last = time.monotonic()

        def now_and_then(fraction: float, detail: str = "") -> None:
            nonlocal last
            if time.monotonic() - last >= PROGRESS_EVERY:
                last = time.monotonic()
                report(fraction, detail)

        kind, content = execute(cell, self._store, self._setup.threads, now_and_then)
        return kind, content + printed_in(self._setup.log) if kind == "failed" else content

    def _placed(self, path: Path, files: Mapping[str, str]) -> str:
        """The path of `--include` where it has the same contents here, else one with those that were sent."""
        with suppress(OSError, HarnessError):
            if path.exists() and included(path) == dict(files):
                return str(path)
        place = self._scratch.enter_context(scratch_folder()) / path.name
        for name, text in files.items():
            file = place / name if name else place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", errors="surrogateescape")
        return str(place)


def _difference(setup: Setup) -> str:
    """Why this process must not compute the cells of a run; empty where it may."""
    here = f"the worker on {os.uname().nodename}"
    if setup.version != __version__:
        return f"{here} has harness {__version__}, the run {setup.version}; install one version on all machines"
    code, packages = code_here()
    if code == setup.code:
        return ""
    for name in sorted({*packages, *setup.packages}):
        if packages.get(name) != setup.packages.get(name):
            versions = f"{packages.get(name, 'none')}, the run {setup.packages.get(name, 'none')}"
            return f"{here} has {name} {versions}; install one version on all machines"
    return f"{here} has other code of harness {__version__} than the run; install the same on all machines"


def _another_machine(cell: Cell, threads: int) -> str:
    """Why a cell that names the machine it is computed on must not be computed here; empty where it may."""
    wanted = cell.spec.get("machine")
    if wanted is None:
        return ""
    if isinstance(wanted, str):
        if wanted == machine_fingerprint(describe(1)):
            return ""
        difference = "is of another kind"
    else:
        found_here = _numerics(threads)
        if wanted == found_here:
            return ""
        names = [name for name in sorted({*wanted, *found_here}) if wanted.get(name) != found_here.get(name)]
        difference = f"differs in {' and '.join(names)}"
    return (
        f"{os.uname().nodename} {difference} from the machine of the run, and {cell.label} is to be of that; "
        "start the run on a machine like the workers', or choose workers by --resources or --cluster-option"
    )


@cache
def _numerics(threads: int) -> dict[str, Any]:
    """What results depend on here, without the GPUs that this process cannot see."""
    here = numerics(threads)
    return here if os.environ.get("CUDA_VISIBLE_DEVICES") != "" else {**here, "gpus": []} if "gpus" in here else here


def _print_to(log: Path) -> None:
    """Send what this process and those it starts print to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
