"""Results of other tools beside each other and beside a run: which examples are the same, and what can be said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.gating.engine import Judged, Report, judge, judge_all
from harness.gating.entries import of_tool
from harness.gating.estimates import UNPAIRED
from harness.gating.flips import flips_of, texts_of
from harness.gating.settings import GateSpec
from harness.stats.significance import mcnemar_mid_p
from tests.tools import (
    draws,
    inspect_log,
    write_csv,
    write_eee,
    write_inspect,
    write_lighteval,
    write_lm_eval,
    write_trainer,
)
from tests.unit.gating.synthetic import evidence

N = 200
BASE, WORSE = draws(N, 180), draws(N, 120, seed=5)
WRITERS: dict[str, Callable[[Path, Sequence[float]], Path]] = {
    "csv": lambda folder, scores: write_csv(folder / "evens.csv", scores, texts=True),
    "eee": lambda folder, scores: write_eee(folder / "evens.json", scores),
    "inspect": lambda folder, scores: write_inspect(folder / "evens.eval", inspect_log(scores)),
    "lighteval": lambda folder, scores: write_lighteval(folder, {"evens|5": scores}),
    "lm_eval": lambda folder, scores: write_lm_eval(folder, {"evens": scores}),
}


def written(tool: str, folder: Path, scores: Sequence[float]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return f"{tool}:{WRITERS[tool](folder, scores)}"


def judged(base: str, candidate: str, **settings: object) -> Report:
    return judge(of_tool(base), of_tool(candidate), GateSpec.model_validate(settings))[0]


def only(report: Report) -> Judged:
    (row,) = report.rows
    return row


@pytest.mark.parametrize("mine", WRITERS)
@pytest.mark.parametrize("theirs", WRITERS)
def test_any_two_tools_are_compared_example_by_example(mine: str, theirs: str, tmp_path: Path):
    report = judged(written(mine, tmp_path / "a", BASE), written(theirs, tmp_path / "b", WORSE))
    row = only(report)
    assert (row.n, row.verdict, row.test) == (N, "REGRESSED", "McNemar mid-p")
    assert row.drop == pytest.approx(0.3)
    pairs = list(zip(BASE, WORSE, strict=True))
    assert row.p == pytest.approx(mcnemar_mid_p(pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0))))
    how = "content" if (mine == "eee") != (theirs == "eee") else "id"
    assert any(f"{N} examples matched by {how}; 0 of" in note for note in report.notes)
    assert sum(note.startswith("not known of") for note in report.notes) == 2
    assert not report.reasons and report.exit_code == 1


@pytest.mark.parametrize("tool", WRITERS)
def test_equal_scores_are_identical(tool: str, tmp_path: Path):
    row = only(judged(written(tool, tmp_path / "a", BASE), written(tool, tmp_path / "b", BASE)))
    assert row.verdict == "IDENTICAL" and row.drop == 0


def test_examples_that_only_one_has_are_left_out_and_counted(tmp_path: Path):
    base = f"csv:{write_csv(tmp_path / 'a.csv', BASE)}"
    report = judged(base, f"csv:{write_csv(tmp_path / 'b.csv', WORSE[:150])}")
    assert only(report).n == 150
    assert only(report).base == pytest.approx(sum(BASE[:150]) / 150)
    (note,) = [note for note in report.notes if "matched" in note]
    assert "150 examples matched by id; 50 of csv:a.csv and 0 of csv:b.csv" in note


def test_other_examples_are_refused(tmp_path: Path):
    base = f"csv:{write_csv(tmp_path / 'a.csv', BASE)}"
    other = f"csv:{write_csv(tmp_path / 'b.csv', WORSE, numbered='x-')}"
    report = judged(base, other)
    assert report.exit_code == 4 and not report.rows
    assert "no example of one is in the other by its id" in report.reasons[0] and '"x-0"' in report.reasons[0]
    with pytest.raises(HarnessError, match="nothing to compare: task a: no example of one is in the other"):
        judge_all(of_tool(base), of_tool(other), GateSpec())


def test_equal_ids_of_other_texts_or_labels_are_refused(tmp_path: Path):
    write_lm_eval(tmp_path / "a", {"evens": BASE})
    write_lm_eval(tmp_path / "b", {"evens": WORSE})
    path = next((tmp_path / "b").rglob("samples_*"))
    path.write_text(path.read_text().replace("Is the number 7 even?", "Is the number 7 odd?"))
    report = judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")
    assert "1 of 200 examples have the same id and other texts" in report.reasons[0]
    write_csv(tmp_path / "a.csv", BASE)
    flipped = write_csv(tmp_path / "b.csv", WORSE)
    flipped.write_text(flipped.read_text().replace('"yes"\n', '"no"\n', 3))
    report = judged(f"csv:{tmp_path / 'a.csv'}", f"csv:{flipped}")
    assert "3 of 200 matched examples have other labels" in report.reasons[0]


def test_scores_without_examples_are_compared_by_their_standard_errors_and_not_paired(tmp_path: Path):
    write_lm_eval(tmp_path / "a", {"evens": BASE}, samples=False)
    write_lm_eval(tmp_path / "b", {"evens": WORSE})
    report = judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")
    row = only(report)
    assert row.test == UNPAIRED and row.verdict == "REGRESSED" and row.n == N
    half = 1.959964 * np.sqrt(0.9 * 0.1 / 199 + 0.6 * 0.4 / 199)
    assert (row.low, row.high) == (pytest.approx(0.3 - half), pytest.approx(0.3 + half))
    assert any("not paired, since lm_eval:a has no single examples" in note for note in report.notes)


def test_scores_without_examples_are_never_identical(tmp_path: Path):
    for name in "ab":
        write_lm_eval(tmp_path / name, {"evens": BASE}, samples=False)
    assert only(judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")).verdict == "INCONCLUSIVE"


def test_a_score_without_any_uncertainty_leaves_all_open(tmp_path: Path):
    for name, scores in (("a", BASE), ("b", WORSE)):
        path = write_eee(tmp_path / f"{name}.json", scores, samples=False, uncertainty={})
        path.write_text(path.read_text().replace("0.9", "90.0").replace("0.6", "60.0"))
    row = only(judged(f"eee:{tmp_path / 'a.json'}", f"eee:{tmp_path / 'b.json'}"))
    assert (row.verdict, row.drop, row.base, row.candidate) == ("INCONCLUSIVE", None, 90, 60)


def test_tasks_are_tests_of_their_own_by_holm_and_filters_are_told_apart(tmp_path: Path):
    keys = ("a", "g:exact_match,strict-match", "g:exact_match,flexible-extract")
    write_lm_eval(tmp_path / "a", dict.fromkeys(keys, BASE))
    write_lm_eval(tmp_path / "b", dict(zip(keys, (BASE, WORSE, draws(N, 170, 3)), strict=True)))
    report = judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")
    assert [row.task for row in report.rows] == ["a", "g:exact_match,strict-match", "g:exact_match,flexible-extract"]
    assert [row.verdict for row in report.rows][:2] == ["IDENTICAL", "REGRESSED"]
    alone = only(
        judged(f"csv:{write_csv(tmp_path / 'a.csv', BASE)}", f"csv:{write_csv(tmp_path / 'b.csv', draws(N, 170, 3))}")
    )
    assert report.rows[2].p == pytest.approx(min(1, 2 * alone.p))


def test_another_version_of_a_task_is_not_compared_and_a_missing_one_is_named(tmp_path: Path):
    write_lm_eval(tmp_path / "a", {"evens": BASE, "gone": BASE})
    write_lm_eval(tmp_path / "b", {"evens": WORSE}, versions={"evens": 2.0})
    report = judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")
    assert "task evens: version 1.0 in the base, 2.0 in the candidate" in report.reasons
    assert "task gone of lm_eval:a is not in lm_eval:b" in report.reasons


def test_examples_whose_mean_is_not_what_was_reported_are_not_paired(tmp_path: Path):
    write_lm_eval(tmp_path / "a", {"evens": BASE})
    path = next((tmp_path / "a").rglob("results_*"))
    path.write_text(path.read_text().replace('"acc,none": 0.9', '"acc,none": 0.95'))
    report = judged(f"lm_eval:{tmp_path / 'a'}", written("lm_eval", tmp_path / "b", WORSE))
    assert only(report).test == UNPAIRED
    assert any("have the mean 0.9, and 0.95 was reported" in note for note in report.notes)


def test_partial_credit_is_tested_by_approximate_randomization(tmp_path: Path):
    half = [0.5 if at % 10 == 0 else score for at, score in enumerate(WORSE)]
    report = judged(
        written("inspect", tmp_path / "a", BASE), f"inspect:{write_inspect(tmp_path / 'b.json', inspect_log(half))}"
    )
    row = only(report)
    assert row.test.startswith("approximate randomization") and row.candidate == pytest.approx(sum(half) / N)


def test_predictions_without_labels_are_scored_by_those_of_the_other(tmp_path: Path):
    base = f"csv:{write_csv(tmp_path / 'a.csv', BASE)}"
    row = only(judged(base, f"trainer:{write_trainer(tmp_path / 'out', WORSE, split='predict')}"))
    assert (row.n, row.drop, row.test) == (N, pytest.approx(0.3), "McNemar mid-p")


def test_a_run_of_our_own_stands_beside_a_file(tmp_path: Path):
    references = np.asarray([at % 2 for at in range(N)])
    predictions = np.where(np.asarray(BASE) == 1, references, 1 - references)
    run = evidence(
        {"evens": (["accuracy", "f1"], references, [predictions])}, parts={"evens": {"labels": ("yes", "no")}}
    )
    path = write_csv(tmp_path / "m.csv", WORSE, numbered="evens-")
    report, pairs = judge(run, of_tool(f"csv:{path}"), GateSpec())
    assert [(row.task, row.metrics, row.n) for row in report.rows] == [("evens", ("accuracy",), N)]
    assert only(report).drop == pytest.approx(0.3)
    (flips,) = flips_of(pairs[0], texts_of(run, run, []))
    assert set(flips.by_kind) == {"yes taken for no", "no taken for yes"} and flips.worse - flips.better == 60
    baseline = evidence(
        {"evens": (["accuracy"], references, [predictions])}, parts={"evens": {"labels": ("yes", "no")}}, with_ids=False
    )
    path = write_csv(tmp_path / "n.csv", WORSE)
    assert only(judge(baseline, of_tool(f"csv:{path}"), GateSpec())[0]).n == N


def test_flips_show_what_was_asked_and_answered(tmp_path: Path):
    base, candidate = (
        of_tool(written("lm_eval", tmp_path / name, scores)) for name, scores in (("a", BASE), ("b", WORSE))
    )
    _, (pair,) = judge(base, candidate, GateSpec())
    (flips,) = flips_of(pair, texts_of(base, candidate, []))
    flip = flips.examples[0]
    assert flip.text is not None and flip.text.startswith("Q: Is the number")
    assert flip.base == flip.label != flip.candidate


def test_several_seeds_of_a_table_are_several_seeds(tmp_path: Path):
    for name, right in (("a", 180), ("b", 120)):
        lines = ["id,score,model,task,seed"]
        lines += [
            f"{at},{score},m,t,{seed}" for seed in range(3) for at, score in enumerate(draws(N, right + seed, seed))
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    row = only(judged(f"csv:{tmp_path / 'a.csv'}", f"csv:{tmp_path / 'b.csv'}"))
    assert row.seeds == 3 and row.verdict == "REGRESSED" and row.test.startswith("t over seeds")


def test_settings_that_differ_are_told(tmp_path: Path):
    write_lm_eval(tmp_path / "a", {"evens": BASE})
    write_lm_eval(tmp_path / "b", {"evens": WORSE}, **{"n-shot": {"evens": 0}, "lm_eval_version": "0.4.9"})
    report = judged(f"lm_eval:{tmp_path / 'a'}", f"lm_eval:{tmp_path / 'b'}")
    assert "org/m: num_fewshot 5 → 0" in report.differences
    assert "environment: lm_eval 0.4.13 → 0.4.9" in report.differences


def test_f1_of_all_examples_is_recomputed_of_their_answers(tmp_path: Path):
    def with_f1(folder: Path, scores: Sequence[float]) -> str:
        write_lm_eval(folder, {"evens": scores})
        pairs = [(at % 2, at % 2 if score else 1 - at % 2) for at, score in enumerate(scores)]
        true = sum(gold == said == 1 for gold, said in pairs)
        value = 2 * true / (2 * true + sum(gold != said for gold, said in pairs))
        for path in folder.rglob("samples_*"):
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            path.write_text(
                "".join(json.dumps({**line, "f1": pair}) + "\n" for line, pair in zip(lines, pairs, strict=True))
            )
        for path in folder.rglob("results_*"):
            content = json.loads(path.read_text())
            content["results"]["evens"] = {"f1,none": value, "f1_stderr,none": 0.02}
            path.write_text(json.dumps(content))
        return f"lm_eval:{folder}"

    row = only(judged(with_f1(tmp_path / "a", BASE), with_f1(tmp_path / "b", WORSE)))
    assert row.metrics == ("f1",) and row.test.startswith("approximate randomization") and row.verdict == "REGRESSED"
