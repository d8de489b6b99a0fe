"""How a verb is called, beside what it is asked to compute: from which file, to which files, as a trial or for good."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from harness.core.panels import OUTPUT, TRAINING, WHERE
from harness.core.placement import size_in_bytes
from harness.core.run_spec import Mode, Trackers, tracker_setting
from harness.core.strict_spec import Strict, setting

NODES = "Nodes"


def _size(text: str) -> str:
    try:
        size_in_bytes(text)
    except ValueError:
        raise ValueError("a size such as 512M or 8G is expected") from None
    return text


class RunLaunch(Strict):
    """Of `harness run` and `evaluate`."""

    mode: Mode | None = setting(None, "3, 5 or 10 seeds, in place of --seeds.", panel=TRAINING)
    config: Path | None = setting(None, "A YAML file with these flags as keys; flags win.", panel=WHERE, metavar="FILE")
    dry_run: bool = setting(False, "Show the plan, what is cached, and what the rest costs.", panel=OUTPUT)


class PlanSpec(Strict):
    """Of `harness plan`: the machines of a run that is simulated."""

    nodes: int = setting(1, "Machines, all of one kind.", panel=NODES, ge=1, le=100_000)
    gpus: int = setting(0, "GPUs of each; one worker a GPU.", panel=NODES, ge=0, le=64)
    cores: int | None = setting(None, "Cores of each.", panel=NODES, shown="this machine's", ge=1, le=4096)
    memory: Annotated[str, AfterValidator(_size)] | None = setting(
        None, "Of each; workers are no more than it carries.", panel=NODES, metavar="SIZE"
    )
    price: float | None = setting(None, "Of a node for an hour.", panel=NODES, ge=0, le=1e9)


class PretrainLaunch(Strict):
    """Of `harness pretrain`."""

    fsdp: bool = setting(False, "Under torchrun: shard the model's weights over the processes.", panel=WHERE)
    restart: bool = setting(False, "Begin anew, not at the last checkpoint.", panel=WHERE, off="resume")
    threads: int | None = setting(None, "Intra-op threads.", panel=WHERE, shown="calibrated", ge=1, le=1024)
    track: Trackers = tracker_setting()
    output: Path | None = setting(None, "Copy the checkpoint here.", panel=OUTPUT, metavar="FOLDER", short="o")
    dry_run: bool = setting(False, "Say what would be trained, and how long it takes.", panel=OUTPUT)


class MeasureFiles(Strict):
    """Of `harness measure`."""

    output: Path | None = setting(None, "Write the whole result as JSON.", panel=OUTPUT, metavar="FILE", short="o")
    benchmark_json: Path | None = setting(
        None, "Write the times as pytest-benchmark does.", panel=OUTPUT, metavar="FILE"
    )
