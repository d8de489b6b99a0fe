"""SQuAD's JSON, versions 1.1 and 2.0, as a table of questions: articles hold paragraphs, paragraphs hold questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.data.table import Table

NAMES = ("id", "title", "context", "question", "answers")


def is_squad(content: object) -> bool:
    """Whether a JSON document has the outline of SQuAD's."""
    return isinstance(content, dict) and isinstance(content.get("data"), list)


def squad_table(path: Path, content: Mapping[str, Any]) -> Table:
    """A row a question: `id`, `title` of the article, `context`, `question` and `answers`.

    `answers` are `{"text": [...], "answer_start": [...]}`, both empty for a question that is impossible to answer; the
    column is left out where no question of the file has answers, as in a test set.

    Raises:
        HarnessError: a part is missing or of another kind, or a question that is not impossible lacks its answers;
            with the article, paragraph and question it is in.
    """
    rows: list[tuple[Any, ...]] = []
    unanswered: list[str] = []
    for number, article in enumerate(content["data"], start=1):
        where = f"{path}, article {number}"
        title = article.get("title") if isinstance(article, dict) else None
        title = title if isinstance(title, str) else f"article {number}"
        for place, paragraph in _parts(article, "paragraphs", "paragraph", where):
            context = part_of(paragraph, "context", str, place)
            for spot, question in _parts(paragraph, "qas", "question", place):
                key = _identifier(question, spot)
                spot = f"{path}, question {key}"
                answers = _answers(question, spot)
                if answers is None:
                    unanswered.append(spot)
                rows.append((key, title, context, part_of(question, "question", str, spot), answers))
    if unanswered and len(unanswered) < len(rows):
        raise HarnessError(f"{unanswered[0]}: no 'answers', while other questions of the file have some")
    columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(NAMES, ())
    if unanswered:
        del columns["answers"]
    places = [f"question {row[0]}" for row in rows]
    return Table(str(path), tuple(columns), columns.__getitem__, range(len(rows)), places=places)


def _parts(whole: Any, key: str, word: str, where: str) -> Iterator[tuple[str, Any]]:
    for number, part in enumerate(part_of(whole, key, list, where), start=1):
        yield f"{where}, {word} {number}", part


def part_of(whole: Any, key: str, kind: type, where: str) -> Any:
    """What a JSON object has under a key. Raises HarnessError where that is not there, or of another kind."""
    if not isinstance(whole, dict):
        raise HarnessError(f"{where}: expected an object, found {type(whole).__name__}")
    if key not in whole:
        raise HarnessError(f"{where}: no '{key}'; found: {', '.join(whole) or 'nothing'}")
    value = whole[key]
    if not isinstance(value, kind):
        expected = "text" if kind is str else "a list" if kind is list else "an object"
        raise HarnessError(f"{where}: '{key}' should be {expected}, found {type(value).__name__}")
    return value


def _identifier(question: Any, where: str) -> str:
    """SQuAD's ids are text, those of some of its kin are numbers."""
    if isinstance(question, dict) and isinstance(question.get("id"), int):
        return str(question["id"])
    return part_of(question, "id", str, where)


def _answers(question: Mapping[str, Any], where: str) -> dict[str, list[Any]] | None:
    """The texts and positions; empty ones where there is no answer, None where answers are not given."""
    if question.get("is_impossible") is True:
        return {"text": [], "answer_start": []}
    if "answers" not in question:
        return None
    answers = part_of(question, "answers", list, where)
    if not answers and question.get("is_impossible") is False:
        raise HarnessError(f"{where}: no answer, though it is not marked impossible")
    for answer in answers:
        part_of(answer, "text", str, where)
        start = answer.get("answer_start")
        if not isinstance(start, int) or isinstance(start, bool):
            raise HarnessError(f"{where}: 'answer_start' should be a whole number, found {start!r}")
    return {
        "text": [answer["text"] for answer in answers],
        "answer_start": [answer["answer_start"] for answer in answers],
    }
