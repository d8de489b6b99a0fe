"""Rules of filters at their thresholds, and their verdicts beside datatrove's."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.corpora.rules.base import Removal, Text, make_rule
from harness.corpora.rules.gopher import LENGTHS
from harness.corpora.text.words import ENDS

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
PROSE = (
    "The harbour of the old town lies to the north and the boats that have come back with fish are tied to its wall. "
    "People walk along the water in the evening, and some of them sit down at the tables of the small bar by the steps. "
    "When it rains they go home early, though the bar stays open until the last of the boats has been made fast."
)


def judged(rule: str, text: str, **options: Any) -> str | None:
    verdict = make_rule(rule, options, "test").judge(Text(text))
    return verdict.reason if isinstance(verdict, Removal) else verdict


def test_prose_passes() -> None:
    assert len(Text(PROSE).words) >= 50
    for rule in ("gopher-quality", "gopher-repetition", "fineweb-quality", "encoding", "language"):
        assert judged(rule, PROSE) is None, rule


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE[:100], "too few words"),
        ("a to " * 60, "words too short"),
        ("extraordinarily incomprehensible " * 30, "words too long"),
        (PROSE + " #" * 30, "too many hashes"),
        (PROSE + " …" * 30, "too many ellipses"),
        ("\n".join("- " + line for line in PROSE.split(". ") for _ in range(2)), "too many bullet lines"),
        ("\n".join(line + "..." for line in PROSE.split(", ")[:4]), "too many lines end with an ellipsis"),
        (PROSE + " 12345" * 40, "too few words with a letter"),
        ("blue green yellow purple orange violet " * 12, "too few stop words"),
    ],
)
def test_gopher_quality(text: str, reason: str) -> None:
    options = {"min_words": 5} if "ellipsis" in reason else {}
    assert judged("gopher-quality", text, **options) == reason


def test_a_threshold_is_kept_to_the_word() -> None:
    words = " ".join(["the", "and"] + ["house"] * 48)
    assert judged("gopher-quality", words) is None
    assert judged("gopher-quality", words.rsplit(" ", 1)[0]) == "too few words"
    assert judged("gopher-quality", words.rsplit(" ", 1)[0], min_words=None) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n\n".join([PROSE[:60]] * 3 + [PROSE]), "duplicate paragraphs"),
        ("\n".join(["one line of it"] * 4 + [PROSE]), "duplicate lines"),
        (PROSE + "\n" + (PROSE[:110] + "\n") * 3, "duplicate lines"),
        ("to be " * 40, "most frequent 2-gram"),
        (PROSE + " " + PROSE[:200], "duplicate 5-grams"),
    ],
)
def test_gopher_repetition(text: str, reason: str) -> None:
    assert judged("gopher-repetition", text) == reason


def test_c4_keeps_the_lines_that_are_sentences() -> None:
    page = (
        "Menu\n"
        + PROSE.replace(". ", ".\n")
        + "\nEnable javascript to go on.\nWe use cookies here, see below.\nToo short.\n"
    )
    page += "It is so.[12] Indeed it is so. That is all."
    kept = judged("c4-quality", page)
    assert kept is not None and "Menu" not in kept and "javascript" not in kept and "cookies" not in kept
    assert "[12]" not in kept and kept.startswith("The harbour")
    assert judged("c4-quality", PROSE + " {}.") == "curly bracket"
    assert judged("c4-quality", PROSE + " Lorem ipsum dolor.") == "lorem ipsum"
    assert judged("c4-quality", "Only one sentence is here.") == "too few sentences"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n".join(["no end of a sentence stands in this line of text"] * 2), "too few lines end with punctuation"),
        ("\n".join(f"item {at}." for at in range(9)), "too many short lines"),
        ("\n".join([PROSE, "A line that is there twice, in all its length."] * 2), "characters in duplicate lines"),
        ("\n\n".join(f"word{at} word{at}, and this one is longer than thirty." for at in "abcdef") + "\n" * 40, "too many line ends"),
    ],
)  # fmt: skip
def test_fineweb_quality(text: str, reason: str) -> None:
    assert judged("fineweb-quality", text) == reason


def test_language_length_pattern_and_encoding() -> None:
    assert (
        judged("language", "Der Hafen der alten Stadt liegt im Norden, und die Boote sind an der Mauer fest.")
        == "another language"
    )
    assert judged("language", PROSE, keep="de") == "another language"
    assert judged("length", "abc", min_characters=4) == "too few characters"
    assert judged("length", "a b c", max_words=2) == "too many words"
    assert judged("pattern", "a secret", remove_if="secret") == "the pattern matches"
    assert judged("pattern", "nothing", keep_if=r"\d") == "the pattern does not match"
    assert judged("encoding", "caf\u00c3\u00a9 au lait") == "faults of encoding"
    assert judged("encoding", "déjà vu, naïve Ångström — “quoted” …") is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gopher-qualty", {}, "Did you mean 'gopher-quality'"),
        ("gopher-quality", {"min_word": 3}, "Did you mean 'min_words'"),
        ("language", {"keep": "xx"}, "unknown language 'xx'"),
        ("pattern", {"remove_if": "("}, "not a regular expression"),
        ("length", {}, "give min_characters"),
        ("dedup", {"exact": False, "near": None}, "leave the rule out"),
    ],
)
def test_bad_rules_are_one_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message) as caught:
        make_rule(name, options, "rules.yaml")
    assert "rules.yaml" in str(caught.value) and "\n" not in str(caught.value)


def documents() -> Iterator[str]:
    """Real text in several shapes, where it is there, and text made to fail."""
    yield from (
        PROSE,
        PROSE * 3,
        PROSE[:80],
        "to be " * 40,
        "\n".join(["- a"] * 60),
        "#" * 50 + PROSE,
        PROSE + " 12" * 90,
    )
    for name in ("wikitext-2/test.txt", "wikitext-2/valid.txt"):
        lines = (SHARED / name).read_text(encoding="utf-8").split("\n")
        yield from ("\n".join(lines[at : at + 40]) for at in range(0, len(lines), 40))
    yield from (
        json.loads(line)["dialogue"] for line in (SHARED / "dialogsum/dialogsum.dev.jsonl").open(encoding="utf-8")
    )


@pytest.mark.parametrize("name", ["gopher-quality", "gopher-repetition", "c4-quality", "fineweb-quality"])
def test_verdicts_are_those_of_datatrove(name: str) -> None:
    pytest.importorskip("spacy", reason="datatrove's words are spaCy's; pip install spacy")
    filters = pytest.importorskip("datatrove.pipeline.filters", reason="the oracle; pip install datatrove spacy")
    from datatrove.data import Document as TheirDocument

    if not SHARED.is_dir():
        pytest.skip("no real text beside the checkout")
    theirs = {
        "gopher-quality": filters.GopherQualityFilter,
        "gopher-repetition": filters.GopherRepetitionFilter,
        "c4-quality": filters.C4QualityFilter,
        "fineweb-quality": filters.FineWebQualityFilter,
    }[name]()
    rule, seen = make_rule(name, {}, "test"), [0, 0]
    texts = [text for text in documents() if text.strip()][:: 3 if name != "c4-quality" else 1]
    for text in texts:
        document = TheirDocument(text=text, id="0")
        kept = theirs.filter(document) is True
        verdict = rule.judge(Text(text, splitter="spacy"))
        assert kept != isinstance(verdict, Removal), (text[:200], verdict)
        if isinstance(verdict, str):
            assert verdict == document.text
        seen[kept] += 1
    assert min(seen) >= 10, "both verdicts have to occur"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_most_frequent_ngram_is_judged_as_if_all_were_counted(n: int) -> None:
    draw = random.Random(n)
    rule = make_rule("gopher-repetition", {"top_ngrams": {n: 0.12}, "duplicate_ngrams": {}}, "test")
    removed = 0
    for _ in range(400):
        words = [draw.choice(["a", "the", "harbour", "of", "extraordinarily", "w" + str(draw.randint(0, 40))])
                 for _ in range(draw.randint(n, 120))]  # fmt: skip
        ngrams = Counter(zip(*(words[start:] for start in range(n)), strict=False))
        ngram, count = max(ngrams.items(), key=lambda item: item[1])
        text = " ".join(words)
        too_much = (len("".join(ngram)) + n - 1) * count / len(text) > 0.12
        assert (rule.judge(Text(text)) is not None) == too_much
        removed += too_much
    assert 20 < removed < 380


def test_what_is_no_word_is_what_datatrove_takes_for_none() -> None:
    signs = pytest.importorskip("datatrove.utils.text", reason="the oracle; pip install datatrove").PUNCTUATION_SET
    letters = [chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000]
    differing = [letter for letter in letters if (LENGTHS[letter] == 0) != (letter in signs)]
    assert all(ENDS.match(letter) for letter in differing), "but for signs of a later Unicode"
    assert LENGTHS["$"] == LENGTHS["..."] == 0 and LENGTHS["$5"] == 2
