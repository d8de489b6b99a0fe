"""Augmentation: what each operation does, what it leaves alone, and that what is drawn depends on names alone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core import plugins
from harness.core.augment_spec import PRESETS, AugmentSpec, check_operations
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.data.augment import synonyms
from harness.data.augment.base import TextOperation, make_operation
from harness.data.augment.draws import Draws
from harness.data.augment.expand import Augmenter, Expansion, refused
from harness.data.augment.text import Span, Text, is_negation, joined, moved
from harness.data.frame import Split

REVIEW = "This film isn't bad, and I'm glad it lasted 90 minutes. It has no flaws worth the name. Go see it, people!"
PLAIN = "A warm and generous story about three sisters who open a bakery in a small town by the sea"
SYNONYMS = "film\tmovie\nstory\ttale\tnarrative\nsmall\tlittle\nbad\tawful\npeople\tfolks\ntown\tplace\n"


def spec(*operations: Any, **values: Any) -> AugmentSpec:
    return parse(AugmentSpec, {"operations": list(operations), **values}, "augment")


@cache
def task(name: str = "sst2") -> TaskSpec:
    return load_registry().task(name)


def made(name: str, text: str, number: int = 0, **options: Any) -> str:
    operation = make_operation(name, options, "augment")
    assert isinstance(operation, TextOperation)
    result = operation.apply(Text(text), Draws(number))
    return result if isinstance(result, str) else joined(text, result)


def many(name: str, text: str, count: int = 60, **options: Any) -> list[str]:
    return [made(name, text, number, **options) for number in range(count)]


def reviews(count: int = 12) -> Split:
    texts = tuple(f"{PLAIN}, number {index}, which is lovely to look at." for index in range(count))
    return Split(
        tuple(f"r{index}" for index in range(count)), {"text": texts}, tuple(index % 2 for index in range(count))
    )


def expanded(
    how: AugmentSpec, split: Split | None = None, seed: int = 0, of: str = "sst2", epoch: int = 0
) -> Expansion:
    return Augmenter(how, task(of), seed).expanded(reviews() if split is None else split, epoch)


def test_swapping_keeps_the_words_and_moves_as_many_as_asked() -> None:
    for text in many("swap", PLAIN, rate=0.1):
        assert Counter(text.split()) == Counter(PLAIN.split())
        assert sum(word != other for word, other in zip(text.split(), PLAIN.split(), strict=True)) == 2
    assert len(set(many("swap", PLAIN))) > 30


def test_deleting_removes_about_its_rate_of_the_words_and_never_all() -> None:
    texts = many("delete", PLAIN, 400, rate=0.2)
    left = [len(text.split()) for text in texts]
    assert 0.15 < 1 - sum(left) / (400 * len(PLAIN.split())) < 0.25
    assert all("  " not in text and text == text.strip() for text in texts)
    assert {made("delete", "lovely", number, rate=1.0) for number in range(5)} == {"lovely"}
    assert all(text for text in many("delete", "lovely warm", rate=1.0))


def test_typos_change_long_words_alone_and_keep_their_first_letter() -> None:
    for text in many("typos", PLAIN, rate=1.0):
        for word, typed in zip(PLAIN.split(), text.split(), strict=True):
            assert typed[0] == word[0] and (typed == word if len(word) < 4 else abs(len(typed) - len(word)) <= 1)


def test_case_is_one_of_the_styles_asked_for() -> None:
    assert set(many("case", PLAIN, styles=["upper"])) == {PLAIN.upper()}
    assert PLAIN.title().swapcase() not in many("case", PLAIN)
    assert {text.lower() for text in many("case", PLAIN)} == {PLAIN.lower()}


def test_punctuation_changes_marks_and_no_letters() -> None:
    letters = [letter for letter in REVIEW if letter.isalnum()]
    for text in many("punctuation", REVIEW, rate=1.0, insertion_rate=0.5):
        assert [letter for letter in text if letter.isalnum()] == letters
        assert "isn't" in text and "I'm" in text
    assert made("punctuation", "well-known, he's 3.5", rate=1.0, insertion_rate=0.0).startswith("well-known")


def test_aeda_puts_marks_between_words_at_most_one_for_every_third() -> None:
    counts = set()
    for text in many("aeda", PLAIN, 200):
        marks = [part for part in text.split() if not part.isalnum()]
        assert set(marks) <= set(".;?:!,") and [part for part in text.split() if part.isalnum()] == PLAIN.split()
        counts.add(len(marks))
    assert counts == set(range(1, len(PLAIN.split()) // 3 + 1))


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("It is not good.", "It isn't good."),
        ("They cannot act.", "They can't act."),
        ("It will not work.", "It won't work."),
        ("We are here now.", "We're here now."),
        ("I have seen it.", "I've seen it."),
        ("You will like it.", "You'll like it."),
        ("I am sure.", "I'm sure."),
        ("IT IS NOT GOOD", "IT ISN'T GOOD"),
    ],
)
def test_contractions_go_both_ways(long: str, short: str) -> None:
    assert made("contractions", long, mode="contract") == short
    assert made("contractions", short, mode="expand") == long


def test_contractions_leave_alone_what_would_be_no_english() -> None:
    for text in ("Here they are.", "Do you know who I am?", "Isn't it great?", "I have a car", "it's the dog's"):
        assert made("contractions", text, mode="contract") == text
    for text in ("Isn't it great?", "Don't you see", "it's the dog's"):
        assert made("contractions", text, mode="expand") == text
    assert made("contractions", "it does n't work", mode="expand") == "it does not work"


def test_cropping_leaves_a_part_of_at_least_the_size_asked_for() -> None:
    for text in many("crop", PLAIN, keep=0.7):
        assert text in PLAIN and len(text.split()) >= 0.7 * len(PLAIN.split())
    assert len({len(text.split()) for text in many("crop", PLAIN, keep=0.7)}) > 3
    assert made("crop", "short text") == "short text"


def test_sentences_are_shuffled_whole() -> None:
    text = "Mr. Smith came in. Was it late? He sat down!"
    orders = set(many("shuffle-sentences", text))
    assert len(orders) == 5 and text not in orders
    assert all(sorted(Text(order).sentences) and "Mr. Smith came in." in order for order in orders)
    assert made("shuffle-sentences", "One sentence alone.") == "One sentence alone."


def test_two_texts_of_one_class_become_one() -> None:
    split = reviews()
    rows = expanded(spec("concatenate", keep_original=False), split).split
    for text, label, original in zip(rows.fields["text"], rows.labels or (), split.fields["text"], strict=True):
        other = text.replace(original, "").strip()
        assert text in (f"{original} {other}", f"{other} {original}") and other != original
        assert (split.labels or ())[split.fields["text"].index(other)] == label


def test_synonyms_come_from_a_file_and_keep_the_case(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text(SYNONYMS)
    options = {"synonyms": str(tmp_path / "words.tsv"), "rate": 1.0}
    assert made("synonyms", "Film of a SMALL town", **options) == "Movie of a LITTLE place"
    assert set(many("synonyms", "a story", **options)) == {"a tale", "a narrative"}
    inserted = many("insert", "a story by people", synonyms=str(tmp_path / "words.tsv"))
    assert all(len(text.split()) == 5 for text in inserted)
    assert {word for text in inserted for word in text.split()} == {
        "a",
        "story",
        "by",
        "people",
        "tale",
        "narrative",
        "folks",
    }
    (tmp_path / "words.yaml").write_text("film: movie\nstory: [tale]\n")
    assert made("synonyms", "a film", synonyms=str(tmp_path / "words.yaml")) == "a movie"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.tsv", "film\n", "a.tsv, line 1: a word and its synonyms are expected"),
        ("a.tsv", "film\tmovie\nfilm\tpicture\n", "a.tsv, line 2: 'film' is given twice"),
        ("a.tsv", "\n\n", "a.tsv: no synonyms in it"),
        ("a.yaml", "film: 3\n", "a.yaml: film: a list of synonyms is expected"),
    ],
)
def test_a_bad_file_of_synonyms_is_one_line(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(HarnessError) as caught:
        make_operation("synonyms", {"synonyms": str(tmp_path / file)}, "augment").inputs()
    assert message in str(caught.value)


def test_without_wordnet_the_error_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    for cached in (synonyms._installed, synonyms._wordnet):
        cached.cache_clear()
    with pytest.raises(HarnessError, match=r"nltk\.download\('wordnet'\)"):
        make_operation("synonyms", {}, "augment").inputs()
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(HarnessError, match=r"pip install nltk.*nltk\.download\('wordnet'\)"):
        make_operation("synonyms", {}, "augment").inputs()


class Sense:
    """A synset: its words, each with how often it is meant so."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def lemmas(self) -> list[Any]:
        return [
            SimpleNamespace(name=partial(str, word), count=partial(int, count)) for word, count in self.counts.items()
        ]


