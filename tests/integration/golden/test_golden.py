"""A small run of all that scores, judges and compresses gives what it always gave.

`reference.json` was made by the same commands, slimmed by `slim`. What no hardware enters, tfidf and majority, is the
same to nine digits everywhere. A transformer is where precision, instruction set and libraries are those of the
reference; elsewhere its scores lie within ten points.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.core.cell_records import FitRecord
from harness.core.store import Store
from tests.command_line import call_harness
from tests.conftest import read_json
from tests.integration.golden import slim

pytestmark = pytest.mark.slow

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
RUN = (
    *("run", "--task", "sst2", "--task", "stsb", "--task", "rte", "--limit", "100", "--seeds", "2", "--epochs", "1"),
    *("--model", "bert-tiny", "--model", "tfidf", "--model", "majority"),
    *("--compress", "int8", "--compress", "prune-structured:0.5", "--json"),
)
OTHER = ("run", "--task", "sst2", "--limit", "100", "--model", "bert-tiny", "--seeds", "1", "--epochs", "2", "--json")
TRAINED = "bert-tiny"
POINTS = 0.1
"""Between transformers of two precisions or instruction sets."""
LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime")


@pytest.fixture(scope="module")
def made(machine_cache, tmp_path_factory) -> dict[str, Any]:
    """What the commands say now, slimmed, and the machine that said it."""
    folder = tmp_path_factory.mktemp("golden")
    call = partial(call_harness, folder, machine_cache)
    first = read_json(call(*RUN).stdout)
    board = read_json(call("leaderboard", "--format", "json").stdout)
    second = read_json(call(*OTHER).stdout)
    compared = read_json(call("compare", first["run"], second["run"], "--format", "json").stdout)
    call("baseline", "accept", first["run"], "--name", "golden")
    judged = read_json(call("gate", "--baseline", "golden", "--candidate", first["run"], "--json").stdout)
    (fit,) = [one["cell"] for one in second["cells"] if one["kind"] == "finetune"]
    store = Store(folder / "results")
    compressed = read_json(call("compress", store.model(fit), "--method", "int8", "-o", "small", "--json").stdout)
    return {
        "machine": machine(first["environment"], str(store.read(fit, FitRecord).fit.precision)),
        "run": slim.run(first),
        "leaderboard": slim.leaderboard(board),
        "other run": slim.run(second),
        "compare": slim.judgement(compared),
        "gate": slim.judgement(judged),
        "compress": slim.compression(compressed),
    }


def machine(environment: dict[str, Any], precision: str) -> dict[str, Any]:
    """What the arithmetic of a transformer depends on."""
    versions = {name: environment["versions"][name] for name in LIBRARIES}
    return {"precision": precision, "isa": environment["cpu"]["isa"], "versions": versions}


def differences(expected: Any, found: Any, tolerance: float, path: str = "") -> list[str]:
    """Where two documents differ: numbers by more than the tolerance, all else at all."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return [f"{path}: {sorted(expected.keys() ^ found.keys())} in one alone"]
        return [line for key in expected for line in differences(expected[key], found[key], tolerance, f"{path}/{key}")]
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            return [f"{path}: {len(expected)} and {len(found)}"]
        pairs = zip(expected, found, strict=True)
        return [line for at, pair in enumerate(pairs) for line in differences(*pair, tolerance, f"{path}/{at}")]
    if isinstance(expected, float) or isinstance(found, float):
        return [] if abs(expected - found) <= tolerance else [f"{path}: {expected} became {found}"]
    return [] if expected == found else [f"{path}: {expected!r} became {found!r}"]


def split(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of models that need no hardware's arithmetic, and those of transformers."""
    fixed = {key: value for key, value in document.items() if not key.startswith(TRAINED)}
    return fixed, {key: value for key, value in document.items() if key.startswith(TRAINED)}


@pytest.mark.parametrize(
    ("command", "entries"),
    [("run", "scores"), ("leaderboard", "rows"), ("other run", "scores"), ("gate", "rows"), ("compare", "rows")],
)
def test_what_no_hardware_enters_is_the_same_to_nine_digits(command, entries, made):
    expected, found = REFERENCE[command], made[command]
    assert expected[entries].keys() == found[entries].keys()
    assert differences(split(expected[entries])[0], split(found[entries])[0], 1e-9) == []
    rest = [{key: value for key, value in one.items() if key not in (entries, "flips")} for one in (expected, found)]
    assert differences(*rest, 1e-9) == []


@pytest.mark.parametrize("command", ["run", "other run"])
def test_the_data_of_every_score_is_the_same(command, made):
    for key, score in REFERENCE[command]["scores"].items():
        found = made[command]["scores"][key]
        for name in ("n", "runtime", "data", "splits"):
            assert found[name] == score[name], key
        for name, one in score["scores"].items():
            assert differences(one["ceiling"], found["scores"][name]["ceiling"], 1e-9) == [], key
            assert differences(one["chance"], found["scores"][name]["chance"], 1e-9) == [], key


def test_transformers_are_the_same_where_the_arithmetic_is_and_near_it_elsewhere(made):
    if made["machine"] == REFERENCE["machine"]:
        assert differences(REFERENCE, made, 1e-9) == []
        return
    for command in ("run", "other run"):
        for key, score in split(REFERENCE[command]["scores"])[1].items():
            for name, one in score["scores"].items():
                found = made[command]["scores"][key]["scores"][name]
                assert abs(found["value"] - one["value"]) <= POINTS, f"{key}, {name}"
    assert {row["verdict"] for row in made["gate"]["rows"].values()} == {"IDENTICAL"}
    expected, found = REFERENCE["compress"], made["compress"]
    assert expected["steps"] == found["steps"] and expected["runtime"] == found["runtime"]
    assert expected["before"]["parameters"] == found["before"]["parameters"]
    assert found["after"]["bytes"] == pytest.approx(expected["after"]["bytes"], rel=0.01)
