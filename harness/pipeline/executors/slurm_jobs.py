"""Cells in jobs of a batch system, by submitit: SLURM's, or processes of this machine.

Each worker is one job that stays warm and takes cells from a file of a folder that all machines see. What submitit
stores of a job is the name of a function, a path and a number.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from harness.core.errors import HarnessError, did_you_mean
from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables
from harness.core.packages import require_packages
from harness.core.placement import resource_request, split_pairs
from harness.core.remote import address_of
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors.base import Resources
from harness.pipeline.executors.cell_json import cell_as_json
from harness.pipeline.executors.job_worker import serve
from harness.pipeline.executors.logs import log_files, log_name, printed_in, remove_empty
from harness.pipeline.executors.mailbox import ALIVE, Mailbox, SignsOfLife
from harness.pipeline.executors.remote_worker import setup_of
from harness.pipeline.executors.scheduling import ATTEMPTS, schedule
from harness.pipeline.executors.workers import Worker, WorkerPool
from harness.pipeline.planner.memory import memory_needs

TIMEOUT = {"slurm": 240, "local": 7 * 24 * 60, "debug": 7 * 24 * 60}
"""Minutes a job may take, unless `timeout_min` says another number."""
OURS = {"nodes", "tasks_per_node", "slurm_nodes", "slurm_ntasks_per_node", "cpus_per_task", "gpus_per_node", "mem_gb"}
"""Parameters that are no options: a worker is one task, and what it gets is said by --resources."""
LOOK_EVERY = {"slurm": 15.0, "local": 1.0, "debug": 1.0}
"""Seconds between two looks at the states of jobs."""
LEAST_PAUSE, MOST_PAUSE = 0.002, 0.05
RUNNING = {"RUNNING", "PENDING", "CONFIGURING", "COMPLETING", "REQUEUED", "RESIZING", "SUSPENDED", "UNKNOWN", "READY"}
"""States of a job that is not over."""
CAUSES = {
    "OUT_OF_MEMORY": "its job ran out of memory: give each worker more by --resources memory=SIZE",
    "TIMEOUT": "its job reached its time limit: --cluster-option timeout_min=MINUTES raises it",
    "NODE_FAIL": "its node is gone",
    "PREEMPTED": "its job was preempted",
}
ABANDONED = 24 * 3600
"""Seconds after its last sign of life that the folder of a run which was killed is removed."""


@dataclass(eq=False)
class JobWorker(Worker):
    """A job, the files through which it is spoken to, and the lines of its log."""

    number: int = 0
    job: Any = None
    inbox: Mailbox = field(default_factory=lambda: Mailbox(Path(os.devnull)))
    outbox: Mailbox = field(default_factory=lambda: Mailbox(Path(os.devnull)))
    log: str | None = None


class SubmititExecutor(WorkerPool[JobWorker]):
    """The executor `submitit`. Jobs run until no cell is left for them; cells that are timed have a node for
    themselves.
    """

    takes = frozenset({"resources", "cluster", "cluster_option"})
    measures = True

    @staticmethod
    def check(settings: Mapping[str, Any]) -> None:
        """Raises HarnessError where submitit is not installed, or jobs cannot be asked for what is given."""
        require_packages("submitit", extra="slurm")
        cluster = settings.get("cluster", "slurm")
        _options(settings.get("cluster_option", []), cluster)
        _check(resource_request(settings.get("resources", [])), 1)
        if cluster == "slurm" and settings.get("workers") is None:
            raise HarnessError("executor submitit: say with --workers how many jobs run at once")

    def __init__(self, resources: Resources) -> None:
        self.check(resources.settings)
        self._resources = resources
        self._cluster = resources.settings.get("cluster", "slurm")
        self._request = resource_request(resources.settings.get("resources", []))
        self._options = _options(resources.settings.get("cluster_option", []), self._cluster)
        _check(self._request, resources.threads)
        self._home = Path(self._options.pop("folder", resources.root / "jobs")).resolve()
        asked = resources.settings.get("workers")
        size = 1 if resources.alone or self._cluster == "debug" else asked or resources.workers
        self._setup = setup_of(address_of(resources.root), resources.include, resources.threads)
        self._log_folder = log_files(resources.root)
        self._logs: list[str | None] = []
        self._launched = 0
        self._looked = 0.0
        super().__init__(size)

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """As `Executor.run`."""
        if self._request.memory is None:
            self._memory = memory_needs(cells)
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            _prune(self._home)
            self._folder = self._home / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
            self._folder.mkdir()
            (self._folder / "run").write_text(f"{os.uname().nodename} {os.getpid()}")
            self._signs = SignsOfLife(self._folder)
        except OSError as error:
            raise HarnessError(
                f"cannot use {self._home} for jobs: {error.strerror}; name another folder that all machines see with "
                "--cluster-option folder=DIR"
            ) from None
        try:
            self._executor = self._made_executor()
            yield from schedule(cells, done, self, ATTEMPTS, may_start=self._resources.may_start)
        finally:
            self.close()

    def _made_executor(self) -> Any:
        submitit = importlib.import_module("submitit")
        try:
            executor = submitit.AutoExecutor(folder=self._folder / "submitit", cluster=self._cluster)
            executor.update_parameters(**self._parameters(0, 0))
        except (RuntimeError, NameError, ValueError, AssertionError, TypeError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise HarnessError(f"executor submitit on {self._cluster}: {first}") from None
        return executor

    def _parameters(self, place: int, memory: int) -> dict[str, Any]:
        request, threads = self._request, self._resources.threads
        gpus = (1 if self._resources.cuda_devices else 0) if request.gpu is None else int(request.gpu)
        parameters: dict[str, Any] = {
            "name": "harness",
            "timeout_min": TIMEOUT[self._cluster],
            "cpus_per_task": request.cpu or threads,
            "gpus_per_node": gpus,
            "slurm_wckey": "harness",
            **self._options,
        }
        size = request.memory or memory
        if size and not self._resources.alone:
            parameters["mem_gb"] = round(size / 2**30, 3)
        if self._cluster == "slurm":
            exports = [f"export {name}={value}" for name, value in thread_variables(threads).items()]
            parameters["slurm_setup"] = [*exports, *parameters.get("slurm_setup", [])]
            if self._resources.alone:
                parameters["slurm_exclusive"] = True
        elif gpus:
            parameters["local_visible_gpus"] = [
                (place * gpus + gpu) % self._resources.cuda_devices for gpu in range(gpus)
            ]
        return parameters

    def _launch(self, place: int, memory: int) -> JobWorker:
        self._launched += 1
        number = self._launched
        log = log_name(self._log_folder, "job", place)
        self._logs.append(log)
        setup = replace(self._setup, log=log)
        (self._folder / f"{number}.setup").write_text(setup.as_json(), encoding="utf-8")
        boxes = (Mailbox(self._folder / f"{number}.{direction}") for direction in ("in", "out"))
        inside = self._cluster == "debug"
        self._executor.update_parameters(**self._parameters(place, memory))
        try:
            with variables(thread_variables(self._resources.threads)), _interrupts_held():
                job = self._executor.submit(serve, str(self._folder), number, inside)
        except Exception as error:
            first = " ".join(str(error).split())[:300]
            raise HarnessError(f"executor submitit on {self._cluster}: the job was not accepted: {first}") from None
        worker = JobWorker(place, memory, None, inside, number=number, job=job, log=log)
        worker.inbox, worker.outbox = boxes
        return worker

    def _send(self, worker: JobWorker, cell: Cell) -> None:
        worker.inbox.add(cell_as_json(cell))
        if self._cluster == "debug":
            worker.inbox.add({"end": True})
            worker.job.results()

    def _receive(self, timeout: float) -> Iterator[tuple[JobWorker, str, Any]]:
        deadline, pause = time.monotonic() + timeout, LEAST_PAUSE
        while True:
            messages = [entry for worker in self.workers for entry in self._read(worker)]
            if time.monotonic() - self._looked > LOOK_EVERY[self._cluster]:
                self._looked = time.monotonic()
                self._ask_for_states()
                messages += [entry for worker in self.workers for entry in self._look(worker)]
            if messages or time.monotonic() >= deadline:
                yield from messages
                return
            time.sleep(pause)
            pause = min(2 * pause, MOST_PAUSE)

    def _read(self, worker: JobWorker) -> Iterator[tuple[JobWorker, str, Any]]:
        for message in worker.outbox.read():
            if "ready" in message:
                yield (worker, "refused", message["ready"]) if message["ready"] else (worker, "ready", None)
            else:
                yield worker, message["kind"], message["content"]
        if self._cluster == "debug" and worker.cell is not None:
            yield worker, "lost", "it is for one cell"

    def _ask_for_states(self) -> None:
        """Of all jobs at once; submitit asks SLURM every ten minutes only."""
        if self._cluster == "slurm" and self.workers:
            self.workers[0].job.watcher.update()

    def _look(self, worker: JobWorker) -> Iterator[tuple[JobWorker, str, Any]]:
        """Whether its job is over; what it said before counts."""
        if self._cluster == "debug":
            return
        job = worker.job
        state = job.watcher.get_state(job.job_id, mode="cache") if self._cluster == "slurm" else job.state
        state = str(state).upper().partition(" ")[0].rstrip("+")
        if state not in RUNNING:
            yield from self._read(worker)
            self._cancel(worker)  # one that was preempted may come back
            cause = CAUSES.get(state, f"its job ended ({state}); the system may be out of memory")
            yield worker, "lost", cause + (printed_in(worker.log) or printed_in(str(worker.job.paths.stderr)))

    def _end(self, worker: JobWorker) -> None:
        with suppress(OSError):
            worker.inbox.add({"end": True})
        if self._cluster == "slurm" or worker.cell is not None:
            self._cancel(worker)

    def _cancel(self, worker: JobWorker) -> None:
        with suppress(Exception):
            if self._cluster == "slurm":
                worker.job.cancel(check=False)
            elif self._cluster == "local":
                for process in psutil.Process(int(worker.job.job_id)).children(recursive=True):
                    process.kill()

    def close(self) -> None:
        """Cancel the jobs."""
        for worker in self.workers:
            self._end(worker)
        self._signs.end()
        if self._cluster == "local":
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline and not all(worker.job.done() for worker in self.workers):
                time.sleep(0.02)
            for worker in self.workers:
                self._cancel(worker)
        self.workers.clear()
        remove_empty(self._logs)
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._home.rmdir()


def _check(request: Any, threads: int) -> None:
    if request.cpu is not None and request.cpu < threads:
        raise HarnessError(f"resources: cpu={request.cpu} is less than the {threads} threads of each worker")
    if request.gpu is not None and request.gpu != int(request.gpu):
        raise HarnessError(f"resources: gpu={request.gpu:g}: jobs get whole GPUs")
    if request.custom:
        raise HarnessError(
            f"resources: {next(iter(request.custom))}: jobs have cpu, gpu and memory; see --cluster-option"
        )


def _options(pairs: Sequence[str], cluster: str) -> dict[str, Any]:
    """The parameters of submitit that are given. Raises HarnessError for those there are none of."""
    submitit = importlib.import_module("submitit")
    known = {*submitit.AutoExecutor._typed_parameters(), "folder"}
    known |= {f"slurm_{name}" for name in submitit.SlurmExecutor._valid_parameters()}
    known |= {f"local_{name}" for name in submitit.LocalExecutor._valid_parameters()}
    options: dict[str, Any] = {}
    for name, text in split_pairs(pairs).items():
        if name in OURS:
            raise HarnessError(f"cluster_option: {name} is no option; what each worker gets is said by --resources")
        if name not in known:
            raise HarnessError(f"cluster_option: submitit has no parameter '{name}'.{did_you_mean(name, known - OURS)}")
        options[name] = text if name == "folder" else _value(text, name)
        if name.endswith("_setup") and isinstance(options[name], str):
            options[name] = [options[name]]
    return options


def _value(text: str, name: str) -> Any:
    """A number, true or false, or JSON of a list or mapping; any other text is itself."""
    if not (text[0] in "[{" or text in ("true", "false") or text.lstrip("-").replace(".", "", 1).isdigit()):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise HarnessError(f"cluster_option: {name}={text} is no JSON") from None


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches the run, not the processes that start meanwhile: those are ended by the run."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prune(home: Path) -> None:
    """Remove the folders of runs that were killed."""
    for sign in home.glob(f"*/{ALIVE}"):
        with suppress(OSError):
            if time.time() - sign.stat().st_mtime > ABANDONED:
                shutil.rmtree(sign.parent, ignore_errors=True)