class Words:
    """What is asked of NLTK's WordNet."""

    SENSES = (
        Sense(story=60, tale=10, narrative=5, account=0), Sense(story=3, floor=2),
        Sense(plot=5, scheme=9), Sense(plot=5, story=9),
        Sense(rare=1, scarce=8), Sense(rare=0, underdone=4),
        Sense(prurient=0, salacious=1), Sense(leave=50, departure=9), Sense(leaving=9, departure=9),
        Sense(sad=20, never=9, but=9, sorry=9),
    )  # fmt: skip

    def synsets(self, word: str) -> list[Sense]:
        return [sense for sense in self.SENSES if word in sense.counts]

    def morphy(self, word: str, pos: str) -> str | None:
        return {"leaving": "leave", "leave": "leave"}.get(word)


def test_wordnet_gives_other_words_of_a_sense_that_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synonyms, "_installed", lambda: (Words(), "of files"))
    synonyms._wordnet.cache_clear()
    known = synonyms.thesaurus("wordnet", 1)
    assert known.fingerprint == "of files"
    assert known.of("story") == ("tale", "narrative"), "of the usual sense, and no word its texts do not have"
    assert known.of("plot") == (), "no sense has most of its places"
    assert known.of("rare") == (), "one place says nothing"
    assert known.of("prurient") == ("salacious",), "it has one sense alone"
    assert known.of("leaving") == () and known.of("leave") == ("departure",), "an inflected word"
    assert known.of("sad") == ("sorry",), "no negation, and no word that stands for none"
    assert known.of("STORY") == () and known.of("Story") == known.of("story")
    assert synonyms.thesaurus("wordnet", 2).of("plot") == ("scheme", "story")
    synonyms._wordnet.cache_clear()


