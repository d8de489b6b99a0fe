"""Entities: equal to seqeval on the same tags, to conlleval's counts by hand, and refused where tags are none."""

from __future__ import annotations

import numpy as np
import pytest
import seqeval.metrics

from harness import metrics
from harness.core.errors import HarnessError
from harness.stats.bootstrap import interval
from tests.unit.metrics.given import ENTITIES, data

TRUE = ["B-PER I-PER O B-LOC", "O O", "I-ORG I-ORG O I-ORG"]
"""IOB2, nothing, and IOB1."""
PREDICTED = ["B-PER I-PER O B-ORG", "B-LOC O", "B-ORG I-ORG O B-ORG"]


def score(name: str, predicted: list[str], true: list[str]) -> float:
    return metrics.get(name).score(predicted, [(tags,) for tags in true])


def test_an_entity_is_right_where_its_type_and_words_are_whatever_the_scheme():
    # true: PER, LOC, ORG, ORG; predicted: PER, ORG, LOC, ORG, ORG; right: PER, ORG, ORG
    assert score("seqeval_precision", PREDICTED, TRUE) == pytest.approx(3 / 5)
    assert score("seqeval_recall", PREDICTED, TRUE) == pytest.approx(3 / 4)
    assert score("seqeval_f1", PREDICTED, TRUE) == pytest.approx(2 * 3 / 9)


@pytest.mark.parametrize("name", ENTITIES)
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_seqeval_and_of_the_sums_they_are_resampled_from(name, seed):
    predicted, references = data(name, 60, seed)
    value = metrics.get(name).score(predicted, references)
    function = getattr(seqeval.metrics, f"{name.removeprefix('seqeval_')}_score")
    assert value == function([own.split() for (own,) in references], [own.split() for own in predicted])
    checked = metrics.get(name).check(predicted, references)
    whole = metrics.get(name).resample.prepare(*checked)(np.ones((1, 60)))
    assert whole[0] == pytest.approx(value, abs=1e-12)
    bounds = interval(metrics.get(name), *checked)
    assert bounds.low < value < bounds.high


def test_nothing_found_and_nothing_to_find_score_zero():
    assert score("seqeval_f1", ["O O"], ["B-PER O"]) == 0.0
    assert score("seqeval_f1", ["O O"], ["O O"]) == 0.0


def test_chance_is_the_best_single_tag():
    true = ["B-PER O O", "B-LOC I-LOC", "S-PER"]
    references = metrics.get("seqeval_f1").check(["O O O", "O O", "O"], [(tags,) for tags in true])[1]
    for name in ENTITIES:
        constant = [
            score(name, [" ".join([tag] * len(own.split())) for own in true], true)
            for tag in ("O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "S-LOC")
        ]
        assert metrics.get(name).chance(references) == pytest.approx(max(constant))


@pytest.mark.parametrize(
    ("predicted", "true", "said"),
    [
        ("O O", "O", "2 tags for 1 words at 0"),
        ("O NN", "O O", "the tag 'NN' in the prediction at 0 is no IOB tag"),
        ("O O", "O L-PER", "the tag 'L-PER' in the reference at 0 is no IOB tag"),
        ("O B", "O O", "the tag 'B' in the prediction"),
    ],
)
def test_what_seqeval_cannot_take_is_refused_in_one_line(predicted, true, said):
    with pytest.raises(HarnessError) as caught:
        score("seqeval_f1", [predicted], [true])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
