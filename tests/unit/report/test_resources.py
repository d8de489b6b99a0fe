"""Columns of speed, memory and size, and Pareto fronts, from measurements written by hand."""

from __future__ import annotations

import csv
import io
import json

import pytest

from harness.core.errors import HarnessError
from harness.report.page.resources import Resources, facts_of
from harness.report.tables import csv_lines, formats, json_tables, latex, leaderboard, measured, pareto
from harness.report.tables.resources import kinds_of, with_resources
from tests.unit.report.measures import MACHINE, measure, verdict
from tests.unit.report.records import all_typed, record, suite

SIZES = {"base": 6_000_000, "int8": 1_600_000, "half": 5_200_000}


def scored(task: str = "a", **values: float) -> list[dict]:
    """A score record a model, made by a cell of its name on that task; `base` is the original."""
    suffix = "" if task == "a" else f" {task}"
    lineage = {
        name: {"finetune": f"base{suffix}", **({} if name == "base" else {"compress": f"{name}{suffix}"})}
        for name in values
    }
    return [record(task, name, value, lineage=lineage[name]) for name, value in values.items()]


def table_of(records, measures, kinds, tasks=("a",)):
    (table,) = leaderboard.build(all_typed(records), [suite(*tasks)])
    return with_resources(
        table, all_typed(records), measured.read(all_typed(measures)), lambda cell: SIZES.get(cell), kinds
    )


def shown(table) -> dict[str, dict[str, float]]:
    labels = {row.model: row.label for row in table.rows}
    return {
        one.name: {labels[model]: quantity.value for model, quantity in one.values.items()} for one in table.resources
    }


SCORES = {"base": 0.80, "int8": 0.79, "half": 0.75}


def test_speed_memory_and_size_stand_beside_the_scores():
    peaks = {"base": 40_000_000, "int8": 20_000_000, "half": 30_000_000}
    table = table_of(
        scored(**SCORES), [measure("base", {"int8": 2.5, "half": 1.5}, peaks=peaks)], ["speed", "memory", "size"]
    )
    found = shown(table)
    assert found["examples_per_second"] == pytest.approx({"base": 1000, "int8": 2500, "half": 1500})
    assert found["speed_ratio"] == pytest.approx({"base": 1, "int8": 2.5, "half": 1.5})
    assert found["peak_memory_bytes"] == peaks and found["weight_bytes"] == SIZES
    text = formats.to_markdown(table)
    header = next(line for line in text.splitlines() if line.startswith("| model"))
    assert [cell.strip() for cell in header.split("|")[-5:-1]] == ["examples/s", "× original", "peak MB", "MB"]
    assert "2.50 [2.48, 2.52]" in text and "Speed at 8 × 64: 1 thread, Some CPU" in text
    assert "2.50" in latex.to_latex(table)
    rows = list(csv.DictReader(io.StringIO(csv_lines.to_csv([table]))))
    assert {row["model"]: float(row["value"]) for row in rows if row["metric"] == "weight_bytes"} == SIZES
    (said,) = json.loads(json_tables.to_json([table]))["tables"]
    assert [one["name"] for one in said["resources"]] == list(found)


@pytest.mark.parametrize(
    ("items", "workload", "each", "header"),
    [("image", "8 images", 1.0, "images/s"), ("audio", "8 sounds", 2.0, "seconds of audio/s")],
)
def test_models_of_items_have_the_rate_of_what_their_modality_counts(items, workload, each, header):
    timed = measure("base", {"int8": 2.0}, rate=100.0, workload=workload, items=items, each=each)
    (found,) = measured.read(all_typed([timed]))[1:]
    assert (found.unit, found.read_per_second) == (header.removesuffix("/s"), 200.0 * each)
    table = table_of(scored(base=0.8, int8=0.79), [timed], ["speed"])
    assert shown(table)["examples_per_second"] == pytest.approx({"base": 100 * each, "int8": 200 * each})
    text = formats.to_markdown(table)
    assert header in text and "tokens" not in text and "examples/s" not in text and f"at {workload}" in text
    (front,) = [front for front in pareto.build(table).fronts if front.kind == "speed"]
    assert front.header == header
    (fact,) = [fact for fact in facts_of(Resources(measured=(found,))) if fact.what == "speed"]
    assert header in fact.value and ("examples/s" in fact.value) == (items == "audio")