WORD_LEVEL = ("swap", "delete", "typos", "aeda", "crop", "punctuation", "shuffle-sentences")


@pytest.mark.parametrize("name", WORD_LEVEL)
def test_negations_and_numbers_stay(name: str) -> None:
    for text in many(name, REVIEW, 100):
        words = [word.strip(".,!?;:-") for word in text.split()]
        assert {"isn't", "no", "90"} <= set(words)


def test_synonyms_replace_no_negation_number_or_protected_word(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("no\tmany\n90\t80\nisn't\tis\nfilm\tmovie\nflaws\tfaults\n")
    how = spec({"synonyms": {"synonyms": str(tmp_path / "words.tsv"), "rate": 1.0}}, protect=["flaws"])
    split = Split(("a",), {"text": (REVIEW,)}, (1,))
    assert expanded(how, split).split.fields["text"][1] == REVIEW.replace("film", "movie")


def test_swapping_never_crosses_a_negation_nor_leaves_its_clause() -> None:
    text = "the plot is not clever but the cast is funny and warm"
    for new in many("swap", text, 200, rate=0.5):
        assert {"the", "plot", "is"} == set(new.split()[:3]) and new.split()[3] == "not"
        assert new.split()[4] == "clever" and new.split()[5] == "but"


def test_nothing_is_put_in_right_behind_a_negation(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("good\tnice\nfilm\tmovie\n")
    for text in many("insert", "not good film never dull", 100, synonyms=str(tmp_path / "words.tsv"), rate=0.6):
        assert "not good" in text and "never dull" in text


def test_what_negates() -> None:
    assert all(map(is_negation, ("not", "NO", "never", "don't", "isn’t", "n't", "without", "Hardly", "cannot", "dont")))
    assert not any(map(is_negation, ("note", "know", "nothingness", "ever", "with", "tent")))


def test_chinese_is_left_alone_by_operations_on_words() -> None:
    text = "这部电影不错 不值得看"
    assert {made(name, text) for name in ("swap", "delete", "typos", "aeda")} == {text}


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "don't", "'" * 50, "¿Qué? ¡No!", "👩‍👩‍👧 a\u200db", "((((", "3.5", "a"]
)
def test_texts_of_any_kind_are_texts_afterwards(text: str) -> None:
    split = Split(("a",), {"text": (text,)}, (0,))
    names = sorted({*plugins.table("augmentation").names()} - {"synonyms", "insert", *OF_MODELS})
    for row in expanded(spec(*names, copies=2 * len(names)), split).split.fields["text"]:
        assert isinstance(row, str) and bool(row.strip()) == bool(text.strip())


