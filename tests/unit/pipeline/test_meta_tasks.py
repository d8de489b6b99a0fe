"""What the tasks of a meta-training have of a scored split."""

from __future__ import annotations

from types import SimpleNamespace

from harness.core.cell_records import ContaminationRecord
from harness.core.contamination import contamination_note
from harness.data.frame import Split
from harness.pipeline.steps import contamination


def pairs(*rows: tuple[str, str], names: tuple[str, str] = ("premise", "hypothesis")) -> Split:
    first, second = zip(*rows, strict=True)
    return Split(tuple(map(str, range(len(rows)))), dict(zip(names, (first, second), strict=True)), (0,) * len(rows))


def test_rows_of_a_task_are_found_whatever_its_fields_are_called_and_whichever_comes_first(monkeypatch):
    learned = {
        "pairs": pairs(("It rains.", "The street is wet."), ("It snows.", "It is cold."), names=("text", "text_pair")),
        "others": pairs(("A dog barks.", "A cat sleeps.")),
    }
    parts = tuple(SimpleNamespace(task=SimpleNamespace(name=name, train="train")) for name in learned)
    monkeypatch.setattr(
        contamination, "task_data", lambda part: SimpleNamespace(splits={"train": learned[part.task.name]})
    )
    scored = pairs(("The street is wet.", "It rains."), ("it is COLD", "It snows!"), ("A dog barks.", "It is cold."))
    facts = contamination._in_tasks(parts, scored)
    assert (facts["of"], facts["dirty"], facts["exact"], facts["location"]) == ("tasks", ["0", "1"], 1, "pairs, others")
    record = ContaminationRecord.model_validate(
        {"kind": "contamination", "cell": "c", "task": {"name": "t"}, "split": "dev", "n": 3, **facts}
    )
    assert contamination_note(record).startswith(
        "2 of 3 examples of dev stand in the tasks that it was meta-trained on, 1 letter for letter"
    )
