"""Exact match by question, against SuperGLUE's definition, and intervals and tests that draw whole questions."""

from __future__ import annotations

import numpy as np
import pytest

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.grouped import grouped, groups_of, twice
from harness.core.predictions import Predictions, read_predictions, write_predictions
from harness.gating import baseline_file
from harness.stats.bootstrap import interval
from harness.stats.paired import Pair, change
from harness.stats.significance import Measure, approximate_randomization

EM, F1 = metrics.get("question_exact_match"), metrics.get("f1")
WORKED = [("a-0", 1, 1), ("a-0", 0, 0), ("a-1", 1, 1), ("a-1", 1, 0), ("b-0", 0, 0), ("b-0", 0, 0), ("b-1", 0, 1)]
"""Question, right label, predicted label: a-0 and b-0 are right in all their answers."""


def columns(rows):
    names, true, predicted = zip(*rows, strict=True)
    return np.asarray(predicted), grouped(np.asarray(true), names)


def by_definition(predictions, references) -> float:
    """SuperGLUE's: of each question 1 where every answer is right, and the mean."""
    answers: dict[int, list[bool]] = {}
    for group, right in zip(groups_of(references), predictions == np.asarray(references), strict=True):
        answers.setdefault(group, []).append(bool(right))
    return sum(map(all, answers.values())) / len(answers)


def drawn(seed: int, questions: int = 200, accuracy: float = 0.8):
    """Questions of one to nine answers, in random order, whose answers are all of one difficulty."""
    random = np.random.default_rng(seed)
    names = random.permutation(np.repeat(np.arange(questions), random.integers(1, 10, questions)))
    true = random.integers(0, 2, len(names))
    right = random.random(len(names)) < random.choice([accuracy, 1.0], questions)[names]
    return np.where(right, true, 1 - true), grouped(true, names)


def test_a_question_is_right_where_all_its_answers_are():
    predicted, true = columns(WORKED)
    assert EM.score(predicted, true) == by_definition(predicted, true) == 0.5
    assert F1.score(predicted, true) == pytest.approx(4 / 6)
    assert EM.chance(true) == 0.5  # "no" everywhere is right of b-0 and b-1


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_answers_gives_the_score_of_the_definition(seed):
    predicted, true = drawn(seed)
    assert EM.score(predicted, true) == pytest.approx(by_definition(predicted, true))


def test_intervals_draw_questions():
    predicted, true = drawn(0)
    found = interval(EM, predicted, true)
    value, n = EM.score(predicted, true), len(np.unique(groups_of(true)))
    half = 1.96 * np.sqrt(value * (1 - value) / n)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert f"of {n} groups" in found.method
    copies = np.repeat(np.arange(50), 20)  # twenty answers that are all right or all wrong say as much as one
    true = np.tile([0, 1], 500)
    predicted = np.where(np.random.default_rng(1).random(50)[copies] < 0.7, true, 1 - true)
    alone, together = interval(F1, predicted, true), interval(F1, predicted, grouped(true, copies))
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_all_questions_right_has_an_interval_of_some_width():
    true = grouped(np.tile([0, 1, 1], 20), np.repeat(np.arange(20), 3))
    found = interval(EM, np.asarray(true), true)
    assert found.high == 1 and found.low == pytest.approx(0.839, abs=0.001)  # Wilson's of 20 of 20


def test_a_paired_change_and_its_test_exchange_whole_questions():
    before, true = drawn(0)
    after = np.where(np.random.default_rng(5).random(len(true)) < 0.05, 1 - before, before)
    found = change([Pair([before], [after], true)], [F1, EM])
    expected = np.mean([metric.score(after, true) - metric.score(before, true) for metric in (F1, EM)])
    assert found.value == pytest.approx(expected) and found.low < found.value < found.high < 0
    p, count, variance = approximate_randomization([[Measure(EM, before, after, true, 1.0)]])
    lost = EM.score(before, true) - EM.score(after, true)
    assert count == 10_000 and p < 0.01  # the fast way, which gives what the metric says of mixtures of questions
    questions = groups_of(true).max() + 1
    assert variance == pytest.approx(lost / questions, rel=0.5)  # changed questions are exchanged, one by one


def test_groups_go_with_what_is_selected():
    true = grouped(np.asarray([0, 1, 1, 0]), ["q", "q", "p", "r"])
    assert list(groups_of(true[1:])) == [1, 0, 2]
    assert list(groups_of(true[np.asarray([True, False, False, True])])) == [0, 1]
    assert list(groups_of(twice(true))) == [1, 1, 0, 2, 4, 4, 3, 5]
    assert groups_of(true == 1) is None and groups_of([1, 2]) is None


def test_without_groups_it_says_so():
    with pytest.raises(HarnessError, match="in no groups; a task's grouped_by names them"):
        EM.score(np.asarray([1]), np.asarray([1]))


def test_groups_are_kept_in_files(tmp_path):
    predicted, true = columns(WORKED)
    ids = tuple(map(str, range(len(true))))
    write_predictions(tmp_path / "p.parquet", ids, Predictions(predicted), true, None)
    values, read, _ = read_predictions(tmp_path / "p.parquet", len(true))
    assert groups_of(read) is not None and EM.score(values, read) == 0.5
    packed = baseline_file.pack(groups_of(read))
    assert list(baseline_file.unpack(packed)) == list(groups_of(true))
