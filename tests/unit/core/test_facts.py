"""Facts are held by thousands: in little memory, and as they were written."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from harness.core.cell_records import ScoreRecord
from harness.core.errors import DamagedFileError
from harness.core.facts import Facts, facts_from, with_part
from tests.benchmarks.record_store import score_record


def record(**others: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(score_record("sst2", "dev", "small", 0, random.Random(0))))
    return content | others


def score(**others: Any) -> ScoreRecord:
    return facts_from(ScoreRecord, record(**others), "record")


def bytes_each(make: Callable[[], Facts], count: int = 300) -> float:
    made = [make()] * count
    tracemalloc.start()
    for place in range(count):
        made[place] = make()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken / count


def test_a_record_takes_half_of_what_pydantic_makes_of_it() -> None:
    texts = json.dumps(record())
    plain = bytes_each(lambda: ScoreRecord.model_validate(json.loads(texts)))
    assert bytes_each(lambda: facts_from(ScoreRecord, json.loads(texts), "record")) < plain / 2


def test_a_record_says_what_it_was_made_of() -> None:
    content = record(newer={"keys": ["of", "others"]}, machine={"threads": 2, "of a newer": 1})
    made = facts_from(ScoreRecord, content, "record")
    plain = ScoreRecord.model_validate(content)
    assert made == plain
    assert made.as_json() == plain.as_json() == content
    assert repr(made) == repr(plain)
    assert made.model_fields_set == plain.model_fields_set
    assert made.machine.as_json() == {"threads": 2, "of a newer": 1}


def test_equal_parts_of_records_are_one_object_and_others_are_not() -> None:
    first, second = score(selection={"mode": "last"}), score(selection={"mode": "last"})
    assert first.selection is second.selection
    assert first.scores["accuracy"].ceiling is second.scores["accuracy"].ceiling
    assert first.scores["accuracy"].bounds is second.scores["accuracy"].bounds
    assert score(selection={"mode": "best"}).selection.mode == "best"
    assert score(selection={}).selection.model_fields_set == set()
    assert score(selection={"mode": "last", "further": 1}).selection.as_json() == {"mode": "last", "further": 1}
    assert score(machine={"threads": 1}).machine != score(machine={"threads": 2}).machine


def test_a_record_with_another_part_keeps_all_else() -> None:
    before = score()
    other = before.selection.model_copy(update={"note": "chosen"})
    after = with_part(before, "selection", other)
    assert after.selection.note == "chosen" and before.selection.note is None
    assert after.as_json() == before.as_json() | {"selection": other.as_json()}
    without = with_part(score(machine={"threads": 1}), "machine", before.machine)
    assert without.machine == before.machine


def test_what_is_wrong_is_named_with_its_place() -> None:
    with pytest.raises(DamagedFileError, match=r"^record is damaged: scores\.accuracy\.value: "):
        score(scores={"accuracy": {"value": "much", "low": 0.0, "high": 1.0}})
