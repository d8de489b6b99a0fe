"""What the table of the page says of a model: scores, what they rest on, size, and speed where it was measured."""

from __future__ import annotations

import pytest

from harness.page.model import Line, Section
from harness.page.resources import Measured, fingerprint_of, measured, merged, size_of
from harness.page.tables import Resources, section
from harness.report.leaderboard import build_with_records
from tests.page.given import compressed, fine_tuned, measurement, page, scored
from tests.report.records import record, score, suite


def made(records: list, resources: dict | None = None, of: object | None = None) -> Section:
    ((table, draft),) = build_with_records(records, [of or suite("a", "b")])
    return section("t0", table, draft, resources or {})


def cells(one: Section, line: int = 0) -> dict:
    return {head.key: cell for head, cell in zip(one.heads, one.lines[line].cells, strict=True)}


def line(one: Section, label: str) -> Line:
    return next(found for found in one.lines if found.label == label)


def test_a_cell_has_score_interval_examples_seeds_chance_and_ceiling():
    (head,) = [
        cell for key, cell in cells(made([scored("a", "m", 0.8, seed=seed) for seed in (0, 1)])).items() if key == "a"
    ]
    assert (head.text, head.interval) == ("80.0", "[78.0, 82.0]")
    assert head.more == "80.0 ±0.0 [78.0, 82.0], chance 50.0, ceiling 95.0, n 100, 2 seeds"


def test_whiskers_of_a_column_share_an_axis_that_holds_chance_and_ceiling():
    one = made([scored("a", "low", 0.6), scored("a", "high", 0.8)])
    high, low = (found.cells[1].whisker for found in one.lines)
    assert high.chance == low.chance == 0.0 and high.ceiling == low.ceiling == 100.0
    assert high.value == pytest.approx(100 * 0.3 / 0.45, abs=0.1) and high.low < high.value < high.high
    assert low.value < high.value


def test_a_score_that_is_missing_says_why_and_sorts_nowhere():
    one = made([scored("a", "both", 0.6), scored("b", "both", 0.6), scored("a", "half", 0.9)])
    cell = line(one, "half").cells
    assert [found.missing for found in cell[:3]] == ["lacks a score that the average is over", "", "no score"]
    assert cell[0].order is None and cell[2].order is None


def test_embedded_data_say_in_the_title_that_they_are_not_glue():
    embedded, folder = (made([scored("a", "m", 0.6, source=source)]) for source in ("embedded", "folder"))
    assert "not GLUE" in embedded.title and embedded.is_embedded
    assert "not GLUE" not in folder.title and not folder.is_embedded


def test_chance_ceiling_examples_and_fingerprints_stand_below_the_models():
    one = made([scored("a", "m", 0.6)])
    assert [found.label for found in one.references] == ["chance", "ceiling", "examples", "data"]
    assert [found.texts[1] for found in one.references[:3]] == ["50.0", "95.0", "100"]
    assert one.references[3].is_code and len(one.references[3].texts[1]) == 12
    assert {len(found.texts) for found in one.references} == {len(one.heads)}


def test_details_name_every_metric_with_its_version_seeds_fingerprint_and_records():
    scores = {"accuracy": score(0.8), "f1": score(0.7, version=2)}
    records = [record("a", "m", scores, seed=seed) for seed in (0, 1)]
    found = made(records).lines[0].details
    assert [(one.metric, one.version, one.n, one.seeds, one.per_seed) for one in found] == [
        ("accuracy", 1, 100, 2, "80.0, 80.0"),
        ("f1", 2, 100, 2, "70.0, 70.0"),
    ]
    assert {one.fingerprint for one in found} == {records[0]["data"]["fingerprint"]}
    assert set(found[0].cells) == {one["cell"] for one in records}


def test_size_is_that_of_weights_and_of_all_files_where_there_are_none():
    fit = fine_tuned("a", "m", size=4_000_000)
    assert size_of([fit]).bytes == 4_000_000 and size_of([fit]).parameters == 1_000_000
    tables_only = {
        **fit,
        "files": {"model/model.json": {"bytes": 300, "sha256": "x"}, "losses.parquet": {"bytes": 9, "sha256": "y"}},
    }
    assert size_of([tables_only]).bytes == 300
    assert size_of([compressed(fit)]).bytes == 1_100_000 and size_of([compressed(fit)]).nonzero == 990_000
    assert size_of([fit, fine_tuned("b", "m", size=2_000_000)]).bytes == 3_000_000
    assert size_of([]).bytes is None


