"""`harness check`: values of other tools that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.exchange.outcomes import Outcome, ToolResults
from harness.exchange.reader import read_results
from harness.gating.consistency import check
from tests.conftest import Harness, read_json
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

SCORES = draws(50, 35)


@pytest.mark.parametrize("score", [0, 1, 7, 35, 49, 50])
def test_what_the_tools_write_themselves_is_sound(score: int, tmp_path: Path):
    scores = draws(50, score)
    names = [
        f"lm_eval:{write_lm_eval(tmp_path / 'lm', {'evens': scores})}",
        f"lm_eval:{write_lm_eval(tmp_path / 'bare', {'evens': scores}, samples=False)}",
        f"inspect:{write_inspect(tmp_path / 'a.eval', inspect_log(scores))}",
        f"lighteval:{write_lighteval(tmp_path / 'light', {'evens': scores})}",
        f"eee:{write_eee(tmp_path / 'a.json', scores)}",
        f"csv:{write_csv(tmp_path / 'a.csv', scores)}",
        f"trainer:{write_trainer(tmp_path / 'out', scores)}",
    ]
    for name in names:
        checked = check(read_results(name))
        assert checked.sound, (name, checked.findings)


def in_results(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        path = next(folder.rglob("results_*"))
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return changed


def score(value: float, stderr: object = None) -> Callable[[Path], None]:
    def change(content: dict) -> None:
        content["results"]["evens"]["acc,none"] = value
        if stderr is not None:
            content["results"]["evens"]["acc_stderr,none"] = stderr

    return in_results(change)


def without_samples(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        change(folder)
        next(folder.rglob("samples_*")).unlink()

    return changed


def one_sample_less(folder: Path) -> None:
    path = next(folder.rglob("samples_*"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


WRONG = {
    "another score than its examples give": (score(0.72), ["recomputed"], "0.72 was reported, and its 50 examples give 0.7"),
    "a standard error of 0": (score(0.7, 0.0), ["stderr"], "the standard error is 0; 50 examples that score 0.7 have 0.0654654"),
    "another standard error": (score(0.7, 0.03), ["stderr"], "the standard error is 0.03; 50 examples"),
    "a negative standard error": (score(0.7, -0.06), ["stderr"], "is negative"),
    "no fraction": (without_samples(score(0.715, 0.0645)), ["fraction"], "0.715 is no number of right answers in 50: 35.75 would be right"),
    "a score in per cent": (without_samples(score(70.0, 6.5)), ["range"], "the score 70 is outside of 0 to 1"),
    "a standard error of 0 without examples": (without_samples(score(0.7, 0.0)), ["stderr"], "the standard error is 0"),
    "another standard error without examples": (without_samples(score(0.7, 0.2)), ["stderr"], "have 0.0654654"),
    "examples that are missing": (one_sample_less, ["n", "recomputed"], "n is 50, and there are 49 examples"),
    "n of another data set": (
        in_results(lambda content: content["n-samples"]["evens"].update(effective=500)), ["n"], "n is 500, and there are 50 examples",
    ),
    "no examples at all": (in_results(lambda content: content["n-samples"]["evens"].update(effective=0)), ["n"], "n is 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_value_that_cannot_be_is_a_line_and_exit_1(name: str, harness: Harness, tmp_path: Path):
    change, rules, message = WRONG[name]
    change(write_lm_eval(tmp_path / "lm", {"evens": SCORES}))
    done = harness("check", "lm", code=1)
    assert message in done.stdout and "org/m on evens, acc: " in done.stdout
    content = read_json(harness("check", "lm_eval:lm", "--json", code=1).stdout)
    assert content["schema_version"] == 1 and content["sound"] is False
    assert set(rules) <= {finding["rule"] for finding in content["findings"]}
    assert len(done.stdout.splitlines()) == len(content["findings"])
    if name in ("a standard error of 0", "another standard error", "no fraction"):
        assert [finding["rule"] for finding in content["findings"]] == rules


def test_our_own_export_is_sound(small_run, tmp_path: Path):
    call = small_run[0]
    call("export", "lm-eval", "--model", "tfidf", "-o", tmp_path / "results.json")
    assert "nothing is wrong" in call("check", tmp_path / "results.json").stdout
    write_lm_eval(tmp_path / "lm", {"evens": SCORES})
    path = next((tmp_path / "lm").rglob("results_*"))
    score(0.7, 0.0712)(tmp_path / "lm")
    assert not check(read_results(f"lm_eval:{path}")).sound
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_source": "harness"}))
    assert check(read_results(f"lm_eval:{path}")).sound


def test_what_is_sound_says_what_was_looked_at(harness: Harness, tmp_path: Path):
    write_lm_eval(tmp_path / "lm", {"evens": SCORES, "g:exact_match,strict-match": SCORES})
    assert (
        "2 scores of lm_eval:lm, 2 computed again of single examples: nothing is wrong" in harness("check", "lm").stdout
    )
    content = read_json(harness("check", "lm", "--json").stdout)
    assert content["scores"][0]["recomputed"] == pytest.approx(0.7) and content["findings"] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "'missing': no such file or folder"),
        ("empty.json", "no reader recognizes it"),
        ("csv:empty.json", "no column 'id'"),
        ("cut.eval", "no whole zip archive"),
    ],
)
def test_what_cannot_be_read_is_exit_2(name: str, message: str, harness: Harness, tmp_path: Path):
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "cut.eval").write_bytes(b"PK\x03\x04")
    assert message in harness("check", name, code=2).stderr


def outcome(**facts: object) -> list[str]:
    made = Outcome(**{"model": "m", "task": "t", "metric": "accuracy", "score": 0.5, **facts})  # type: ignore[arg-type]
    return [finding.rule for finding in check(ToolResults("x", "x", (made,))).findings]


def test_rounded_values_are_no_findings():
    assert outcome(score=0.33, n=3, stderr=0.333) == []
    assert outcome(score=0.5123, n=10_000, stderr=0.005) == []
    assert outcome(score=0.52, n=37) == ["fraction"]
    assert outcome(score=0.51, n=370) == []


def test_a_bootstrap_is_given_more_room_and_clusters_all_of_it():
    assert outcome(n=100, stderr=0.055) == ["stderr"]
    assert outcome(n=100, stderr=0.055, method="bootstrap_stderr") == []
    assert outcome(n=100, stderr=0.09, method="clustered") == []


def test_a_score_outside_of_its_interval_is_one():
    assert outcome(interval=(0.6, 0.7)) == ["interval"]
    assert outcome(interval=(0.4, 0.7)) == []


def test_metrics_that_are_no_fractions_are_not_judged_as_such():
    assert outcome(metric="perplexity", score=12.345, n=10, stderr=0.0) == []
    assert outcome(metric="f1", score=0.345, n=10, stderr=0.02) == []
    assert outcome(metric="f1", score=0.345, n=10, stderr=0.0) == ["stderr"]
    assert outcome(metric="bleu", score=0.345, bounds=(0.0, 100.0), n=10) == []
    assert outcome(metric="bleu", score=120.0, bounds=(0.0, 100.0), n=10) == ["range"]
