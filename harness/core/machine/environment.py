"""What a record says of the machine and the software; thread settings that must stand before torch is imported."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.cache_folder import cache_folder
from harness.core.hashing import hash_json
from harness.core.version import __version__

ISA_FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8", "asimd", "sve")
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "datasets",
    "evaluate",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "onnxruntime",
    "torchao",
)
TIMED_PACKAGES = ("python", "torch", "transformers", "onnxruntime", "numpy")
"""Whose versions a time depends on."""


KERNELS = "4096"
"""How many kernels oneDNN keeps. In bf16 it makes one for each shape, and the batches of a training have more shapes
than the 1,024 that are its default, so that they would be made anew in every epoch."""


def thread_variables(threads: int) -> dict[str, str]:
    """Environment of a worker process: `threads` intra-op threads everywhere, waiting threads asleep and not
    spinning.
    """
    count = str(threads)
    kernels = os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": kernels,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        **_compiler_cache(),
    }


def _compiler_cache() -> dict[str, str]:
    """Torch makes a folder for compiled code as soon as it is imported; not among temporary files, where it stays."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    folder = cache_folder() / "torchinductor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    return {name: os.environ.get(name) or str(folder)} if os.access(folder, os.W_OK) else {}


def cores() -> int:
    """CPUs this process may use: its affinity, or the quota of its control group if that is less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            allowed = min(allowed, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return allowed


@cache
def cpu() -> dict[str, Any]:
    """`{"model", "isa"}` as far as the system tells."""
    facts: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    model = facts.get("model name") or platform.processor() or platform.machine()
    return {"model": model, "isa": [flag for flag in ISA_FLAGS if flag in flags]}


@cache
def versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    known = {"harness": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = "not installed"
    return known


@cache
def gpus() -> list[dict[str, str]]:
    """`{"name", "driver"}` of each, as NVIDIA's driver tells; none where its `nvidia-smi` is not found."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [line.rpartition(",") for line in output.splitlines() if "," in line]
    return [{"name": name.strip(), "driver": driver.strip()} for name, _, driver in lines]


def describe(threads: int) -> dict[str, Any]:
    """What a record keeps: platform, CPU, cores, threads a process, versions; GPUs where there are any."""
    return {
        "platform": platform.platform(),
        "cpu": cpu(),
        "cores": cores(),
        "threads": threads,
        "versions": versions(),
        **({"gpus": gpus()} if gpus() else {}),
    }


def machine_fingerprint(environment: Mapping[str, Any]) -> str:
    """Of what `describe` says: times of two environments may be compared where it is the same. It does not tell apart
    two machines of one kind; threads are compared beside it.
    """
    known = {name: environment["versions"].get(name) for name in TIMED_PACKAGES}
    gpus = [environment["gpus"]] if environment.get("gpus") else []
    return hash_json([environment["platform"], environment["cpu"], environment["cores"], known, *gpus])