def timed(*jobs: dict, fit: dict, small: dict) -> Section:
    by_print = measured(jobs)
    records = [scored("a", "bert-demo", 0.8, fit), scored("a", "bert-demo+int8", 0.79, small)]
    resources = {
        one["model"]["id"]: Resources(size_of([maker]), merged([by_print.get(fingerprint_of(maker), Measured())]))
        for one, maker in zip(records, (fit, small), strict=True)
    }
    return made(records, resources)


def test_speed_and_memory_come_from_the_measurement_that_names_the_models_bytes():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    one = timed(measurement(fit, small), fit=fit, small=small)
    assert one.measured == {"quality": True, "size": True, "speed": True, "memory": True}
    base, fast = cells(one, 0), cells(one, 1)
    assert (base["throughput"].text, fast["throughput"].text) == ("400", "800")
    assert (base["ratio"].text, fast["ratio"].text, fast["ratio"].interval) == ("1", "2.00", "[1.96, 2.04]")
    assert (base["peak"].text, fast["peak"].text) == ("90.0", "60.0")
    assert any("batch 8 × 32" in note for note in one.notes)


def test_what_was_not_measured_says_so_and_an_invalid_timing_is_no_number():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    never = cells(timed(fit=fit, small=small))
    assert never["throughput"].missing == never["peak"].missing == "not measured"
    one = timed(measurement(fit, small, valid=False), fit=fit, small=small)
    assert cells(one)["throughput"].missing == "invalid timing" and cells(one)["throughput"].order is None
    assert "A/A 1.09" in one.lines[0].facts[0].note


def test_each_candidate_has_a_verdict_of_its_own_where_measurements_say_so():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    job = measurement(fit, small, valid=False)
    stage = job["cells"]["8 × 32"]["stages"]["forward"]
    stage["models"]["small"]["verdict"] = {"verdict": "IMPRECISE", "counts": False, "reason": "±9 %", "note": ""}
    assert [found.cells[4].missing for found in timed(job, fit=fit, small=small).lines] == [
        "invalid timing",
        "imprecise timing",
    ]
    stage["models"]["small"]["verdict"] |= {"verdict": "VALID", "counts": True}
    assert [found.cells[4].text for found in timed(job, fit=fit, small=small).lines] == ["400", "800"]


def test_times_of_different_measurements_never_meet_in_a_column():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    other = fine_tuned("a", "elsewhere")
    one = timed(
        measurement(fit, other), measurement(other, small, created="2026-11-24T12:00:00Z"), fit=fit, small=small
    )
    shown = [found.cells[[head.key for head in one.heads].index("throughput")] for found in one.lines]
    assert sorted(bool(cell.text) for cell in shown) == [False, True]
    assert {cell.missing for cell in shown} == {"", "measured elsewhere"}
    assert all(found.facts for found in one.lines)


def test_only_files_beside_a_models_weights_count_for_its_fingerprint():
    fit = fine_tuned("a", "m")
    more = {**fit, "files": {**fit["files"], "losses.parquet": {"bytes": 1, "sha256": "0"}}}
    assert fingerprint_of(fit) == fingerprint_of(more)
    changed = {**fit, "files": {**fit["files"], "model/model.safetensors": {"bytes": 1, "sha256": "0"}}}
    assert fingerprint_of(fit) != fingerprint_of(changed)


def test_a_chain_leads_from_the_corpus_to_the_score_with_the_hash_of_every_step():
    model = next(one for one in page().lineage[0].items if one.model == "bert-demo+int8")
    assert [stage.kind for stage in model.chains[0].stages] == ["corpus", "pretrain", "finetune", "compress", "score"]
    assert all(len(stage.digest) == 64 for stage in model.chains[0].stages)
    assert len({stage.digest for stage in model.chains[0].stages}) == 5
    assert [chain.task for chain in model.chains] == ["a", "b", "c"]
