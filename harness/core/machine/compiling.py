"""What `torch.compile` takes and gives on this machine: a probe of two small encoders, made once and kept.

Only who asks for `compile: auto` waits for it: it takes minutes.
"""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core.checked import keep_checked, read_checked
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, short
from harness.core.machine.environment import cache_folder, cores, cpu, gpus, thread_variables, versions
from harness.core.text import say

COMPILERS = ("g++", "gcc", "clang++", "clang")
"""Of which inductor takes one, unless $CXX names another: it writes C++ for a CPU."""
WIDTHS = (128, 384)
LAYERS = 2
ROWS, LENGTHS = 32, (16, 24, 32)
"""Of the batches of the probe: one graph serves lengths that differ, as batches of fine-tuning do."""
ROUNDS = 7
PROBE = 2
"""Of which making of the probe a result is: another's is measured again."""
AT_MOST = 1200.0
"""Seconds after which the probe is given up."""


@dataclass(frozen=True)
class Compiled:
    """What compiling an encoder takes and gives.

    Attributes:
        seconds: CPU seconds until a layer is compiled, forward and backward, by all processes that take part.
        gain: How many times as fast a step of training is then.
    """

    seconds: float
    gain: float


def compiler_missing() -> str | None:
    """What was looked for, where no C++ compiler is found."""
    named = os.environ.get("CXX")
    if any(shutil.which(name) for name in ([named] if named else COMPILERS)):
        return None
    return f"CXX={named}" if named else "none of " + ", ".join(COMPILERS)


def compiling() -> dict[int, Compiled]:
    """The probe's result by the width of the encoder, measured once for a machine and its libraries, and kept.

    Raises:
        HarnessError: it cannot be measured: no compiler, or torch compiles no encoder here.
    """
    kept = _kept()
    try:
        return _read(read_checked(kept)["compiling"])
    except (HarnessError, KeyError, TypeError, ValueError) as error:
        if kept.exists():
            say(f"damaged: {kept}: {error}; it is measured again")
    say("compile: auto: measuring what torch.compile takes and gives on this machine, once; it takes minutes")
    measured = _measure_in_fresh_process()
    keep_checked(kept, {"compiling": measured})
    return _read(measured)


def of_width(width: int, measured: dict[int, Compiled]) -> Compiled:
    """Between the widths that were measured by their logarithms; beyond them the nearest."""
    low, high = min(measured), max(measured)
    place = min(1.0, max(0.0, math.log(width / low) / math.log(high / low)))
    first, last = measured[low], measured[high]
    return Compiled(
        first.seconds + place * (last.seconds - first.seconds), first.gain + place * (last.gain - first.gain)
    )


def _kept() -> Path:
    machine = [cpu(), cores(), gpus(), versions()["torch"], versions()["transformers"], PROBE]
    return cache_folder() / f"compiled-{short(hash_json(machine))}.json"


def _read(measured: dict[str, Any]) -> dict[int, Compiled]:
    by_width = {
        int(width): Compiled(float(facts["seconds"]), float(facts["gain"])) for width, facts in measured.items()
    }
    if set(by_width) != set(WIDTHS):
        raise ValueError("not the widths of the probe")
    return by_width


def _measure_in_fresh_process() -> dict[str, Any]:
    command = [sys.executable, "-m", "harness.core.machine.compiling"]
    with tempfile.TemporaryDirectory() as folder:  # what was compiled before would say that compiling takes nothing
        compiler = {"TORCHINDUCTOR_CACHE_DIR": folder, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        environment = {**os.environ, **thread_variables(1), **compiler}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=AT_MOST, check=True)
            measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.SubprocessError, ValueError, IndexError) as error:
            detail = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise HarnessError(
                f"compile: auto: the probe failed: {detail[-1] if detail else error}; say compile: false"
            ) from None
    return measured


def measure() -> dict[str, Any]:
    """Compile an encoder of each width, and time its steps in turns with those of the same encoder uncompiled."""
    import torch

    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {str(width): asdict(_of(width, device)) for width in WIDTHS}


def _of(width: int, device: str) -> Compiled:
    plain, compiled = _steps(width, device, compiles=False), _steps(width, device, compiles=True)
    for _ in range(2):
        plain()
    before = _spent()
    for _ in range(2):
        compiled()
    taken = _spent() - before
    times: dict[Callable[[], None], list[float]] = {plain: [], compiled: []}
    for number in range(ROUNDS):
        for step in (plain, compiled) if number % 2 else (compiled, plain):
            start = time.process_time() if device == "cpu" else time.perf_counter()
            step()
            times[step].append((time.process_time() if device == "cpu" else time.perf_counter()) - start)
    of_plain, of_compiled = (sorted(times[step])[ROUNDS // 2] for step in (plain, compiled))
    return Compiled(round(max(0.0, taken - 2 * of_compiled) / LAYERS, 2), round(of_plain / of_compiled, 3))


def _steps(width: int, device: str, compiles: bool) -> Callable[[], None]:
    """A step of training on a batch of each length, as a function."""
    import torch

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(width, max(2, width // 64), 4 * width, activation="gelu", batch_first=True)
    model = torch.nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batches = [torch.randn(ROWS, length, width, device=device) for length in LENGTHS]
    # `model.compile` leaves a module of torch itself as it is
    run: Callable[..., torch.Tensor] = torch.compile(model, dynamic=True) if compiles else model

    def step() -> None:
        for batch in batches:
            run(batch).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def _spent() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in times)


if __name__ == "__main__":
    print(json.dumps(measure()))
