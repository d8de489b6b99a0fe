"""Minimum functionality tests: examples made of templates, and settings that make none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.registry import load_registry
from harness.data import load, state
from harness.data.checklist import SOURCE
from harness.data.source import named_sources

SLOTS = {"thing": ["film", "play"], "good": ["fine", "great"]}


def checklist(task: Callable[..., Any], tests: list[Any], **more: Any) -> Any:
    settings = {"slots": SLOTS, "tests": tests, **more}
    SOURCE.check(settings, "mine.yaml")
    fields = {"text": "text", "label": "label"}
    return task(
        fields=fields, eval=["test"], reading={"source": "checklist"}, sources={"checklist": settings}, train_on="sst2"
    )


def test_every_combination_of_words_is_an_example_with_its_label(task: Callable[..., Any]) -> None:
    tests = [
        {"name": "praise", "templates": "the {thing} is {good}.", "label": "good"},
        {"name": "two", "templates": ["{thing} or {thing2}?", "the film is great."], "label": "bad"},
    ]
    split = load(checklist(task, tests), "synthetic").splits["test"]
    assert {row[0]: row[1:] for row in zip(split.fields["text"], split.labels or (), split.ids, strict=True)} == {
        "The film is fine.": (1, "praise-0"),
        "The film is great.": (1, "praise-1"),
        "The play is fine.": (1, "praise-2"),
        "The play is great.": (1, "praise-3"),
        "Film or play?": (0, "two-0"),
        "Play or film?": (0, "two-1"),
    }


def test_of_many_examples_some_are_drawn_always_the_same(task: Callable[..., Any]) -> None:
    tests = [{"name": "praise", "templates": "{thing} {good} {good2}", "label": "good"}]
    few = load(checklist(task, tests, most=3), "synthetic").splits["test"]
    every = load(checklist(task, tests), "synthetic").splits["test"]
    assert len(few) == 3 and len(every) == 4
    assert set(few.fields["text"]) < set(every.fields["text"])
    assert load(checklist(task, tests, most=3), "synthetic").splits["test"].fields == few.fields
    assert state(checklist(task, tests, most=3), "synthetic") != state(checklist(task, tests), "synthetic")


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ([], "tests: "),
        ([{"name": "a", "templates": "{thng}", "label": "good"}], "there is no slot 'thng'. Did you mean 'thing'?"),
        ([{"name": "a", "templates": "{thing!r}", "label": "good"}], "in braces stands the name of a slot alone"),
        ([{"name": "a", "templates": "{thing", "label": "good"}], "'{thing'"),
        ([{"name": "a", "templates": "x", "label": "good", "word": "y"}], "word"),
        ([{"name": "a", "templates": "x", "label": "good"}] * 2, "two tests are called 'a'"),
        (
            [{"name": "a", "templates": " ".join(f"{{good{n}}}" for n in range(25)), "label": "good"}],
            "at most 1,000,000",
        ),
    ],
)
def test_settings_that_make_no_checklist_are_one_line(task: Callable[..., Any], tests: list[Any], reason: str) -> None:
    with pytest.raises(HarnessError) as caught:
        checklist(task, tests)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("mine.yaml")
    assert "\n" not in str(caught.value)


def test_other_tasks_have_no_checklist_and_it_is_not_offered(task: Callable[..., Any]) -> None:
    with pytest.raises(TaskAbsentError, match="has no checklist"):
        load(task(), "checklist")
    assert "checklist" not in named_sources()


def test_the_shipped_checklists_of_sentiment_are_balanced_enough_and_share_no_text() -> None:
    registry = load_registry()
    seen: set[str] = set()
    for name in registry.suite("checklist-sentiment").tasks:
        split = load(registry.task(name), "synthetic").splits["test"]
        assert 200 < len(split) <= 2000
        assert set(split.labels or ()) == {0, 1}
        assert not seen & set(split.fields["text"])
        seen |= set(split.fields["text"])