def test_rates_of_texts_and_of_images_do_not_meet_in_a_column():
    both = [
        measure("base", {"int8": 2.0}, rate=100.0, workload="8 images", items="image"),
        measure("base", {"half": 1.5}, created="2026-11-24T13:00:00Z"),
    ]
    table = table_of(scored(**SCORES), both, ["speed"])
    assert shown(table)["examples_per_second"] == pytest.approx({"base": 1000, "half": 1500})
    assert "No speed of int8: measured at other settings only." in formats.to_markdown(table)


def test_what_was_measured_on_a_gpu_is_the_gpus_and_does_not_meet_the_cpus():
    peaks, own = {"base": 4_000_000, "int8": 5_000_000}, {"base": 90_000_000, "int8": 30_000_000}
    gpus = [{"name": "Some GPU", "driver": "1"}]
    on_gpu = measure("base", {"int8": 3.0}, peaks=peaks, gpu=own, device="cuda:0", gpus=gpus)
    table = table_of(scored(base=0.8, int8=0.79), [on_gpu], ["speed", "memory"])
    assert shown(table)["peak_memory_bytes"] == own
    notes = formats.notes(table)
    assert any(one.startswith("Speed at 8 × 64, cuda: 1 thread, Some GPU") for one in notes)
    assert any(one.startswith("Peak of what torch has taken of the GPU's memory, at 8 × 64, cuda:") for one in notes)
    on_cpu = measure("base", {"half": 2.0}, gpus=gpus, created="2026-11-24T11:00:00Z")
    table = table_of(scored(**SCORES), [on_gpu, on_cpu], ["speed"])
    assert set(shown(table)["speed_ratio"]) == {"base", "int8"}
    assert "No speed of half: measured at other settings only." in formats.notes(table)


def test_a_table_that_is_asked_for_nothing_is_as_before():
    (table,) = leaderboard.build(all_typed(scored(**SCORES)), [suite("a")])
    assert "examples/s" not in formats.to_markdown(table)


def test_a_ratio_that_does_not_count_is_blank_with_the_reason():
    said = {"half": verdict("IMPRECISE", "its interval is ±4.0 % wide")}
    table = table_of(scored(**SCORES), [measure("base", {"int8": 2.5, "half": 1.5}, said=said)], ["speed"])
    assert set(shown(table)["speed_ratio"]) == {"base", "int8"}
    assert "No speed of half: IMPRECISE: its interval is ±4.0 % wide." in formats.notes(table)


def test_a_newer_measurement_that_does_not_count_leaves_the_one_that_does():
    older = measure("base", {"int8": 2.5}, created="2026-11-24T11:00:00Z")
    newer = measure("base", {"int8": 9.0}, said={"int8": verdict("INVALID", "unquiet")}, created="2026-11-24T12:00:00Z")
    table = table_of(scored(base=0.8, int8=0.79), [older, newer], ["speed"])
    assert shown(table)["speed_ratio"]["int8"] == 2.5


@pytest.mark.parametrize(
    "other",
    [
        {"cpu": {"model": "Another CPU", "isa": []}},
        {"threads": 2},
        {"versions": MACHINE["versions"] | {"torch": "2.6.0"}},
        {"workload": "1 × 128"},
    ],
)
def test_times_of_another_machine_thread_count_version_or_workload_do_not_meet(other):
    measures = [measure("base", {"int8": 2.5}), measure("base", {"half": 1.5}, **other)]
    measures[1]["models"] = {name: one for name, one in measures[1]["models"].items() if one["cell"] != "base"} | {
        "gone": {**measures[1]["models"]["model base"], "cell": "another original"}
    }
    for cell in measures[1]["cells"].values():
        models = cell["stages"]["forward"]["models"]
        models["gone"] = models.pop("model base")
    table = table_of(scored(**SCORES), measures, ["speed"])
    assert set(shown(table)["speed_ratio"]) == {"base", "int8"}
    assert "No speed of half: measured at other settings only." in formats.notes(table)