def test_what_must_stay_is_looked_up_in_long_texts_as_in_short_ones() -> None:
    text = Text("7 not a word " * 3000)
    assert len(text.kept) == 6000 and len(text.free) == len(text.words) - 6000 == 6000
    assert not any(map(text.is_kept, text.free)) and all(map(text.is_kept, text.kept))
    assert all(text[Span(place, place + 1)] in "7nw" for place in text.gaps)
    assert Text("x" * 50_000).free == [Span(0, 50_000)]


def test_a_span_is_found_again_where_its_pieces_went() -> None:
    text = Text("one two three four")
    one, two, three, four = text.words
    swapped = text.edited([(one, four), (four, one)])
    assert joined(text.text, swapped) == "four two three one"
    assert moved(Span(4, 13), swapped) == 5 and moved(four, swapped) == 0
    assert moved(Span(0, 7), swapped) is None
    removed = text.without([one, three])
    assert joined(text.text, removed) == "two four"
    assert moved(two, removed) == 0 and moved(four, removed) == 4 and moved(Span(4, 18), removed) is None
    assert moved(Span(3, 3), text.edited([])) == 3


ANSWERED = (
    "The fair opened in May. Its founder, Ada Byron King, never sold the old mill. It burned down, sadly, in winter."
)


def answered() -> Split:
    start = ANSWERED.index("Ada Byron King")
    return Split(
        ("q",),
        {"question": ("Who founded the fair?",), "context": (ANSWERED,)},
        (("Ada Byron King", "Ada"),),
        starts=((start, start),),
    )


OF_MODELS = {"back-translation", "masked-words", "mixup"}
"""Operations that take a model."""


@pytest.mark.parametrize(
    "name", sorted({*plugins.table("augmentation").names()} - {"synonyms", "insert", "concatenate", *OF_MODELS})
)
def test_answers_move_along(name: str) -> None:
    """Whatever was done to the context, its answers stand where the row says."""
    rows = expanded(spec(name, copies=60, keep_original=False), answered(), of="squad").split
    changed = 0
    for context, question, texts, starts in zip(
        rows.fields["context"], rows.fields["question"], rows.labels or (), rows.starts or (), strict=True
    ):
        changed += context != ANSWERED or question != "Who founded the fair?"
        for text, start in zip(texts, starts, strict=True):  # type: ignore[call-overload]
            assert context[start : start + len(text)] == text and text.casefold() in ("ada byron king", "ada")
        if name in ("swap", "delete", "crop", "shuffle-sentences"):
            assert question == "Who founded the fair?"
    assert changed > 20 or name == "contractions"


