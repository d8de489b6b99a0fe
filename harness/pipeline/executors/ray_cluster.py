"""Cells on Ray: warm actors on the nodes of a cluster, or on this machine for the time of a run.

Ray places the actors and says when one is lost; results go to the store and nowhere else. The actors belong to the
calling process: they end with it.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.environment import describe, machine_fingerprint, thread_variables
from harness.core.packages import require_packages
from harness.core.placement import ResourceRequest, resource_request
from harness.core.remote import address_of
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors.base import Resources
from harness.pipeline.executors.logs import log_files, log_name, printed_in, remove_empty
from harness.pipeline.executors.remote_worker import RemoteWorker, Setup, setup_of
from harness.pipeline.executors.scheduling import ATTEMPTS, schedule
from harness.pipeline.executors.workers import Worker, WorkerPool
from harness.pipeline.planner.memory import memory_needs

OBJECTS = 100 * 2**20
"""Bytes of the object store of a Ray of this machine: cells and summaries are small."""
LOOK_EVERY = 5.0
"""Seconds between two looks at the nodes of a cluster."""
NO_NODE_AFTER = 300.0
"""Seconds after which a run ends whose workers no node can carry; until then a cluster may grow."""
PASSED_ON = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that hold for the workers as for the run."""


class Mailbox:
    """An actor that keeps what workers say of their progress until the run asks."""

    def __init__(self) -> None:
        self._messages: list[tuple[int, str, float, str]] = []
        self._condition = threading.Condition()

    def put(self, number: int, key: str, fraction: float, detail: str) -> None:
        with self._condition:
            self._messages.append((number, key, fraction, detail))
            self._condition.notify()

    def take(self, timeout: float) -> list[tuple[int, str, float, str]]:
        with self._condition:
            self._condition.wait_for(lambda: self._messages, timeout)
            messages, self._messages = self._messages, []
            return messages


class RayWorker:
    """An actor that computes cells."""

    def __init__(self, setup: str, number: int, mailbox: Any) -> None:
        self._worker = RemoteWorker(Setup.from_json(setup))
        self._number, self._mailbox = number, mailbox

    def ready(self) -> str:
        """Why it must not compute; empty where it may."""
        return self._worker.refusal

    def compute(self, cell: Cell) -> tuple[str, Any]:
        def report(fraction: float, detail: str) -> None:
            self._mailbox.put.remote(self._number, cell.key, fraction, detail)

        return self._worker.compute(cell, report)


@dataclass(eq=False)
class Actor(Worker):
    """An actor, the number it has in the run, and the reference of what it is to answer next."""

    number: int = 0
    handle: Any = None
    answer: Any = None
    log: str | None = None


