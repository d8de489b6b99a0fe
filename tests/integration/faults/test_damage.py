"""A flipped bit in every kind of stored file, and every reader: found and named, or of no effect."""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.command_line import call_harness
from tests.integration.faults.conftest import CORPUS, ROUNDS, TINY

RUN = (
    "run", "--task", "cola", "--model", "tiny", "--model", "tfidf", "--limit", "40", "--include", "tiny.yaml", "--compress",
    "int8-weight",
)  # fmt: skip
FILES = (
    "results/cells/*/*/record.json", "results/cells/*/*/predictions.parquet", "results/cells/*/*/losses.parquet",
    "results/cells/*/*/model/model.safetensors", "results/cells/*/*/model/config.json",
    "results/cells/*/*/model/tokenizer.json", "results/cells/*/*/model/harness.json", "results/runs/*.json",
    "results/runs/order", "results/cache/*.json", "results/cache/tokens-*/*.bin", "results/cache/tokenizer-*/tokenizer.json",
    "results/index.parquet", "small/compression.json", "small/config.json", "small/harness.json", "small/*.safetensors",
    "small/checksums.json", "baselines/accepted/base.json",
)  # fmt: skip
READERS: dict[str, tuple[str, ...]] = {
    "show": ("show",),
    "leaderboard": ("leaderboard",),
    "page": ("leaderboard", "--html", "page.html"),
    "score": ("score",),
    "compare": ("compare", "latest", "latest"),
    "export": ("export", "lm-eval", "--model", "tfidf", "-o", "exported"),
    "gate": ("gate", "--baseline", "base"),
    "run": RUN,
    "predict": ("predict", "small", "--text", "a cat"),
    "compress": ("compress", "small", "--method", "int8-weight", "-o", "smaller"),
    "evaluate": ("evaluate", "small", "--task", "cola", "--limit", "40", "--json"),
}
OF_MODELS = ("predict", "compress", "evaluate")
"""Readers of a delivered model alone."""
SEEN_BY = re.compile(r"damaged|is missing|cannot be read|not JSON|DIFFERS")


@pytest.fixture(scope="module")
def made(machine_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(TINY.replace("steps: 600", "steps: 4"))
    (folder / "corpus.txt").write_text(CORPUS)
    call_harness(folder, machine_cache, *RUN)
    (model,) = (
        (path.parent for path in folder.glob("results/cells/*/*/model/pytorch_model.bin"))
        if False
        else [
            next(
                path.parent
                for path in folder.glob("results/cells/*/*/model/harness.json")
                if "storage" not in path.read_text()
            )
        ]
    )
    time.sleep(2.1)  # records as new as that are not indexed yet
    call_harness(folder, machine_cache, "leaderboard")
    call_harness(folder, machine_cache, "baseline", "accept", "--name", "base")
    call_harness(folder, machine_cache, "compress", model, "--method", "int8-weight", "-o", "small")
    return folder


def answers(folder: Path, cache: Path, reader: str) -> str:
    """What a reader says, without what differs between any two calls."""
    shutil.rmtree(folder / "smaller", ignore_errors=True)
    shutil.rmtree(folder / "exported", ignore_errors=True)
    (folder / "page.html").unlink(missing_ok=True)
    done = call_harness(folder, cache, *READERS[reader], code=None)
    assert done.returncode in (0, 1, 2, 4), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    page = folder / "page.html"
    return done.stdout + done.stderr + (page.read_text() if reader == "page" and page.exists() else "")


def steady(text: str) -> str:
    """Numbers of seconds, names of runs and times replaced."""
    return re.sub(
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|\d{8}-\d{6}-[\w-]+|\d+(\.\d+)? s\b|\(eta [\d:]+\)|\d{4}-\d\d-\d\dT[\d:]+Z?|\"seconds\": [\d.]+",
        "…",
        text,
    )


def test_every_reader_meets_a_flipped_bit_in_every_kind_of_file(made, machine_cache, tmp_path, figure):
    chance = random.Random(3)
    flips = found = harmless = 0
    clean = {reader: answers(_copy(made, tmp_path / "damaged"), machine_cache, reader) for reader in READERS}
    for pattern in FILES:
        for reader in readers_of(pattern):
            for _ in range(ROUNDS):
                folder = _copy(made, tmp_path / "damaged")
                path = chance.choice(sorted(path for path in folder.glob(pattern) if path.stat().st_size))
                before = path.read_bytes()
                content = bytearray(before)
                place = chance.randrange(len(content))
                content[place] ^= 1 << chance.randrange(8)
                path.write_bytes(content)
                said = answers(folder, machine_cache, reader)
                flips += 1
                if SEEN_BY.search(said):
                    found += 1
                    assert path.name in said or "model" in said or "tok" in said, said
                else:
                    harmless += 1
                    where = f"{path.relative_to(folder)} byte {place} is believed by {reader}"
                    same = _scores if reader in ("run", "evaluate") else steady
                    assert same(said) == same(clean[reader]), where
    figure("flipped bits", flips=flips, named=found, without_effect=harmless, believed=0)


def readers_of(pattern: str) -> list[str]:
    if pattern.startswith("small/"):
        return list(OF_MODELS)
    return ["gate"] if pattern.startswith("baselines/") else [name for name in READERS if name not in OF_MODELS]


def _scores(text: str) -> list[str]:
    return re.findall(r"-?\d+\.\d{2,}", steady(text))


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(source, target)
