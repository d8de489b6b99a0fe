"""What lists say of doing a task without training is what a plan would say."""

import json

import pytest

from harness.core.registry import load_registry
from harness.core.store import Store
from harness.pipeline.planner.model_plan import ModelPlan
from harness.report.text.listing import listing
from harness.report.text.untrained import UNKNOWN, may_be_untrained

REGISTRY = load_registry([])


def rows(kind):
    return {row["name"]: row for row in json.loads(listing(REGISTRY, kind, as_json=True))}


@pytest.mark.parametrize(
    ("model", "does", "does_not"),
    [
        ("clip-tiny", {"image-classification", "image-text-retrieval"}, {"audio-classification", "classification"}),
        ("clap-tiny", {"audio-classification", "audio-text-retrieval"}, {"image-classification", "nli"}),
        (
            "gpt2-tiny-clm",
            {"classification", "minimal-pairs", "language-modeling"},
            {"similarity", "image-classification"},
        ),
        ("bert-tiny-mlm", {"minimal-pairs"}, {"classification"}),
    ],
)
def test_a_model_spec_says_the_families_of_its_architecture(model, does, does_not):
    families = set(rows("models")[model]["untrained"])
    assert does <= families and not does_not & families


@pytest.mark.parametrize(
    "model", ["bert-tiny", "vit-tiny", "vit-tiny-mae", "gpt2-tiny", "tfidf", "majority", "bert-tiny-rtd"]
)
def test_what_knows_nothing_or_no_words_does_no_family(model):
    assert rows("models")[model]["untrained"] == []


def test_a_checkpoint_of_the_hub_is_not_guessed():
    assert rows("models")["bert-base-uncased"]["untrained"] == [UNKNOWN]


def test_a_task_says_its_modality_and_whether_it_can_be_asked():
    tasks = rows("tasks")
    assert tasks["digits"]["modality"] == "image" and tasks["digits"]["untrained"] == "yes"
    assert tasks["sst2"]["modality"] == "text" and tasks["sst2"]["untrained"] == "yes"
    assert tasks["stsb"]["untrained"] == "" and not may_be_untrained(REGISTRY.tasks["stsb"])


def test_a_plan_agrees(tmp_path):
    asked = 0
    for name, row in rows("models").items():
        spec = REGISTRY.model_specs[name]
        if spec.learner != "transformer" or spec.config is None:
            continue
        model = ModelPlan(name, spec, None, None, Store(tmp_path))
        for task in ("digits", "sst2", "cola", "stsb", "scenes-retrieval-en", "sounds-counts-en"):
            shown = REGISTRY.task(task)
            shown = shown if shown.shots is not None else REGISTRY.task(f"{task}@0-shot")
            possible = model.not_applicable(shown) is None
            assert possible == (shown.family in row["untrained"]), (name, task)
            asked += possible
    assert asked > 10
