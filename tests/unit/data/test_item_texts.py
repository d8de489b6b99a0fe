"""What changes or reports texts leaves items alone, and says so where there is nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.core.attack_spec import AttackSpec
from harness.core.augment_spec import AugmentSpec
from harness.core.checks_spec import ChecksSpec
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.items import in_words, item_of_bytes
from harness.core.noise import attacked_task, with_noise
from harness.core.specs import TaskSpec
from harness.corpora.reporting.labelled import of_task
from harness.data.augment.expand import operations_of
from harness.data.augment.safety import refusal, safe_changes
from harness.data.behaviour import changed_field
from harness.data.frame import Split, TaskData
from harness.data.noise import perturbed
from harness.gating.flips import lengths_of

ITEM = item_of_bytes(b"x", "a.png", "here/a.png")


@pytest.fixture
def pictures(task: Callable[..., TaskSpec]) -> TaskSpec:
    return task(name="pets", family="image-classification", fields={"image": "image", "label": "label"})


def test_noise_attacks_and_tests_of_texts_are_refused_where_there_is_no_text(pictures: TaskSpec):
    with pytest.raises(HarnessError, match=r"'pets\+typos': noise changes texts, and image-classification has none"):
        with_noise(pictures, "typos")
    with pytest.raises(HarnessError, match=r"'pets\+textfooler': an attack changes texts"):
        attacked_task(pictures, AttackSpec(method="textfooler"))
    checks = ChecksSpec.model_validate({"name": "c", "tests": [{"name": "t", "change": {"operation": "typos"}}]})
    with pytest.raises(HarnessError, match="pets has no text to change"):
        changed_field(pictures.model_copy(update={"checks": checks}))
    with pytest.raises(HarnessError, match="its field image holds image files"):
        of_task(pictures, "synthetic")
    assert safe_changes(pictures) == {}
    [(_, operation)] = operations_of(AugmentSpec.model_validate({"operations": [{"typos": {}}]}), "augment")
    augmenting = refusal(pictures, "typos", operation, unsafe=True)
    assert augmenting == "augment: typos changes texts, and image-classification has none; leave it out"


def test_noise_in_captions_leaves_the_items(task: Callable[..., TaskSpec]):
    spec = task(
        name="said", family="image-text-retrieval", fields={"image": "image", "text": "text"}, labels=None,
        metrics=["pair_accuracy"], noise="case",
    )  # fmt: skip
    split = Split(("0", "1"), {"image": (ITEM, ITEM), "text": ("A small dog there", "Two cats sit here")})
    noisy = perturbed(TaskData("said", "folder", "x", {"dev": split}), spec).split("dev")
    assert noisy.fields["image"] == (ITEM, ITEM) and noisy.fields["text"] != split.fields["text"]


def test_readers_see_what_an_item_is_called_and_no_length():
    assert [in_words(value) for value in ("a text", ITEM)] == ["a text", "a.png"]
    assert lengths_of([(ITEM, ITEM)]) == []
    assert lengths_of([(ITEM,), ("two words",)]) == lengths_of([("two words",)])
    assert FAMILIES.get("image-text-retrieval").text_fields(["image", "text"]) == ["text"]