def test_over_several_tasks_the_mean_is_geometric_and_of_those_that_all_have():
    records = scored(base=0.8, int8=0.79) + scored("b", base=0.7, int8=0.6) + scored("c", base=0.5)
    measures = [measure("base", {"int8": 4.0}), measure("base b", {"int8 b": 1.0}), measure("base c", {"other": 3.0})]
    table = table_of(records, measures, ["speed"], ("a", "b", "c"))
    (ratio,) = [one for one in table.resources if one.name == "speed_ratio"]
    own = next(ratio.values[row.model] for row in table.rows if row.label == "int8")
    assert own.value == pytest.approx(2.0)
    assert own.high / own.value == pytest.approx(1.01 ** (2**0.5 / 2), rel=1e-3)
    assert "mean over a, b" in " ".join(formats.notes(table))


def test_memory_is_shown_whatever_the_timing_was_worth():
    said = {"int8": verdict("INVALID", "unquiet")}
    peaks = {"base": 40_000_000, "int8": 20_000_000}
    records = scored(base=0.8, int8=0.79)
    table = table_of(records, [measure("base", {"int8": 2.5}, said=said, peaks=peaks)], ["speed", "memory"])
    assert shown(table)["peak_memory_bytes"] == peaks
    unread = [measure("base", {"int8": 2.5}, peaks={"base": None, "int8": None})]
    table = table_of(records, unread, ["memory"])
    assert not shown(table)["peak_memory_bytes"]


def test_what_was_never_measured_is_blank_and_not_zero():
    table = table_of(scored(base=0.8, int8=0.79), [], ["speed", "memory"])
    assert not any(shown(table).values())
    assert "No speed of base, int8: not measured." in formats.notes(table)


def test_unknown_columns_have_a_suggestion():
    assert kinds_of(None) == [] and kinds_of("size, speed") == ["size", "speed"]
    for text in ("sped", ""):
        with pytest.raises(HarnessError, match="--show"):
            kinds_of(text)
    with pytest.raises(HarnessError, match="Did you mean 'speed'"):
        kinds_of("sped")


def fronts(scores=SCORES, **factors):
    table = table_of(scored(**scores), [measure("base", factors)], ["speed", "size"])
    return pareto.build(table), table


def test_the_front_holds_what_nothing_beats_in_both():
    found, table = fronts(int8=2.5, half=1.5)
    speed, size = found.fronts
    assert (speed.kind, size.kind) == ("speed", "size")
    by_model = {point.model: point for point in speed.points}
    assert by_model["base"].on_front and by_model["int8"].on_front
    assert by_model["half"].dominated_by == "int8"
    assert [point.model for point in speed.points] == ["base", "half", "int8"]
    assert by_model["int8"].resource.low == pytest.approx(2475)
    text = pareto.to_markdown(found, table)
    assert next(line for line in text.splitlines() if line.startswith("| half")).rstrip("| ").endswith("–")
    said = json.loads(pareto.to_json(found))
    assert {point["model"]: point["on_front"] for point in said["fronts"][1]["points"]} == {
        "base": True, "int8": True, "half": False
    }  # fmt: skip


def test_models_that_are_alike_in_both_are_both_on_the_front():
    found, _ = fronts({"base": 0.8, "int8": 0.8}, int8=1.0)
    assert all(point.on_front for point in found.fronts[0].points)


def test_the_picture_is_written_whole_or_not_at_all(tmp_path):
    pytest.importorskip("matplotlib")
    found, table = fronts(int8=2.5, half=1.5)
    units = {one.name: one.unit for one in table.resources}
    pareto.plot(found, tmp_path / "front.svg", units)
    text = (tmp_path / "front.svg").read_text()
    assert text.startswith("<?xml") and "</svg>" in text
    for bad, why in (("front.txt", "ending"), ("nowhere/front.svg", "no folder")):
        with pytest.raises(HarnessError, match=f"--pareto .*{why}"):
            pareto.plot(found, tmp_path / bad, units)
    assert [path.name for path in tmp_path.iterdir()] == ["front.svg"]