class Reversal(TextOperation):
    """Says nothing of where its pieces are from."""

    def apply(self, text: Text, draws: Draws) -> str:
        return " ".join(reversed(text.text.split()))


def test_where_an_answer_is_touched_the_original_is_kept_and_counted() -> None:
    before = plugins.snapshot()
    plugins.register("augmentation", "reversal", Reversal)
    try:
        made_rows = expanded(spec("reversal"), answered(), of="squad")
        one_word = Split(("q",), {"question": ("Who?",), "context": ("Ada sold it",)}, (("Ada",),), starts=((0,),))
        moved_rows = expanded(spec("reversal", keep_original=False), one_word, of="squad").split
    finally:
        plugins.restore(before)
    assert made_rows.split.fields["context"] == (ANSWERED, ANSWERED)
    assert (made_rows.facts.refused, made_rows.facts.augmented, made_rows.facts.unchanged) == (1, 0, 0)
    assert moved_rows.fields["context"] == ("it sold Ada",) and moved_rows.starts == ((8,),)


def test_rows_are_the_examples_and_their_copies_with_ids_and_labels() -> None:
    made_rows = expanded(spec("swap", "typos", copies=3))
    split = made_rows.split
    assert split.ids[:5] == ("r0", "r0~1", "r0~2", "r0~3", "r1") and len(split) == 48
    assert (split.labels or ())[:5] == (0, 0, 0, 0, 1)
    assert made_rows.facts.examples == 12 and made_rows.facts.augmented == 36
    assert set(made_rows.facts.by_operation.values()) == {18} or sum(made_rows.facts.by_operation.values()) == 36
    assert made_rows.made_by[0] == () and made_rows.made_by[1] in (("swap",), ("typos",))
    assert len(expanded(spec("swap", copies=3, keep_original=False)).split) == 36


def test_copies_take_the_operations_in_turn_or_all_of_them() -> None:
    names = ("swap", "typos", "aeda", "case")
    each_one = expanded(spec(*names, copies=4, keep_original=False))
    for example in range(12):
        assert sorted(sum(each_one.made_by[4 * example : 4 * example + 4], ())) == sorted(names)
    together = expanded(spec("swap", "aeda", choose="all", keep_original=False))
    assert set(together.made_by) == {("swap", "aeda")}


def test_what_is_drawn_depends_on_seed_id_and_copy_and_on_nothing_else() -> None:
    how = spec("swap", {"delete": {"rate": 0.3}}, "typos", copies=3)
    whole = dict(zip(*(lambda split: (split.ids, split.fields["text"]))(expanded(how).split), strict=True))
    part = expanded(how, reviews().select([7, 3])).split
    assert all(whole[name] == text for name, text in zip(part.ids, part.fields["text"], strict=True))
    assert len(set(whole.values())) > 40
    other_seed = expanded(how, seed=1).split.fields["text"]
    assert sum(text != whole[name] for name, text in zip(expanded(how).split.ids, other_seed, strict=True)) > 25


def test_each_epoch_has_rows_of_its_own_only_where_it_is_asked_for() -> None:
    fresh = spec("swap", each="epoch", copies=2, keep_original=False)
    first, second = (set(expanded(fresh, epoch=epoch).split.fields["text"]) for epoch in (0, 1))
    assert len(first & second) < 3
    assert expanded(fresh, epoch=1).split == expanded(fresh, epoch=1).split
    once = spec("swap", copies=2)
    assert expanded(once, epoch=1).split == expanded(once).split


def test_other_processes_draw_the_same() -> None:
    how = (
        "from tests.unit.data.test_augment import *; print(expanded(spec('swap', 'typos', copies=2)).split.fingerprint)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", how],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert printed.stdout.strip() == expanded(spec("swap", "typos", copies=2)).split.fingerprint


