"""The embedded world: the same everywhere, true to its semantics, balanced, and without shortcuts."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.data import synthetic as embedded
from harness.data.synthetic import _SHAPES, NOISE, SHAPES, coreference, pairs, sentiment
from harness.data.synthetic.english import Plan, clause, text
from harness.data.synthetic.english_words import VERBS_OF
from harness.data.synthetic.invent import held_out
from harness.data.synthetic.logic import connected_verdict, quantified_verdict
from harness.data.synthetic.meaning import (
    EQUAL,
    NARROWER,
    OPPOSED,
    WIDER,
    Event,
    State,
    Thing,
    equivalent,
    verdict,
)
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import HELD_OUT_FRACTION, draw

FINGERPRINTS: dict[str, str] = {
    "acceptability": "755ea39ff2bba31d",
    "sentiment": "f6bdfadac4d28225",
    "paraphrase": "f4f657a7fe843722",
    "question-paraphrase": "5f7d4a872af0b415",
    "similarity": "dc47e238f99f444a",
    "inference": "626eb650f9ab1292",
    "question-entailment": "32c6d7d99f457a3c",
    "entailment": "9cee0652d2e2fc44",
    "coreference": "1ba0928b24d88908",
    "diagnostic": "8cefe0a1270759ac",
    "question-answering": "27e7be58b17eeffa",
    "question-answering-null": "924de64daec2a44f",
    "summarization": "4964f1e40d0aa4c8",
    "generation": "b03e2846095122ae",
}
LABELLED = tuple(_SHAPES)
CLASSES = [shape for shape in LABELLED if shape != "similarity"]


@cache
def built(shape: str) -> dict[str, dict[str, list]]:
    return embedded.build(shape)


def fingerprint(shape: str) -> str:
    canonical = json.dumps(built(shape), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def texts_of(shape: str, split: str) -> set[str]:
    return {text for field in _SHAPES[shape].fields for text in built(shape)[split][field]}


@pytest.mark.parametrize("shape", LABELLED)
def test_content_changes_only_with_the_version(shape: str) -> None:
    assert FINGERPRINTS[shape] == fingerprint(shape), (
        f"the content of {shape} changed: bump WORLD_VERSION in harness/data/synthetic/rows.py and pin the new fingerprint"
    )


@pytest.mark.slow
def test_a_fresh_process_with_another_hash_seed_builds_the_same() -> None:
    code = (
        "import hashlib, json; from harness.data import synthetic as e; "
        "print(hashlib.sha256(json.dumps([[e.build(s) for s in e.SHAPES], list(e.corpus(500, 3))]).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    here = json.dumps([[built(shape) for shape in SHAPES], list(embedded.corpus(500, 3))])
    assert done.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


def test_an_unknown_shape_is_named_with_the_closest_known() -> None:
    with pytest.raises(HarnessError, match=r"unknown synthetic template 'sentimnt'\. Did you mean 'sentiment'\?"):
        embedded.build("sentimnt")


@pytest.mark.parametrize("shape", LABELLED)
def test_columns_are_complete_and_ids_unique(shape: str) -> None:
    identities = [identity for columns in built(shape).values() for identity in columns["id"]]
    assert len(set(identities)) == len(identities)
    for columns in built(shape).values():
        assert list(columns) == ["id", *_SHAPES[shape].fields, "label", "oracle"]
        assert len({len(values) for values in columns.values()}) == 1
        allowed = _SHAPES[shape].labels
        for value in columns["label"] + columns["oracle"]:
            assert value in allowed if allowed else isinstance(value, float) and 0 <= value <= 5


@pytest.mark.parametrize("shape", LABELLED)
def test_splits_share_no_text(shape: str) -> None:
    for one, other in itertools.combinations(built(shape), 2):
        assert not texts_of(shape, one) & texts_of(shape, other)


@pytest.mark.parametrize("shape", CLASSES)
def test_labels_are_replaced_at_the_set_rate(shape: str) -> None:
    pairs_ = [
        pair for columns in built(shape).values() for pair in zip(columns["label"], columns["oracle"], strict=True)
    ]
    replaced, rate = sum(label != oracle for label, oracle in pairs_), NOISE[shape]
    assert abs(replaced - rate * len(pairs_)) < 4 * (rate * (1 - rate) * len(pairs_)) ** 0.5


def test_similarities_carry_small_noise() -> None:
    columns = built("similarity")["train"]
    inner = [
        label - oracle for label, oracle in zip(columns["label"], columns["oracle"], strict=True) if 1.5 < oracle < 3.5
    ]
    spread = (sum(one * one for one in inner) / len(inner)) ** 0.5
    assert spread == pytest.approx(NOISE["similarity"], rel=0.15)


@pytest.mark.parametrize("shape", CLASSES)
def test_classes_are_balanced_but_for_a_mild_majority(shape: str) -> None:
    for columns in built(shape).values():
        counts = Counter(columns["label"])
        assert max(counts.values()) / len(columns["label"]) < 1 / len(counts) + 0.13


@pytest.mark.parametrize("shape", LABELLED)
def test_held_out_combinations_occur_in_evaluation_only(shape: str) -> None:
    for split, rows in draw(shape, _SHAPES[shape]).items():
        novel = sum(any(held_out(*pair) for pair in row.combinations) for row in rows)
        assert novel == 0 if split == "train" else abs(novel / len(rows) - HELD_OUT_FRACTION) < 0.02


def test_the_mismatched_genre_has_other_people() -> None:
    known = set(re.findall(r"[A-Z]\w+", " ".join(texts_of("inference", "train"))))
    assert not {"Ingrid", "Naomi", "Pedro", "Kenji"} & known
    assert "Ingrid" in " ".join(texts_of("inference", "dev_mismatched"))


@pytest.mark.parametrize("field", ["hypothesis"])
@pytest.mark.parametrize("shape", ["inference", "entailment", "question-entailment"])
def test_the_hypothesis_alone_does_not_give_the_label(shape: str, field: str) -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    train = built(shape)["train"]
    other = next(columns for split, columns in built(shape).items() if split.startswith("dev"))
    words = CountVectorizer(binary=True)
    model = LogisticRegression(C=0.3, max_iter=200).fit(words.fit_transform(train[field]), train["label"])
    chance = 1 / len(set(train["label"]))
    assert model.score(words.transform(other[field]), other["label"]) < chance + 0.08


def test_the_corpus_streams_and_is_deterministic() -> None:
    first = list(itertools.islice(embedded.corpus(10**9, seed=5), 10))
    assert first == list(itertools.islice(embedded.corpus(10**9, seed=5), 10))
    assert first != list(itertools.islice(embedded.corpus(10**9, seed=6), 10))


def test_the_corpus_has_about_the_sentences_asked_for_in_short_documents() -> None:
    documents = list(embedded.corpus(2000))
    sentences = [len(re.findall(r"[.?](?= [A-Z]|$)", document)) for document in documents]
    assert abs(sum(sentences) - 2000) < 60
    assert min(sentences) >= 3
    assert max(sentences) <= 9


def test_the_corpus_knows_nearly_all_words_of_the_tasks() -> None:
    def words(texts: list[str]) -> set[str]:
        return {word for one in texts for word in re.findall(r"[a-z-]+", one.lower())}

    told = words(list(embedded.corpus(40_000)))
    used = words([one for shape in LABELLED for split in built(shape) for one in texts_of(shape, split)])
    assert len(used - told) < 0.03 * len(used)
    assert 600 < len(used) < 1500


@pytest.mark.parametrize("shape", LABELLED)
def test_texts_are_sentences_with_the_right_articles(shape: str) -> None:
    for columns in built(shape).values():
        for field in _SHAPES[shape].fields:
            for row, sentence in enumerate(columns[field]):
                assert sentence[0].isupper() or sentence[0] == '"'
                assert sentence[-1] in '.?"'
                assert "  " not in sentence
                if shape != "acceptability" or columns["oracle"][row] == "acceptable":
                    assert not re.search(r"\b[Aa] [aeiou](?!ne\b|we\b)|\b[Aa]n [^aeiou]", sentence), sentence


ANNA, TOM = Thing("woman", "Anna"), Thing("man", "Tom")
SALE = Event("sell", ANNA, Thing("mare", quality="old"), TOM, place="garden", time="may")


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (SALE._replace(place="", time=""), "entailment"),
        (SALE._replace(patient=Thing("horse")), "entailment"),
        (SALE._replace(agent=Thing("person"), time="spring", place="outdoors"), "entailment"),
        (SALE._replace(manner="gladly"), "neutral"),
        (SALE._replace(agent=Thing("baker")), "neutral"),
        (Event("wash", ANNA, Thing("mare")), "neutral"),
        (SALE._replace(patient=Thing("foal")), "contradiction"),
        (SALE._replace(patient=Thing("mare", quality="young")), "contradiction"),
        (SALE._replace(agent=TOM, partner=ANNA), "contradiction"),
        (SALE._replace(negated=True, time=""), "contradiction"),
        (State(Thing("mare"), "old"), "entailment"),
        (State(Thing("horse"), "young", negated=True), "entailment"),
        (State(Thing("mare"), "tame"), "neutral"),
    ],
)
def test_what_follows_from_a_sale(hypothesis: Event | State, expected: str) -> None:
    assert verdict(SALE, hypothesis) == expected


def test_denial_turns_the_direction_of_what_follows() -> None:
    denied = Event("run", ANNA, negated=True)
    assert verdict(denied, Event("sprint", ANNA, negated=True)) == "entailment"
    assert verdict(denied, Event("sprint", ANNA)) == "contradiction"
    assert verdict(denied, Event("move", ANNA)) == "neutral"
    assert (
        verdict(Event("open", ANNA, Thing("gate")), Event("close", ANNA, Thing("gate"), negated=True)) == "entailment"
    )


def test_denial_is_not_about_who_took_part() -> None:
    judge, official = Thing("judge", quality="cruel"), Thing("official")
    assert verdict(Event("sleep", judge, negated=True), Event("sleep", official, negated=True)) == "entailment"
    assert verdict(Event("sleep", official, negated=True), Event("sleep", judge, negated=True)) == "neutral"
    passive = Event("sell", None, Thing("mare"))
    assert verdict(Event("sell", judge, Thing("mare"), negated=True), passive) == "neutral"


def test_who_met_whom_does_not_matter_but_who_led_whom_does() -> None:
    assert equivalent(Event("meet", ANNA, TOM), Event("meet", TOM, ANNA))
    assert not equivalent(Event("lead", ANNA, TOM), Event("lead", TOM, ANNA))


def test_changed_roles_contradict_whatever_the_two_are_called() -> None:
    poet = Thing("poet")
    assert verdict(Event("praise", ANNA, poet), Event("praise", poet, ANNA)) == "contradiction"
    assert verdict(Event("praise", ANNA, TOM), Event("praise", Thing("person"), Thing("person"))) == "entailment"


def test_converse_verbs_and_passive_say_the_same_event() -> None:
    sell, buy = VERBS_OF["sell"][:2]
    event = Event("sell", ANNA, Thing("apple", definite=False), TOM)
    said = [text(clause(Rng(""), event, plan)) for plan in (Plan(sell), Plan(buy), Plan(sell, passive=True))]
    assert said == [
        "Anna sold an apple to Tom.",
        "Tom bought an apple from Anna.",
        "An apple was sold to Tom by Anna.",
    ]


def test_quantifiers_and_connectives_are_decided_by_models() -> None:
    assert quantified_verdict("every", "some", NARROWER, EQUAL) == "entailment"
    assert quantified_verdict("every", "every", NARROWER, WIDER) == "entailment"
    assert quantified_verdict("every", "every", WIDER, EQUAL) == "neutral"
    assert quantified_verdict("no", "some", NARROWER, EQUAL) == "contradiction"
    assert quantified_verdict("some", "not_every", EQUAL, OPPOSED) == "entailment"
    assert connected_verdict("and", "first") == "entailment"
    assert connected_verdict("or", "first") == "neutral"
    assert connected_verdict("nor", "second") == "contradiction"


def test_a_sentence_answers_a_question_if_it_fills_what_is_asked_and_says_the_rest() -> None:
    question = Event("sell", ANNA, Thing("mare"))
    assert pairs.answers(SALE, question._replace(place="park"), "place")
    assert not pairs.answers(SALE._replace(place=""), question._replace(place="park"), "place")
    assert not pairs.answers(SALE._replace(agent=TOM), question._replace(place="park"), "place")


def test_likeness_falls_with_every_part_that_differs() -> None:
    shared = [
        SALE,
        SALE._replace(time="june"),
        SALE._replace(time="june", patient=Thing("violin")),
        SALE._replace(action="lend", time="june", patient=Thing("violin")),
    ]
    scores = [pairs.graded_similarity(SALE, other) for other in shared]
    assert scores[0] == 5
    assert scores == sorted(set(scores), reverse=True)


def test_negation_turns_an_opinion() -> None:
    assert sentiment.valence(sentiment.Opinion("plot", "dull", denied=False)) < 0
    assert sentiment.valence(sentiment.Opinion("plot", "dull", denied=True)) > 0


def test_although_looks_for_the_opposite_reason() -> None:
    assert coreference.referent_of("beat", "weak", "because") == "patient"
    assert coreference.referent_of("beat", "weak", "although") == "agent"
