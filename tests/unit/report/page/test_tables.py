"""What the table of the page says of a model: scores, what they rest on, size, and speed where it was measured."""

from __future__ import annotations

import pytest

from harness.report.page.model import Line, Section
from harness.report.page.tables import section
from harness.report.tables.leaderboard import build_with_records
from tests.unit.report.measures import verdict
from tests.unit.report.page.given import compressed, fine_tuned, measurement, page, scored, widened
from tests.unit.report.records import all_typed, record, score, suite


def made(records: list, resources: dict | None = None, of: object | None = None) -> Section:
    ((table, draft),) = build_with_records(all_typed(records), [of or suite("a", "b")])
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
    embedded, folder = (made([scored("a", "m", 0.6, source=source)]) for source in ("synthetic", "folder"))
    assert "not GLUE" in embedded.title
    assert "not GLUE" not in folder.title


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


def timed(*jobs: dict, fit: dict, small: dict) -> Section:
    records = [scored("a", "bert-demo", 0.8, fit), scored("a", "bert-demo+int8", 0.79, small)]
    ((table, draft, known),) = widened(records, {one["cell"]: one for one in (fit, small)}, jobs, "a")
    return section("t0", table, draft, known)


def test_parameters_and_weights_stand_beside_the_scores():
    fit = fine_tuned("a", "bert-demo", size=4_000_000)
    base, small = (cells(timed(fit=fit, small=compressed(fit)), at) for at in (0, 1))
    assert (base["parameters"].text, base["weight_bytes"].text) == ("1.00", "4.0")
    assert (small["parameters"].text, small["weight_bytes"].text) == ("1.00", "1.1")
    assert "99.0 % of them not zero" in small["parameters"].more
    assert cells(made([scored("a", "m", 0.6)]))["parameters"].missing == "unknown"


def test_speed_and_memory_come_from_the_measurement_of_the_cells_that_made_the_models():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    one = timed(measurement(fit, small), fit=fit, small=small)
    assert one.measured == {"quality": True, "size": True, "speed": True, "memory": True}
    base, fast = cells(one, 0), cells(one, 1)
    assert (base["examples_per_second"].text, fast["examples_per_second"].text) == ("400", "800")
    assert (base["speed_ratio"].text, fast["speed_ratio"].text) == ("1.00", "2.00")
    assert fast["speed_ratio"].interval == "[1.96, 2.04]"
    assert (base["peak_memory_bytes"].text, fast["peak_memory_bytes"].text) == ("90.0", "60.0")
    assert any("8 × 64" in note for note in one.notes)


def test_what_was_never_measured_says_so_and_an_invalid_timing_is_no_number():
    fit = fine_tuned("a", "bert-demo")
    small = compressed(fit)
    never = cells(timed(fit=fit, small=small))
    assert never["examples_per_second"].missing == never["peak_memory_bytes"].missing == "not measured"
    one = timed(measurement(fit, small, said={small["cell"]: verdict("INVALID", "A/A 1.09")}), fit=fit, small=small)
    fast = cells(one, 1)
    assert fast["examples_per_second"].missing == "see the notes" and fast["examples_per_second"].order is None
    assert any("A/A 1.09" in note for note in one.notes)
    assert any("A/A 1.09" in fact.note for fact in line(one, "bert-demo+int8").facts)


def test_a_chain_leads_from_the_corpus_to_the_score_with_the_hash_of_every_step():
    model = next(one for one in page().lineage[0].items if one.model == "bert-demo+int8")
    assert [stage.kind for stage in model.chains[0].stages] == ["corpus", "pretrain", "finetune", "compress", "score"]
    assert all(len(stage.digest) == 64 for stage in model.chains[0].stages)
    assert len({stage.digest for stage in model.chains[0].stages}) == 5
    assert [chain.task for chain in model.chains] == ["a", "b", "c"]
