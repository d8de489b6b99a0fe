"""What `torch.compile` takes and gives in fine-tuning: processor time until it has compiled, and of steps in turns.

    python -m tests.benchmarks.compiling "2 × 128" several --rounds 9      # prints a line of JSON

Three sides take the same steps: the model as transformers runs it, the same with layers in one function and the last
one at the first position alone, as fine-tuning has it, and compiled, which computes all positions. What compiling takes includes the processes it
starts; its cache is empty at first and full at `second`, a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext

from tests.benchmarks.test_first_position import SIZES

SHAPES = {"one": [(32, 24)], "several": [(48, 16), (32, 24), (24, 32), (16, 48)]}
STEPS = 8
"""Of a turn: each shape as often."""
SIDES = ("plain", "fine-tuning", "compiled")


def spent() -> float:
    """Seconds of the processor, of this process and of those it has waited for."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in times)


def side(size: str, name: str, precision: str) -> Callable[[tuple[int, int]], None]:
    """A step of training on a batch of so many rows of so many tokens."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from harness.training import optimizers
    from harness.training.dropout import quick_dropout
    from harness.training.encoder_layer import fused_layers

    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES[size], vocab_size=8000, num_labels=2)).train()
    groups = optimizers.groups(model, 0.01)
    optimizer = optimizers.optimizer("adamw", groups, 1e-4)
    if name == "compiled":
        model.compile(dynamic=True)
    draws = torch.Generator().manual_seed(1)

    def step(shape: tuple[int, int]) -> None:
        batch = {
            "input_ids": torch.randint(5, 8000, shape, generator=draws),
            "attention_mask": torch.ones(shape, dtype=torch.int64),
            "labels": torch.randint(0, 2, shape[:1], generator=draws),
        }
        batch["attention_mask"][::2, shape[1] - 3 :] = 0
        with (
            nullcontext() if name == "compiled" else quick_dropout(model),
            fused_layers(model, True) if name == "fine-tuning" else nullcontext(),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
        ):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(size: str, shapes: str, rounds: int, precision: str) -> dict[str, object]:
    """Seconds of each side's steps, medians of rounds, and until each has taken every shape once."""
    import torch

    torch.set_num_threads(1)
    first: dict[str, float] = {}
    clock = time.monotonic()
    steps = {}
    for name in SIDES:
        before = spent()
        steps[name] = side(size, name, precision)
        for shape in SHAPES[shapes] * 2:
            steps[name](shape)
        first[name] = spent() - before
        print(f"{name}: {first[name]:.1f} s until it has taken each shape twice", file=sys.stderr, flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in SIDES if number % 2 else reversed(SIDES):
            before = spent()
            for shape in itertools.islice(itertools.cycle(SHAPES[shapes]), STEPS):
                steps[name](shape)
            seconds[name].append((spent() - before) / STEPS)
    of = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {
        name: sorted(own / other for own, other in zip(seconds[name], seconds["compiled"], strict=True))
        for name in ("plain", "fine-tuning")
    }
    warm_up = first["compiled"] - 2 * len(SHAPES[shapes]) * of["compiled"]
    return {
        "size": size,
        "shapes": shapes,
        "precision": precision,
        "seconds to compile": round(warm_up, 1),
        "wall": round(time.monotonic() - clock, 1),
        "ms a step": {name: round(1000 * value, 2) for name, value in of.items()},
        "times as fast compiled": {
            name: [round(value, 2) for value in (statistics.median(values), values[0], values[-1])]
            for name, values in ratios.items()
        },
        "steps until it pays": {
            name: round(warm_up / (of[name] - of["compiled"])) if of[name] > of["compiled"] else None
            for name in ("plain", "fine-tuning")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("shapes", choices=SHAPES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--again", action="store_true", help="with the cache that another process has filled")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.size, options.shapes, options.rounds, options.precision)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "TORCHINDUCTOR_CACHE_DIR": folder,
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        for _ in range(1 + options.again):
            subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.compiling", *sys.argv[1:], "--measure"],
                env=environment,
                check=True,
            )


if __name__ == "__main__":
    main()
