"""SQuAD's JSON: articles, questions without answers, positions of answers, and damaged files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.specs import TaskSpec
from harness.data import load, state

Shipped = Callable[[str], TaskSpec]
Write = Callable[[str, "str | bytes"], Path]

CONTEXT = "Bees fly. They make honey."


def question(key: str, answers: list[tuple[str, int]] | None = None, **values: Any) -> dict[str, Any]:
    given = [] if answers is None else [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": key, "question": f"What is {key}?", "answers": given, **values}


def article(title: str, *questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}


def squad(*articles: Any) -> str:
    return json.dumps({"version": "1.1", "data": list(articles)})


def test_xquad_is_read_whole_and_split_by_article(real_data: Path, shipped: Shipped) -> None:
    data = load(shipped("squad"), str(real_data))
    train, dev = data.splits["train"], data.splits["dev"]
    assert (len(train), len(dev)) == (1077, 113)
    assert data.notes == ("train: read from xquad.en.json", "no dev split there: 113 rows of train serve as dev")
    assert not set(train.fields["context"]) & set(dev.fields["context"])
    titles = {
        entry["id"]: part["title"]
        for part in json.loads((real_data / "squad" / "xquad.en.json").read_text())["data"]
        for paragraph in part["paragraphs"]
        for entry in paragraph["qas"]
    }
    assert len(titles) == 1190
    assert set(titles) == set(train.ids) | set(dev.ids)
    assert not {titles[key] for key in train.ids} & {titles[key] for key in dev.ids}
    for split in (train, dev):
        assert split.starts is not None and split.labels is not None
        for context, answers, starts in zip(split.fields["context"], split.labels, split.starts, strict=True):
            assert [context[start:].startswith(text) for text, start in zip(answers, starts, strict=True)] == [True]


def test_a_file_alone_gives_the_same_questions(real_data: Path, shipped: Shipped) -> None:
    alone = load(shipped("squad"), str(real_data / "squad" / "xquad.en.json"))
    assert alone.fingerprint == load(shipped("squad"), str(real_data)).fingerprint
    assert len(load(shipped("squad"), str(real_data), limit=7).splits["train"]) == 7


def test_a_folder_of_one_version_lacks_the_other(real_data: Path, shipped: Shipped) -> None:
    for call in (load, state):
        with pytest.raises(TaskAbsentError, match=r"lacks the files of task 'squad_v2': train-v2\.0\.json; dev-v2"):
            call(shipped("squad_v2"), str(real_data))


@pytest.mark.parametrize("folder", ["squad/", "SQuAD/", "", "mine/"])
def test_the_published_files_are_found_by_their_names(
    shipped: Shipped, write: Write, tmp_path: Path, folder: str
) -> None:
    write(f"{folder}train-v1.1.json", squad(article("Bees", question("a", [("fly", 5)]))))
    write(f"{folder}dev-v1.1.json", squad(article("Cows", question("b", [("honey", 20), ("make honey", 15)]))))
    data = load(shipped("squad"), str(tmp_path / folder))
    assert data.splits["train"].fields == {"question": ("What is a?",), "context": (CONTEXT,)}
    assert (data.splits["dev"].labels, data.splits["dev"].starts) == ((("honey", "make honey"),), ((20, 15),))
    assert data.splits["dev"].ids == ("b",)
    assert data.notes == ()


def test_impossible_questions_have_no_answer(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    plausible = question("b", None, is_impossible=True, plausible_answers=[{"text": "fly", "answer_start": 5}])
    possible = question("a", [("fly", 5)], is_impossible=False)
    write("squad/train-v2.0.json", squad(article("Bees", possible, plausible)))
    write("squad/dev-v2.0.json", squad(article("Bees", plausible)))
    data = load(shipped("squad_v2"), str(tmp_path))
    assert data.splits["train"].labels == (("fly",), ())
    assert data.splits["train"].starts == ((5,), ())
    assert data.splits["dev"].labels == ((),)


def test_one_file_without_dev_is_cut_by_article_whatever_its_name(
    shipped: Shipped, write: Write, tmp_path: Path
) -> None:
    articles = [
        article(f"title {one}", *[question(f"{one}-{two}", [("fly", 5)]) for two in range(5)]) for one in range(8)
    ]
    write("squad/train.json", squad(*articles))
    data = load(shipped("squad"), str(tmp_path))
    assert {key.split("-")[0] for key in data.splits["dev"].ids}.isdisjoint(
        key.split("-")[0] for key in data.splits["train"].ids
    )
    assert len(data.splits["dev"]) == 5
    assert load(shipped("squad"), str(tmp_path), splits=["train"]).splits["train"].ids == data.splits["train"].ids


@pytest.mark.parametrize(
    ("answer", "start", "found"),
    [
        ("fly", 5, ("fly", 5)),
        ("fly", 4, ("fly", 5)),
        (" fly", 5, ("fly", 5)),
        (" fly", 4, (" fly", 4)),
        ("honey. ", 20, ("honey.", 20)),
    ],
)
def test_white_space_around_an_answer_may_be_lost(
    shipped: Shipped, write: Write, tmp_path: Path, answer: str, start: int, found: tuple[str, int]
) -> None:
    write("squad/test.json", squad(article("Bees", question("a", [(answer, start)]))))
    test = load(shipped("squad"), str(tmp_path), splits=["test"]).splits["test"]
    assert (test.labels, test.starts) == (((found[0],),), ((found[1],),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            squad(article("Bees", question("a", [("fly", 6)]))),
            "question a: the answer 'fly' does not stand at character 6 of its context",
        ),
        (squad(article("Bees", question("a", [("fly", -3)]))), "question a: the answer 'fly' does not stand at"),
        (squad(article("Bees", question("a", [(" ", 4)]))), "question a: an answer is blank"),
        (squad(article("Bees", question("a", [], is_impossible=False))), "question a: no answer, though it is not"),
        (squad(article("Bees", question("a", [("fly", 5)], question=3))), "question a: 'question' should be text"),
        (squad(article("Bees", question("a", answers=None) | {"answers": "fly"})), "'answers' should be a list"),
        (
            squad(article("Bees", question("a", [("fly", 5)]) | {"answers": [{"text": "fly"}]})),
            "question a: 'answer_start' should be a whole number, found None",
        ),
        (squad(article("Bees", {"question": "?"})), "article 1, paragraph 1, question 1: no 'id'; found: question"),
        (
            squad(article("Bees", question("a", [("fly", 5)]), {"id": "b", "question": "?"})),
            "question b: no 'answers', while other questions of the file have some",
        ),
        (
            squad(article("A", question("a", [("fly", 5)])), article("B", question("a", [("fly", 5)]))),
            "question a: id 'a' is already that of",
        ),
        (squad({"title": "Bees", "paragraphs": [{"qas": []}]}), "article 1, paragraph 1: no 'context'; found: qas"),
        (squad({"title": "Bees", "paragraphs": {}}), "article 1: 'paragraphs' should be a list, found dict"),
        (squad("Bees"), "article 1: expected an object, found str"),
        (squad(), "holds no rows"),
        ("[]", "expected SQuAD's JSON, an object whose 'data' is a list of articles"),
        (squad(article("Bees", question("a", [("fly", 5)])))[:-10], "train-v1.1.json:1: not JSON: "),
    ],
)
def test_a_damaged_file_names_the_place(
    shipped: Shipped, write: Write, tmp_path: Path, content: str, message: str
) -> None:
    write("squad/train-v1.1.json", content)
    with pytest.raises(HarnessError, match=re.escape(message)) as raised:
        load(shipped("squad"), str(tmp_path), splits=["train"])
    assert "train-v1.1.json" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not isinstance(raised.value, TaskAbsentError)


def test_a_test_set_may_keep_its_answers_secret(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("squad/test.json", squad(article("Bees", {"id": "a", "question": "?"})))
    test = load(shipped("squad"), str(tmp_path), splits=["test"]).splits["test"]
    assert (test.ids, test.labels) == (("a",), None)


def test_files_that_could_be_anybodys_are_no_download(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\na,good\n")
    write("test.json", "[]")
    write("test.txt", "a")
    write("test.en", "a")
    write("test.fr", "a")
    for name in ("squad", "squad_v2", "multi30k-en-fr", "dialogsum"):
        with pytest.raises(TaskAbsentError, match=f"does not fit task '{name}'"):
            load(shipped(name), str(tmp_path), splits=["train"])


def test_the_state_sees_the_file(shipped: Shipped, write: Write, tmp_path: Path) -> None:
    write("squad/train-v1.1.json", squad(article("Bees", question("a", [("fly", 5)]))))
    before = state(shipped("squad"), str(tmp_path))
    write("squad/train-v1.1.json", squad(article("Bees", question("ab", [("fly", 5)]))))
    assert state(shipped("squad"), str(tmp_path)) != before
