"""What a GPU does with harness: model FLOP utilization, harness beside its peers, and what only runs on a GPU.

    python -m tests.benchmarks.gpu --out gpu.json            # on a machine with a GPU: some five minutes
    python -m tests.benchmarks.gpu --out gpu.json --page     # anywhere: what is in gpu.json into docs/results/speed.md

Parts: `pretraining` (BERT-base, masked LM, bf16, beside HF's Trainer), `fine-tuning` (the same), `scoring` (few-shot
questions by the tree of their prompts beside one request a row), `compiled` (training by torch.compile), `commands`
(the command line on a GPU), `tests` (those that are skipped without one) and `unit` (those that go to a GPU where there
is one). What a part found is written when it ends; one that fails leaves its traceback, and the next goes on; whatever
commands and tests print is in gpu.log beside it. `--device cpu --small` tries the same lines in minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from harness.core.machine.environment import cpu, versions
from tests.benchmarks import gpu_parts, gpu_scoring
from tests.benchmarks.gpu_parts import Setting
from tests.conftest import ROOT

BEGIN, END = "<!-- gpu: made by tests/benchmarks/gpu.py -->", "<!-- end of gpu -->"
PAGE = ROOT / "docs" / "results" / "speed.md"
PARTS = ("pretraining", "fine-tuning", "scoring", "commands", "tests", "compiled", "unit")
ON_GPU = ["tests/unit/compression/test_on_gpu.py"]
"""Tests that are skipped without a GPU."""
UNIT = [
    f"tests/unit/{room}" for room in ("training", "modeling/inference", "modeling/heads", "compression", "measurement")
]
"""Tests that compute on a GPU where there is one."""
MODEL = "bert-tiny"
METHODS = ("bf16", "bf16|cuda-graphs", "bf16|compile", "int8-torchao", "fp8-torchao")
"""Compressors that are served on a GPU."""
TAIL = 3000


def command_lines(small: bool) -> list[dict[str, tuple[list[list[str]], int]]]:
    """Chains of commands by what they show, and the seconds each may take: those that run at the same time, then one
    that is timed alone.
    """
    few = ["--limit", "100", "--epochs", "1"] if small else ["--limit", "2000", "--epochs", "3"]
    methods = [part for method in METHODS[: 1 if small else None] for part in ("--compress", method)]
    run = ["run", "--task", "sst2", *few]
    pretrained = [
        "pretrain",
        "bert-tiny-mlm",
        "--sentences",
        "2000",
        "--steps",
        "5" if small else "200",
        "-o",
        "checkpoint",
    ]
    measured = [f"{MODEL}:sst2", f"{MODEL}+bf16:sst2", "--batch", "8", "--length", "64", "--no-memory"]
    budget = ["--budget", "10s", "--allow-short"] if small else ["--budget", "60s", "--allow-short"]
    together = {
        "doctor": ([["doctor"]], 60),
        "run and compress": ([[*run, "--model", MODEL, *methods]], 240),
        "pretrain, then train an adapter": (
            [pretrained, [*run, "--model", "./checkpoint", "--peft", "lora", "--precision", "auto"]],
            180,
        ),
        "generate": ([["run", "--task", "dialogsum", "--model", "t5-tiny", *few]], 180),
        "adversarial training": ([[*run, "--model", MODEL, "--adversarial", "freelb"]], 120),
    }
    return [together, {"measure": ([["measure", *measured, *budget, "--results", "../run-and-compress/results"]], 120)}]


def commands(setting: Setting, left: float, log: Path) -> list[dict[str, Any]]:
    """The command line where its cells find the device: exit codes and what was said."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for chains in command_lines(setting.small):
            running = []
            for name, (chain, seconds) in chains.items():
                folder = Path(scratch) / name.replace(",", "").replace(" ", "-")
                folder.mkdir()
                line = " && ".join(shlex.join([sys.executable, "-m", "harness", *words]) for words in chain)
                running.append((name, chain, _started(["bash", "-c", line], folder, min(left, seconds))))
            for name, chain, process in running:
                lines = [" ".join(words) for words in chain]
                rows.append({"work": name, "commands": lines, **_ended(process, name, log)})
    return rows


def tests(
    setting: Setting, left: float, log: Path, places: list[str], marked: str, processes: int
) -> list[dict[str, Any]]:
    """Tests, several at a time; the summary of the JSON file is of those that did not pass."""
    number = "1" if setting.small else str(processes)
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short", "-rfE", "-n", number, "--durations", "8"]
    chosen = ["-k", "cpu", *places[:1]] if setting.small else ["-m", marked, *places]
    work = " ".join(["pytest", *places])
    return [{"work": work, **_ended(_started([sys.executable, *words, *chosen], ROOT, left), work, log)}]


