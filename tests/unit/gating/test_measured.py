"""Speed, memory and size beside quality: what counts as a regression, what does not count, and of which models."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.hashing import fingerprint_of
from harness.core.measurement_records import MeasurementFacts
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.gating import remeasure
from harness.gating.engine import judge
from harness.gating.measured import Measurement, read
from harness.gating.settings import GateSpec
from harness.report.text import gate_formats as gate_formats
from tests.benchmarks.simulated import Noise
from tests.unit.gating.measurements import measurement
from tests.unit.gating.synthetic import answers, classes, evidence

WILD = Noise(drift=0.3, autocorrelation=0.5, launch=0.1, spiked_visits=0.3)


def sides(wrong: int = 0, files: tuple[str, str] = ("base files", "candidate files")):
    """A base, and a candidate that has so many of 400 more wrong."""
    references = classes(400)
    found = []
    for name, misses in (("base", 0), ("candidate", wrong)):
        predictions = answers(references, np.arange(400) >= misses)
        one = evidence({"cola": (["accuracy"], references, [predictions])}, name=name)
        scored = {key: replace(value, files=files[len(found)]) for key, value in one.scored.items()}
        found.append(replace(one, scored=scored))
    return found[0], found[1]


def outcome(*measurements: Measurement, wrong: int = 0, **settings):
    return judge(*sides(wrong), GateSpec(**settings), measurements)[0]


def verdicts(report) -> dict[str, str]:
    return {row.kind: row.verdict for row in report.measured}


def test_the_same_speed_memory_and_size_are_ok():
    report = outcome(measurement())
    assert verdicts(report) == {"speed": "OK", "memory": "OK", "size": "OK"}
    assert {row.model for row in report.measured} == {"encoder on cola"}
    assert (report.exit_code, report.outcome) == (0, "passed")


def test_a_slowdown_of_10_percent_is_a_regression_when_a_second_measurement_finds_it_too():
    once = outcome(measurement(1.1))
    assert verdicts(once)["speed"] == "INCONCLUSIVE" and once.exit_code == 0
    assert "measure again" in once.measured[0].reason
    assert outcome(measurement(1.1), strict=True).exit_code == 3
    twice = outcome(measurement(1.1), measurement(1.1, seed=1))
    assert verdicts(twice)["speed"] == "REGRESSED" and twice.exit_code == 1
    assert twice.measured[0].ratio == pytest.approx(1.1, rel=0.02)


def test_a_slowdown_that_a_fresh_measurement_does_not_find_is_none():
    report = outcome(measurement(1.1), measurement(1.0, seed=1))
    assert verdicts(report)["speed"] == "OK"
    assert "in 1 of 2 measurements only" in report.measured[0].reason


def test_a_slowdown_within_the_margin_is_none():
    both = measurement(1.03), measurement(1.03, seed=1)
    assert verdicts(outcome(*both))["speed"] == "OK"
    assert verdicts(outcome(*both, speed_margin=0.02))["speed"] == "REGRESSED"


def test_on_a_gpu_3_percent_count():
    both = [measurement(1.04, seed=seed, device="cuda:0") for seed in (0, 1)]
    assert verdicts(outcome(*both))["speed"] == "REGRESSED"
    assert outcome(*both).measured[0].margin == 0.03


def test_a_faster_candidate_is_said_to_be():
    row = outcome(measurement(0.8)).measured[0]
    assert row.verdict == "OK" and row.improved


def test_an_original_that_differs_from_itself_is_exit_5():
    report = outcome(measurement(again=1.04))
    assert verdicts(report)["speed"] == "INVALID"
    assert (report.exit_code, report.outcome) == (5, "measurement invalid")
    assert "against itself" in report.measured[0].reason


def test_the_margin_of_the_gate_decides_what_the_original_may_be_off():
    """Measured with a margin of 20 %, judged by one of 5 %: 4 % off is too much."""
    report = outcome(measurement(again=1.04, margin=0.2))
    assert verdicts(report)["speed"] == "INVALID"
    assert "more than half the margin" in report.measured[0].reason


def test_an_interval_too_wide_to_tell_is_exit_5_and_one_that_tells_is_not():
    report = outcome(measurement(1.0, noise=WILD, margin=0.9), speed_margin=0.5)
    assert report.measured[0].verdict == "OK"
    wide = outcome(measurement(1.4, noise=WILD, margin=0.9), speed_margin=0.55)
    row = wide.measured[0]
    assert row.low < 1.55 <= row.high and "too imprecise to tell" in row.reason
    assert wide.exit_code == 5


def test_a_slowdown_whose_second_measurement_does_not_count_is_exit_5():
    report = outcome(measurement(1.1), measurement(1.1, seed=1, again=1.04))
    assert verdicts(report)["speed"] == "INVALID"
    assert "the other measurement is not valid" in report.measured[0].reason


def test_a_valid_second_measurement_stands_for_an_invalid_first():
    assert outcome(measurement(again=1.04), measurement(seed=1)).exit_code == 0


def test_memory_must_be_found_twice_and_bytes_once():
    more = {"memory": (40_000_000, 44_000_000), "size": (10_000_000, 10_200_000)}
    assert verdicts(outcome(measurement(**more))) == {"speed": "OK", "memory": "INCONCLUSIVE", "size": "REGRESSED"}
    assert verdicts(outcome(measurement(**more), measurement(**more, seed=1)))["memory"] == "REGRESSED"
    assert verdicts(outcome(measurement(**more), size_margin=0.05, memory_margin=0.2)) == dict.fromkeys(
        ("speed", "memory", "size"), "OK"
    )


@pytest.mark.parametrize(
    ("fingerprints", "reason"),
    [
        (("other", "candidate files"), "the original big is not what is judged"),
        (("base files", "other"), "small is not what is judged"),
    ],
)
def test_another_model_than_the_one_that_is_judged_is_exit_4(fingerprints, reason):
    report = outcome(measurement(fingerprints=fingerprints))
    assert report.exit_code == 4
    assert reason in report.reasons[0]


def test_a_baseline_that_does_not_know_its_files_is_exit_4():
    base, candidate = sides(files=(None, "candidate files"))
    report = judge(base, candidate, GateSpec(), [measurement()])[0]
    assert report.exit_code == 4 and "accept it again" in report.reasons[0]


def test_the_same_measurement_twice_is_refused():
    with pytest.raises(HarnessError, match="the same measurement twice"):
        outcome(measurement(1.1), measurement(1.1))


def test_exit_codes_come_in_their_order():
    """4 before 1 before 5 before 3 before 0."""
    invalid, slower = measurement(again=1.04), measurement(1.1)
    strange = measurement(fingerprints=("other", "other"), seed=3)
    assert outcome(invalid, strange, wrong=60).exit_code == 4
    assert outcome(invalid, wrong=60).exit_code == 1
    assert outcome(invalid, wrong=2, strict=True).exit_code == 5
    assert outcome(slower, strict=True).exit_code == 3
    assert outcome(slower).exit_code == 0


def test_every_outlet_shows_what_was_measured():
    report = outcome(measurement(1.1, size=(10_000_000, 12_000_000)), measurement(1.1, seed=1, size=(10, 12)))
    report = replace(report, measured=(*report.measured, replace(report.measured[0], verdict="INVALID", where="<b>")))
    content = json.loads(gate_formats.to_json(report))
    assert content["schema_version"] == 2
    assert [row["verdict"] for row in content["measured"]] == ["REGRESSED", "OK", "REGRESSED", "INVALID"]
    for text in (gate_formats.table(report), gate_formats.to_comment(report), gate_formats.to_summary(report)):
        assert "### measured" in text and "slower by 9.9 %" in text and "speed, 8 × 128" in text
        assert "<b>" not in text.replace("\\<b\\>", "")
    (suite,) = ElementTree.fromstring(gate_formats.to_junit(report))
    assert {name: int(suite.get(name)) for name in ("tests", "failures", "errors")} == {
        "tests": 5, "failures": 2, "errors": 1,
    }  # fmt: skip
    lines = gate_formats.to_annotations(report)
    assert [line.split("title=")[1].split("::")[0] for line in lines] == [
        "speed regressed", "size regressed", "speed invalid",
    ]  # fmt: skip


def test_a_file_that_is_no_measurement_is_named(tmp_path):
    for content, said in (("{", "not a whole JSON"), ("{}", "no measurement"), ('{"models": 3}', "no measurement")):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(HarnessError, match=said):
            read(tmp_path / "x.json")
    with pytest.raises(HarnessError, match="No such file"):
        read(tmp_path / "nowhere.json")
    whole = measurement()
    (tmp_path / "x.json").write_text(json.dumps(whole.content.as_json()))
    assert read(tmp_path / "x.json").content == whole.content


def remeasured(monkeypatch, tmp_path, one: Measurement):
    """What is asked of the second measurement of `one`, whose models are in folders of their own."""
    asked = []
    content = one.content.as_json()
    second = {**content, "created": "later"}
    monkeypatch.setattr(remeasure, "measure", lambda request, store, report: asked.append(request) or second)
    for name, facts in content["models"].items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(name)
        facts |= {"folder": str(folder), "fingerprint": fingerprint_of(folder)}
    one = Measurement(one.name, facts_from(MeasurementFacts, content, "a measurement"))
    found = remeasure.measure_again(one, GateSpec(), load_registry(), Store(tmp_path), lambda line: None)
    return found, asked


def test_suspects_alone_are_measured_again_with_another_seed_as_precisely(monkeypatch, tmp_path):
    cells = {"1 × 8": {"batch": 1, "length": 8}, "task sst2": {"task": "sst2", "data": "synthetic"}}
    first = measurement(1.1, seed=4, cells=cells)
    protocol = first.content.protocol.model_copy(update={"half_width": 0.05})
    first = Measurement(first.name, first.content.model_copy(update={"protocol": protocol}))
    found, (request,) = remeasured(monkeypatch, tmp_path, first)
    assert request.precision == 0.05
    assert found.content.created == "later" and found.name.endswith(", again")
    assert [cell.name for cell in request.cells] == ["1 × 8", "task sst2"]
    assert request.cells[0].batch == 1 and request.cells[1].task["name"] == "sst2"
    assert (request.seed, request.base.name, [one.name for one in request.candidates]) == (5, "big", ["small"])


def test_what_is_within_the_margin_is_not_measured_again(monkeypatch, tmp_path):
    assert remeasured(monkeypatch, tmp_path, measurement()) == (None, [])


def test_a_model_that_changed_since_is_not_measured_again(tmp_path):
    one = measurement(1.1)
    content = one.content.as_json()
    for name, facts in content["models"].items():
        (tmp_path / name).mkdir()
        facts["folder"] = str(tmp_path / name)
    one = Measurement(one.name, facts_from(MeasurementFacts, content, "a measurement"))
    with pytest.raises(HarnessError, match="is no longer the big that was measured"):
        remeasure.measure_again(one, GateSpec(), load_registry(), Store(tmp_path), lambda line: None)


@pytest.mark.slow
def test_slowdowns_are_found_and_the_same_speed_raises_no_alarm():
    """Machines with drift and spikes, two measurements of one cell each, 40 gates: 10 % slower, and no slower."""
    found = dict.fromkeys((1.0, 1.1), 0)
    for factor in found:
        for seed in range(40):
            both = [measurement(factor, noise=Noise(), seed=2 * seed + at) for at in (0, 1)]
            found[factor] += verdicts(outcome(*both))["speed"] == "REGRESSED"
    assert found[1.0] == 0
    assert found[1.1] >= 38


def test_a_measurement_on_a_gpu_is_no_second_one_of_that_on_the_cpu():
    apart = outcome(measurement(1.2), measurement(1.2, device="cuda:0", seed=1))
    assert sorted(row.where for row in apart.measured if row.kind == "speed") == ["8 × 128", "8 × 128 on cuda:0"]
