"""MultiRC from its files to a verdict: F1 over answers and exact match by question, together the task's score."""

from __future__ import annotations

import json

import pytest


def paragraph(number: int) -> str:
    colour = ("red", "blue", "green")[number % 3]
    answers = [{"text": name, "label": int(name == colour)} for name in ("red", "blue", "green")]
    questions = [{"question": f"What colour is it{mark}", "answers": answers} for mark in ("?", " now?")]
    return json.dumps({"passage": {"text": f"Thing {number} is {colour}.", "questions": questions}})


@pytest.fixture
def data(tmp_path):
    (tmp_path / "MultiRC").mkdir()
    for name, numbers in (("train", range(60)), ("val", range(100, 115))):
        (tmp_path / "MultiRC" / f"{name}.jsonl").write_text("\n".join(map(paragraph, numbers)) + "\n")
    return str(tmp_path)


def test_multirc_is_scored_by_answers_and_by_questions(harness, data, tmp_path):
    asked = ("run", "--task", "multirc", "--data", data, "--model", "tfidf", "--model", "majority")
    harness(*asked, code=0)
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("record.json")]
    scores = {one["model"]["learner"]: one["scores"] for one in records if one["kind"] == "score"}
    assert set(scores["majority"]) == {"f1", "question_exact_match", "accuracy"}
    of_questions = scores["majority"]["question_exact_match"]
    assert of_questions["value"] == 0 and "Wilson" in of_questions["method"]  # one answer of three is right
    assert of_questions["high"] == pytest.approx(0.1135, abs=1e-3)  # of 30 questions
    harness("baseline", "accept", "--name", "before", code=0)
    text = harness("gate", "--baseline", "before", code=0).stdout
    assert "multirc" in text
    text = harness("compare", "latest", "latest", "--model", "tfidf=majority").stdout
    assert "question_exact_match" in text
    (row,) = (line for line in harness("leaderboard", code=0).stdout.splitlines() if "tfidf" in line)
    both = [scores["tfidf"][name]["value"] for name in ("f1", "question_exact_match")]
    assert f"{50 * sum(both):.1f}" in row
    harness("leaderboard", "--html", "page.html", code=0)