class RayExecutor(WorkerPool[Actor]):
    """The executor `ray`. Each worker is an actor that holds its CPUs, GPUs and memory until the run ends; cells that
    are timed have a whole node, the same for all of them, of the kind of the calling process's.
    """

    takes = frozenset({"address", "resources"})
    measures = True

    @staticmethod
    def check(settings: Mapping[str, Any]) -> None:
        """Raises HarnessError where Ray is not installed."""
        require_packages("ray", extra="ray")

    def __init__(self, resources: Resources) -> None:
        self.check(resources.settings)
        self._resources = resources
        self._address = resources.settings.get("address", "local")
        self._request = _filled(resource_request(resources.settings.get("resources", [])), resources)
        self._mailbox: Any = None
        self._letters: Any = None
        self._launched = 0
        self._looked = 0.0
        self._node: str | None = None
        self._setup = setup_of(address_of(resources.root), resources.include, resources.threads)
        self._logs = log_files(resources.root)
        self._log_names: list[str | None] = []
        super().__init__(1)

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """As `Executor.run`."""
        if self._request.memory is None:
            self._memory = memory_needs(cells)
        with _connected(self._address, self._resources, self._request):
            self._look()
            yield from schedule(cells, done, self, ATTEMPTS, may_start=self._resources.may_start)

    def _look(self) -> None:
        """How many workers the cluster carries now."""
        self._looked = self._clock()
        if self._resources.alone:
            return
        asked = self._resources.settings.get("workers")
        self.size = asked or max(1, sum(_carried(node["Resources"], self._request) for node in _nodes()))

    def _launch(self, place: int, memory: int) -> Actor:
        ray = _ray()
        if self._mailbox is None:
            here = _on(ray.get_runtime_context().get_node_id(), soft=True)
            self._mailbox = ray.remote(num_cpus=0, max_concurrency=4, scheduling_strategy=here)(Mailbox).remote()
        log = log_name(self._logs, "ray", place)
        self._log_names.append(log)
        setup = replace(self._setup, log=log)
        self._launched += 1
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        options = {
            "max_restarts": 0,
            "runtime_env": {"env_vars": {**thread_variables(self._resources.threads), **passed}},
            **(self._whole_node() if self._resources.alone else self._part(memory)),
        }
        handle = ray.remote(**options)(RayWorker).remote(setup.as_json(), self._launched, self._mailbox)
        return Actor(
            place, memory, ready=False, number=self._launched, handle=handle, answer=handle.ready.remote(), log=log
        )

    def _part(self, memory: int) -> dict[str, Any]:
        """What an actor holds; of memory at most what the largest node has, since it is an estimate."""
        request = self._request
        largest = int(max((node["Resources"].get("memory", 0) for node in _nodes()), default=0))
        size = request.memory or min(memory, largest)
        return {
            "num_cpus": request.cpu,
            "num_gpus": request.gpu,
            "resources": dict(request.custom),
            **({"memory": size} if size else {}),
        }

    def _whole_node(self) -> dict[str, Any]:
        """All of a node whose times are those of the calling process's machine."""
        nodes = {node["NodeID"]: node["Resources"] for node in _nodes()}
        if self._node is None or self._node not in nodes:
            self._node = _node_like_this()
        whole = nodes[self._node]
        options = {"num_cpus": whole.get("CPU", 0), "num_gpus": whole.get("GPU", 0)}
        return {**options, "scheduling_strategy": _on(self._node, soft=False)}

    def _send(self, worker: Actor, cell: Cell) -> None:
        worker.answer = worker.handle.compute.remote(cell)

    def _receive(self, timeout: float) -> Iterator[tuple[Actor, str, Any]]:
        ray = _ray()
        if self._letters is None and self._mailbox is not None:
            self._letters = self._mailbox.take.remote(60.0)
        awaited = {worker.answer: worker for worker in self.workers if worker.answer is not None}
        references = [*awaited, *([] if self._letters is None else [self._letters])]
        if not references:
            time.sleep(timeout)
            return
        arrived, _ = ray.wait(references, num_returns=1, timeout=timeout)
        if arrived:
            arrived, _ = ray.wait(references, num_returns=len(references), timeout=0)
        if self._letters in arrived:
            yield from self._progress()
        for reference in arrived:
            if reference in awaited:
                worker = awaited[reference]
                worker.answer = None
                yield worker, *_answer(reference, worker)
        if self._clock() - self._looked > LOOK_EVERY:
            self._look()
            self._check_places()

    def _progress(self) -> Iterator[tuple[Actor, str, Any]]:
        ray = _ray()
        letters, self._letters = self._letters, None
        try:
            messages = ray.get(letters)
        except ray.exceptions.RayError:
            self._mailbox = None  # its node is gone; the next worker brings another one
            return
        by_number = {worker.number: worker for worker in self.workers}
        for number, key, fraction, detail in messages:
            worker = by_number.get(number)
            if worker is not None and worker.cell is not None and worker.cell.key == key:
                yield worker, "progress", (fraction, detail)

    def _check_places(self) -> None:
        """Raises HarnessError where workers wait for a place that no node has."""
        waiting = [worker for worker in self.workers if not worker.ready]
        if not waiting or self._resources.alone or any(worker.ready for worker in self.workers):
            return
        if any(_carried(node["Resources"], self._request) for node in _nodes()):
            return
        if self._address == "local" or self._clock() - waiting[0].since > NO_NODE_AFTER:
            raise HarnessError(f"no node of the Ray cluster has {_shown(self._request)}; ask for less with --resources")

    def _end(self, worker: Actor) -> None:
        ray = _ray()
        with suppress(Exception):
            ray.kill(worker.handle)

    def close(self) -> None:
        """End the actors."""
        for worker in self.workers:
            self._end(worker)
        if self._mailbox is not None:
            self._end(Actor(0, 0, handle=self._mailbox))
        self.workers.clear()
        self._mailbox = self._letters = None
        remove_empty(self._log_names)


def _filled(request: ResourceRequest, resources: Resources) -> ResourceRequest:
    """CPUs as many as threads, and a GPU where the machine of the run has any, unless others are asked for."""
    cpu = resources.threads if request.cpu is None else request.cpu
    if cpu < resources.threads:
        raise HarnessError(f"resources: cpu={cpu} is less than the {resources.threads} threads of each worker")
    gpu = (1.0 if resources.cuda_devices else 0.0) if request.gpu is None else request.gpu
    return replace(request, cpu=cpu, gpu=gpu)


