"""Embedded tasks whose answers are texts: true to what is told, fluent, and without shortcuts."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import cache
from statistics import mean
from typing import Any

import pytest

from harness.data import synthetic as embedded
from harness.data.synthetic import question_answering
from harness.data.synthetic.concepts import MEN, WOMEN, is_a
from harness.data.synthetic.invent import held_out
from harness.data.synthetic.meaning import ENTAILMENT, PARTICIPANTS, Event, Thing, verdict
from harness.data.synthetic.passages import Passage
from harness.data.synthetic.question_answering import Question
from harness.data.synthetic.rows import HELD_OUT_FRACTION
from harness.data.synthetic.text_shapes import DRAWN
from harness.data.synthetic.texts import draw

Columns = dict[str, list]

QUESTIONS = ("question-answering", "question-answering-null")
TEXT_OF = {"summarization": "text", "generation": "text"} | dict.fromkeys(QUESTIONS, "context")


@cache
def built(shape: str) -> dict[str, Columns]:
    return embedded.build(shape)


def all_rows(shape: str) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, row, strict=True))
        for columns in built(shape).values()
        for row in zip(*columns.values(), strict=True)
    ]


@cache
def meant(shape: str) -> dict[tuple[str, str], tuple[Passage, Question, list[tuple[int, str]]]]:
    """The meanings behind the rows, noted while they are drawn."""
    noted = {}
    original = question_answering.question_about

    def noting(rng: Any, passage: Passage, *arguments: Any) -> Any:
        drawn = original(rng, passage, *arguments)
        if drawn is not None:
            noted.setdefault((passage.text, drawn[0].text), (passage, *drawn))
        return drawn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(question_answering, "question_about", noting)
        embedded.build(shape)
    return noted


@pytest.mark.parametrize("shape", TEXT_OF)
def test_columns_are_complete_and_ids_unique(shape: str) -> None:
    ids = [row["id"] for row in all_rows(shape)]
    assert len(set(ids)) == len(ids)
    for split, size in DRAWN[shape].sizes.items():
        assert list(built(shape)[split]) == ["id", *DRAWN[shape].columns]
        assert {len(values) for values in built(shape)[split].values()} == {size}


@pytest.mark.parametrize("shape", TEXT_OF)
def test_splits_share_no_text(shape: str) -> None:
    for one, other in itertools.combinations(built(shape).values(), 2):
        assert not set(one[TEXT_OF[shape]]) & set(other[TEXT_OF[shape]])


@pytest.mark.parametrize("shape", [*QUESTIONS, "summarization"])
def test_held_out_combinations_occur_in_evaluation_only(shape: str) -> None:
    for split, pieces in draw(shape, DRAWN[shape]).items():
        novel = [(any(held_out(*pair) for pair in piece.combinations), len(piece.rows)) for piece in pieces]
        rows = sum(rows for is_novel, rows in novel if is_novel)
        size = sum(rows for _, rows in novel)
        assert rows == 0 if split == "train" else abs(rows / size - HELD_OUT_FRACTION) < 0.04


@pytest.mark.parametrize("shape", QUESTIONS)
def test_no_training_question_takes_a_held_out_combination_for_granted(shape: str) -> None:
    noted, train = meant(shape), built(shape)["train"]
    for key in zip(train["context"], train["question"], strict=True):
        taken = noted[key][1].taken
        assert taken.agent is None or not held_out(taken.agent.key, taken.action)


@pytest.mark.parametrize("shape", TEXT_OF)
def test_texts_are_sentences_with_the_right_articles(shape: str) -> None:
    for row in all_rows(shape):
        for told in (row[TEXT_OF[shape]], row.get("question", "What?"), *row.get("summary", ())):
            assert told[0].isupper() and told[-1] in '.?"'
            assert "  " not in told and " ," not in told and ".." not in told
            assert not re.search(r"\b[Aa] [aeiou](?!ne\b|we\b)|\b[Aa]n [^aeiou]", told), told


@pytest.mark.parametrize("shape", QUESTIONS)
def test_answers_stand_in_the_context_where_it_is_said(shape: str) -> None:
    for row in all_rows(shape):
        assert len(row["answers"]) == len(row["starts"]) == len(set(row["answers"]))
        for answer, start in zip(row["answers"], row["starts"], strict=True):
            around = f" {row['context']} "[start : start + len(answer) + 2]
            assert re.fullmatch(rf"\W{re.escape(answer)}\W", around)


@pytest.mark.parametrize("shape", QUESTIONS)
def test_several_questions_share_a_passage_and_none_is_asked_twice(shape: str) -> None:
    contexts: dict[str, set[str]] = {}
    for row in all_rows(shape):
        contexts.setdefault(row["title"], set()).add(row["context"])
    assert all(len(texts) == 1 for texts in contexts.values())
    assert len(set.union(*contexts.values())) == len(contexts)
    assert 3 < len(all_rows(shape)) / len(contexts) < 5
    asked = [(row["title"], row["question"]) for row in all_rows(shape)]
    assert len(set(asked)) == len(asked)


def fillers(passage: Passage, question: Question) -> set[Any]:
    """By going through all there is in the passage: what, put in for what is asked, makes something that it tells."""
    told = [event for event in passage.events if not event.negated]
    roles = PARTICIPANTS if question.asked in PARTICIPANTS else (question.asked,)
    options = {value for event in told for role in roles if (value := getattr(event, role))}
    if question.sort:
        options = {thing for thing in options if is_a(thing.kind, question.sort)}
    if question.kind == "how many":
        asked: Thing = getattr(question.taken, question.asked)
        options = {thing for thing in options if thing.plural and thing.kind == asked.kind}
    return {
        option
        for option in options
        if any(verdict(event, question.taken.having(question.asked, option)) == ENTAILMENT for event in told)
    }


@pytest.mark.parametrize("shape", QUESTIONS)
def test_what_is_told_gives_one_answer_or_none(shape: str) -> None:
    noted = meant(shape)
    for row in all_rows(shape):
        passage, question, found = noted[row["context"], row["question"]]
        expected = {getattr(passage.events[number], role) for number, role in found}
        assert fillers(passage, question) == expected, (row["context"], row["question"])
        assert bool(row["answers"]) == bool(expected)


@pytest.mark.parametrize("shape", QUESTIONS)
def test_the_answer_is_never_the_only_thing_of_its_sort(shape: str) -> None:
    def candidates(events: tuple[Event, ...], question: Question) -> set[str]:
        circumstance = {"where": "place", "when": "time", "how": "manner"}.get(question.kind)
        if circumstance:
            return {getattr(event, circumstance) for event in events} - {""}
        things = [thing for event in events for role in PARTICIPANTS if (thing := getattr(event, role))]
        if question.kind == "how many":
            return {thing.number for thing in things if thing.plural}
        return {
            thing.key for thing in things if is_a(thing.kind, "person") == (question.kind == "who") or question.sort
        }

    for passage, question, _ in meant(shape).values():
        assert len(candidates(passage.events, question)) > 1


@pytest.mark.parametrize("shape", QUESTIONS)
def test_questions_are_of_all_kinds_and_answers_anywhere(shape: str) -> None:
    rows = [row for row in all_rows(shape) if row["answers"]]
    noted = meant(shape)
    kinds = Counter(noted[row["context"], row["question"]][1].kind for row in rows)
    assert set(kinds) == set(question_answering.KINDS)
    assert min(kinds.values()) > 0.02 * len(rows) and max(kinds.values()) < 0.4 * len(rows)
    tenths = Counter(10 * row["starts"][0] // len(row["context"]) for row in rows)
    assert all(0.07 < tenths[tenth] / len(rows) < 0.13 for tenth in range(10))


@pytest.mark.parametrize("shape", QUESTIONS)
def test_passages_are_short_enough_for_small_models(shape: str) -> None:
    assert all(40 <= len(row["context"].split()) <= 90 for row in all_rows(shape))
    assert all(5 <= len(meant(shape)[row["context"], row["question"]][0].events) <= 8 for row in all_rows(shape))
    assert max(len(row["question"].split()) for row in all_rows(shape)) <= 25


def test_a_third_of_the_questions_has_no_answer_where_some_may_have_none() -> None:
    assert all(row["answers"] for row in all_rows("question-answering"))
    for columns in built("question-answering-null").values():
        none = [not answers for answers in columns["answers"]]
        assert mean(none) == pytest.approx(1 / 3, abs=0.05)


def test_the_question_alone_does_not_tell_whether_it_has_an_answer() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    train, dev = built("question-answering-null")["train"], built("question-answering-null")["dev"]
    words = CountVectorizer(binary=True, ngram_range=(1, 2))
    truth = [bool(answers) for answers in train["answers"]]
    model = LogisticRegression(C=0.3, max_iter=200).fit(words.fit_transform(train["question"]), truth)
    expected = [bool(answers) for answers in dev["answers"]]
    assert model.score(words.transform(dev["question"]), expected) < mean(expected) + 0.05


def overlap(one: str, other: str) -> float:
    """F1 of the words that two texts share."""
    left, right = (Counter(re.findall(r"[a-z-]+", text.lower())) for text in (one, other))
    return 2 * sum((left & right).values()) / (sum(left.values()) + sum(right.values()))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?]) ", text)


@pytest.mark.parametrize("shape", [*QUESTIONS, "summarization"])
def test_he_and_she_are_in_the_sentence_before(shape: str) -> None:
    known = {"he": {*MEN, "boy", "he", "He"}, "she": {*WOMEN, "girl", "she", "She"}}
    for told in {row[TEXT_OF[shape]] for row in all_rows(shape)}:
        for before, sentence in itertools.pairwise(sentences(told)):
            for pronoun in {"he", "she"} & set(sentence.lower().split()):
                assert len(known[pronoun] & set(re.findall(r"\w+", before))) == 1


def test_reports_and_summaries_have_the_lengths_of_the_task() -> None:
    for row in all_rows("summarization"):
        assert 60 <= len(row["text"].split()) <= 110
        assert 6 <= len(sentences(row["text"])) <= 10
        assert len(set(row["summary"])) == len(row["summary"]) == 2
        assert all(8 <= len(summary.split()) <= 20 for summary in row["summary"])


def test_first_sentences_are_a_fair_summary_but_what_is_told_twice_is_a_better_one() -> None:
    scores: dict[str, list[float]] = {"lead": [], "lead-3": [], "retold": [], "best": []}
    best_is_first = []
    for row in all_rows("summarization"):
        told = sentences(row["text"])
        score = {text: max(overlap(text, summary) for summary in row["summary"]) for text in told}
        scores["lead"].append(score[told[0]])
        scores["lead-3"].append(max(overlap(" ".join(told[:3]), summary) for summary in row["summary"]))
        alike = [max(overlap(one, other) for other in told if other is not one) for one in told]
        scores["retold"].append(score[told[alike.index(max(alike))]])
        scores["best"].append(max(score.values()))
        best_is_first.append(score[told[0]] == max(score.values()))
    average = {name: mean(values) for name, values in scores.items()}
    assert 0.35 < average["lead"] < average["lead-3"] < 0.6
    assert average["lead-3"] + 0.05 < average["retold"] < average["best"] - 0.1
    assert average["best"] < 0.9
    assert mean(best_is_first) < 0.3


def test_summaries_tell_only_what_the_report_tells() -> None:
    known = re.compile(r"\b(?:[A-Z][a-z]+|two|three|four|five|six)\b")
    for row in all_rows("summarization"):
        told = {word.lower() for word in known.findall(row["text"])}
        for summary in row["summary"]:
            assert {word.lower() for word in known.findall(summary)} - told <= {"the", "in", "at", "on"}


@pytest.mark.slow
def test_documents_of_the_generation_task_are_not_in_the_corpus() -> None:
    documents = [row["text"] for row in all_rows("generation")]
    assert len(set(documents)) == len(documents)
    assert set(documents).isdisjoint(embedded.corpus(200_000, seed=0))
    assert min(len(sentences(document)) for document in documents) >= 3