@pytest.mark.parametrize(
    ("of", "operation", "message"),
    [
        ("rte", "swap", "the label of a pair of texts (nli) can become another"),
        ("rte", "typos", "changes the spelling of words"),
        ("mrpc", "delete", "a pair of texts"),
        ("stsb", "swap", "similarity"),
        ("cola", "swap", "the label of cola is about the form of a text"),
        ("cola", "typos", "about the form"),
        ("cola", "aeda", "about the form"),
        ("multi30k-en-fr", "delete", "the answer of translation is of the text as it was"),
        ("wikitext", "typos", "the text itself is what language-modeling learns"),
        ("rte", "concatenate", "joins two texts of one class"),
        ("squad", "concatenate", "joins two texts of one class"),
    ],
)
def test_what_can_change_a_label_is_refused(of: str, operation: str, message: str) -> None:
    reason = refused(spec(operation), task(of), "augment")
    assert reason is not None and message in reason and operation in reason


@pytest.mark.parametrize(
    ("of", "operations"),
    [
        ("sst2", ["swap", "delete", "typos", "case", "aeda", "crop", "concatenate", "shuffle-sentences"]),
        ("rte", ["case", "punctuation", "aeda", "contractions"]),
        ("stsb", ["case", "punctuation", "contractions"]),
        ("cola", ["case", "contractions"]),
        ("squad", ["swap", "delete", "typos", "crop"]),
        ("multi30k-en-fr", ["typos", "case", "punctuation"]),
    ],
)
def test_what_leaves_a_label_right_is_done(of: str, operations: list[str]) -> None:
    assert refused(spec(*operations), task(of), "augment") is None


def test_unsafe_does_it_all_the_same_and_says_so() -> None:
    split = Split(("a",), {"premise": (PLAIN,), "hypothesis": ("Three sisters run a warm bakery",)}, (0,))
    made_rows = expanded(spec("swap", unsafe=True), split, of="rte")
    assert made_rows.split.fields["premise"][1] != PLAIN
    [note] = made_rows.facts.notes
    assert note == "augmented with swap, which changes words, and the label of a pair of texts (nli) can become another"
    assert expanded(spec("case", unsafe=True), split, of="rte").facts.notes == []
    assert refused(spec("concatenate", unsafe=True), task("rte"), "augment") is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("edda", "unknown preset 'edda'. Did you mean 'eda'?"),
        ({"operations": []}, "a list of operations is expected"),
        ({"operations": ["swop"]}, "unknown augmentation 'swop' in augment. Did you mean 'swap'?"),
        ({"operations": [{"delete": {"rate": 1.5}}]}, "augment: delete: rate: input should be less than or equal to 1"),
        ({"operations": [{"delete": {"rate": 0}}]}, "augment: delete: rate: input should be greater than 0"),
        ({"operations": [{"delete": {"rates": 0.1}}]}, "unknown key 'rates'. Did you mean 'rate'?"),
        ({"operations": [{"delete": {}, "swap": {}}]}, "an operation is its name, or its name with options"),
        ({"operations": ["swap"], "copies": 0}, "copies: input should be greater than or equal to 1"),
        ({"operations": ["swap"], "copys": 2}, "unknown key 'copys'. Did you mean 'copies'?"),
        ({"operations": ["swap"], "protect": ["two words"]}, "'two words' is not one word"),
        ({"operations": [{"case": {"styles": []}}]}, "case: styles"),
    ],
)
def test_a_bad_section_is_one_line(values: Any, message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        check_operations(parse(AugmentSpec, values, "augment"), "augment")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_preset_is_its_name_or_has_keys_replaced() -> None:
    for name in PRESETS:
        check_operations(parse(AugmentSpec, name, "augment"), "augment")  # type: ignore[arg-type]
    assert parse(AugmentSpec, "eda", "augment").copies == 4  # type: ignore[arg-type]
    replaced = parse(AugmentSpec, {"preset": "eda", "copies": 16}, "augment")
    assert replaced.copies == 16 and [name for name, _ in replaced.named] == ["synonyms", "insert", "swap", "delete"]