def _carried(node: Mapping[str, float], request: ResourceRequest) -> int:
    """How many workers a node carries, by all but estimates of memory."""
    wanted = {"CPU": request.cpu, "GPU": request.gpu, "memory": request.memory, **request.custom}
    return int(min((node.get(name, 0.0) // amount for name, amount in wanted.items() if amount), default=1))


def _shown(request: ResourceRequest) -> str:
    amounts = [f"{request.cpu} CPUs", *([f"{request.gpu:g} GPUs"] if request.gpu else [])]
    amounts += [f"{request.memory / 2**30:.1f} GiB of memory"] if request.memory else []
    return ", ".join([*amounts, *(f"{amount:g} {name}" for name, amount in request.custom.items())])


def _ray() -> Any:
    return importlib.import_module("ray")


def _nodes() -> list[dict[str, Any]]:
    ray = _ray()
    return sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: node["NodeID"])


def _on(node: str, soft: bool) -> Any:
    return _ray().util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=soft)


def _node_like_this() -> str:
    """The first node of this machine's kind, another than this one's where there is one. Raises HarnessError."""
    ray = _ray()
    here, wanted = ray.get_runtime_context().get_node_id(), machine_fingerprint(describe(1))
    nodes = sorted((node["NodeID"] for node in _nodes() if node["Resources"].get("CPU")), key=lambda node: node == here)
    kind = ray.remote(num_cpus=0, max_retries=0)(kind_of_machine)
    for node in nodes:
        with suppress(ray.exceptions.RayError):
            if ray.get(kind.options(scheduling_strategy=_on(node, soft=False)).remote(), timeout=120) == wanted:
                return node
    raise HarnessError(
        "--measure: no node of the Ray cluster is of this machine's kind; start the run on a machine like those that "
        "are to be timed"
    )


def kind_of_machine() -> str:
    """The fingerprint that times of a machine are compared under."""
    return machine_fingerprint(describe(1))


def _answer(reference: Any, worker: Actor) -> tuple[str, Any]:
    """What a worker answers: its result, `ready`, or why it is lost."""
    ray = _ray()
    try:
        content = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return "lost", f"its worker raised {' '.join(str(error.cause).split())}{printed_in(worker.log)}"
    except ray.exceptions.RayError as error:
        return "lost", cause_of(error) + printed_in(worker.log)
    if worker.ready:
        return content
    return ("refused", content) if content else ("ready", None)


def cause_of(error: Exception) -> str:
    """Why an actor is lost, from what Ray says of it."""
    ray = _ray()
    text = " ".join(str(error).split())
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "its worker was ended because its node ran out of memory: give it more by --resources memory=SIZE"
    if "node has died" in text or "node was terminated" in text or isinstance(error, ray.exceptions.NodeDiedError):
        return "its node is gone"
    if "The actor died because of an error raised in its creation task" in text:
        return f"its worker does not start: {text[-300:]}"
    if "worker process has died" in text or "worker died" in text:
        return "its worker process was killed; the system may be out of memory"
    return f"its worker is lost: {text[:300]}"


@contextmanager
def _connected(address: str, resources: Resources, request: ResourceRequest) -> Iterator[None]:
    """A driver of Ray; a cluster of this machine alone is started, and ends again.

    Raises:
        HarnessError: there is no cluster.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"address": address}
    if address == "local":
        count = resources.settings.get("workers") or resources.workers
        options |= {
            "num_cpus": count * (request.cpu or 1),
            "num_gpus": resources.cuda_devices,
            "resources": {name: count * amount for name, amount in request.custom.items()},
            "include_dashboard": False,
            "object_store_memory": OBJECTS,
        }
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _own_signals():
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        first = " ".join(str(error).split())[:300]
        start = "" if address == "local" else "; start one by `ray start --head`, or leave out --address"
        raise HarnessError(f"no Ray cluster at {address}: {first}{start}") from None
    try:
        with _without_notices():
            yield
    finally:
        ray.shutdown()


@contextmanager
def _without_notices() -> Iterator[None]:
    """Ray prints a notice of each lost worker on stdout, among our tables, and has no setting for it."""
    worker: Any = importlib.import_module("ray._private.worker")
    before = getattr(worker, "print_to_stdstream", None)
    if before is not None:
        worker.print_to_stdstream = lambda *arguments, **named: None
    try:
        yield
    finally:
        if before is not None:
            worker.print_to_stdstream = before


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray handles SIGTERM in a way of its own; a run ends by it as it does without Ray."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