def _started(words: list[str], folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "COLUMNS": "160"}
    environment |= {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", "HARNESS_TRACEBACK": "1"}
    output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
    process = subprocess.Popen(
        ["timeout", str(max(5, int(seconds))), *words], cwd=folder, env=environment, stdout=output, stderr=output
    )
    process.stdout = output  # type: ignore[assignment]
    return process


def _ended(process: subprocess.Popen[bytes], name: str, log: Path) -> dict[str, Any]:
    code = process.wait()
    assert process.stdout is not None
    process.stdout.seek(0)
    text = process.stdout.read().decode(errors="replace")
    process.stdout.close()
    with log.open("a", encoding="utf-8") as whole:
        whole.write(f"##### {name}: exit code {code}\n{text}\n")
    return {"exit_code": code, "end": text[-TAIL:]}


def measure(setting: Setting, parts: list[str], out: Path, limit: float) -> dict[str, Any]:
    """Run parts, and write what is known after each. Those that would begin after `limit` seconds are left out."""
    started = time.perf_counter()
    log = out.with_suffix(".log")
    log.unlink(missing_ok=True)
    name = torch.cuda.get_device_name() if setting.device.type == "cuda" else str(cpu().get("model"))
    result: dict[str, Any] = {
        "device": name, "peak_flops": setting.peak, "versions": versions(), "small": setting.small, "parts": {},
    }  # fmt: skip
    gemm: dict[str, float] = {}

    def left() -> float:
        return limit - (time.perf_counter() - started)

    def compiled() -> list[dict[str, Any]]:
        made = gpu_parts.pretraining(setting, gemm, compile=True)
        return made if left() < 40 else made + gpu_parts.fine_tuning(setting, gemm, ["as MNLI's"], compile=True)

    calls: dict[str, Callable[[], Any]] = {
        "products": lambda: gpu_parts.products(setting),
        "pretraining": lambda: gpu_parts.pretraining(setting, gemm),
        "fine-tuning": lambda: gpu_parts.fine_tuning(setting, gemm),
        "scoring": lambda: gpu_scoring.scoring(setting, gemm),
        "compiled": compiled,
        "commands": lambda: commands(setting, left(), log),
        "tests": lambda: tests(setting, left(), log, ON_GPU, "", 6),
        "unit": lambda: tests(setting, left(), log, UNIT, "not slow", 10),
    }
    for part in ("products", *parts):
        began = time.perf_counter()
        try:
            if left() < 0:
                raise TimeoutError(f"not begun: {limit:g} s were over")
            made: dict[str, Any] = {"found": calls[part]()}
        except Exception:  # whatever a part does, the others are wanted
            made = {"failed": traceback.format_exc()[-2 * TAIL :]}
        made["seconds"] = round(time.perf_counter() - began, 1)
        if part == "products" and "found" in made:
            gemm.update(made["found"]["flops_per_second"])
        result["parts"][part] = made
        out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{part}: {made['seconds']} s", made.get("failed", "").strip()[-600:], flush=True)
        for line in made["found"] if isinstance(made.get("found"), list) else [made.get("found", {})]:
            print("  ", {key: value for key, value in line.items() if key not in ("end", "beginning")}, flush=True)
    return result


def section(result: dict[str, Any]) -> str:
    """What was measured as Markdown."""
    peak = f", {result['peak_flops'] / 1e12:.0f} TFLOP/s in bf16 by its datasheet" if result["peak_flops"] else ""
    libraries = ", ".join(f"{name} {result['versions'].get(name)}" for name in ("torch", "transformers"))
    lines = [f"{result['device']}{peak}, {libraries}.", ""]
    products = result["parts"].get("products", {}).get("found")
    if products:
        rates = ", ".join(f"{rate / 1e12:.3g} in {kind}" for kind, rate in products["flops_per_second"].items())
        lines += [f"A product of {products['size']}³: {rates} (TFLOP/s).", ""]
    rows = [row for part in result["parts"].values() for row in _rows(part) if "tflops" in row]
    if rows:
        lines += [
            "| work | by | precision | a second | MFU | of the product's rate | peak memory |",
            "|---|---|---|---:|---:|---:|---:|",
        ]
        lines += [_line(row) for row in rows] + [""]
    apart: dict[str, float] = {}
    for row in rows:
        if "nats_apart_at_most" in row:
            apart[row["precision"]] = max(row["nats_apart_at_most"], apart.get(row["precision"], 0.0))
    lines += [
        f"- Log-likelihoods of both ways to score differ by {nats:.1g} nats at most in {kind}"
        for kind, nats in apart.items()
    ]
    for row in (row for part in result["parts"].values() for row in _rows(part) if "exit_code" in row):
        last = next((text for text in reversed(row["end"].splitlines()) if text.strip()), "").strip("= ")
        lines.append(f"- {row['work']}: exit code {row['exit_code']}" + (f" ({last})" if "passed" in last else ""))
    failed = [name for name, part in result["parts"].items() if "failed" in part]
    lines += [f"- Not measured, for it failed: {', '.join(failed)}"] if failed else []
    return "\n".join(lines).strip()


def _rows(part: dict[str, Any]) -> list[dict[str, Any]]:
    found = part.get("found")
    return found if isinstance(found, list) else []


def _line(row: dict[str, Any]) -> str:
    speed = row.get("tokens_per_second")
    rate = f"{speed:,.0f} tokens" if speed else f"{row['requests_per_second']:,.0f} requests"
    memory = f"{row['peak_memory'] / 2**30:.1f} GiB" if row.get("peak_memory") else ""
    fractions = [f"{100 * row[name]:.1f} %" if name in row else "" for name in ("of_peak", "of_gemm")]
    return f"| {row['work']} | {row['by']} | {row['precision']} | {rate} | {' | '.join(fractions)} | {memory} |"


def write_page(result: dict[str, Any]) -> None:
    """The section between the marks of docs/results/speed.md, and docs/results/gpu.json beside it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{section(result)}\n\n{END}{after}", encoding="utf-8")
    PAGE.with_name("gpu.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas between")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes for a trial")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=400, help="seconds after which no part begins")
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page from the JSON file")
    options = parser.parse_args()
    if options.page:
        write_page(json.loads(options.out.read_text(encoding="utf-8")))
        return 0
    parts = options.parts.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA GPU here, or this torch cannot use it; --device cpu --small tries the script", file=sys.stderr)
        return 2
    measure(Setting(torch.device(options.device), options.small, options.rounds), parts, options.out, options.limit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
