"""What each metric of texts computes: by hand, against the libraries, and where there is nothing to compare."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.core.errors import HarnessError
from harness.metrics.words import words
from tests.unit.metrics.given import FREE, JUDGED, data


def score(name: str, prediction: str, *references: str) -> float:
    return metrics.get(name).score([prediction], [references])


# (prediction, references, exact match, F1)
ANSWERS = [
    ("Paris", ["Paris"], 1, 1),
    ("the  PARIS!", ["Paris"], 1, 1),
    ("an apple a day", ["The apple, the day."], 1, 1),
    ("in Paris", ["Paris"], 0, 2 / 3),
    ("Paris Paris", ["Paris"], 0, 2 / 3),
    ("New York", ["London", "New York City", "York"], 0, 4 / 5),
    ("York", ["London", "New York City", "York"], 1, 1),
    ("U.S.", ["US"], 1, 1),
    ("well-known", ["well known"], 0, 0),
    ("$5", ["5"], 1, 1),
    ("than", ["n"], 0, 0),
    ("Rome", ["Paris"], 0, 0),
    ("“Paris”", ["Paris"], 0, 0),
    ("Paris—Rome", ["Paris Rome"], 0, 0),
    ("café", ["Café"], 1, 1),
    ("Paris\u00a0Texas", ["paris texas"], 1, 1),
    ("", ["Paris"], 0, 0),
    ("the", ["Paris"], 0, 0),
    ("", [], 1, 1),
    ("...", [], 1, 1),
    ("the", [], 1, 1),
    ("Paris", [], 0, 0),
    ("", [""], 1, 1),
    ("?!", ["..."], 1, 1),
    ("", ["the", "Paris"], 0, 0),
    ("", ["The", "..."], 1, 1),
    ("北京", ["北京"], 1, 1),
    ("北 京。", ["《北京》"], 1, 1),
    ("北京市", ["北京"], 0, 4 / 5),
    ("在北京", ["上海", "北京市"], 0, 2 / 3),
    ("1998", ["1998年"], 0, 2 / 3),
    ("“1998”年", ["1998年"], 1, 1),
    ("iPhone 手机", ["IPHONE手机"], 1, 1),
    ("A 公司", ["B公司"], 0, 2 / 3),
    ("苹果", ["the apple"], 0, 0),
    ("。", ["北京"], 0, 0),
    ("とうきょう", ["東京", "とうきょ"], 0, 8 / 9),
]


@pytest.mark.parametrize(("prediction", "references", "exact", "f1"), ANSWERS)
def test_an_answer_is_judged_by_the_rules_of_squad_and_of_its_chinese_kin(prediction, references, exact, f1):
    assert score("exact_match", prediction, *references) == exact
    assert score("squad_f1", prediction, *references) == pytest.approx(f1)


def test_answers_are_averaged_over_questions():
    predictions, references = ["Paris", "in Rome", ""], [("Paris",), ("Rome",), ()]
    assert metrics.get("exact_match").score(predictions, references) == pytest.approx(2 / 3)
    assert metrics.get("squad_f1").score(predictions, references) == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_chance_of_exact_match_is_the_answer_that_is_right_most_often():
    chance = metrics.get("exact_match").chance
    objects = metrics.get("exact_match").check(["", "", ""], [("Yes", "yes!"), ("the yes", "no"), ("no",)])[1]
    assert chance(objects) == pytest.approx(2 / 3)
    unanswered = metrics.get("exact_match").check(["", "", ""], [(), ("no",), ()])[1]
    assert chance(unanswered) == pytest.approx(2 / 3)


english = st.text(alphabet="abtheT .,-'é0\n", max_size=40)
ENGLISH = [
    ("the cat sat on the mats", ("the cats sat on a mat", "a dog barked")),
    ("police killed the gunman\nhe was running", ("police ended the gunman\nhe ran away", "the gunman was killed")),
    ("", ("something",)),
    ("...", ("something",)),
    ("a b", ("a",)),
]


def rouge_of_library(prediction: str, references: tuple[str, ...], name: str) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([name], use_stemmer=True).score_multi(references, prediction)[name].fmeasure


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_of_english_is_that_of_the_library(name):
    predictions, references = [one for one, _ in ENGLISH], [own for _, own in ENGLISH]
    theirs = [rouge_of_library(*pair, name) for pair in ENGLISH]
    assert metrics.get(name).score(predictions, references) == np.mean(theirs)


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
@settings(deadline=None)
@given(english, st.lists(english, min_size=1, max_size=3))
def test_rouge_of_any_latin_text_is_that_of_the_library(name, prediction, references):
    assert score(name, prediction, *references) == rouge_of_library(prediction, tuple(references), name)


def test_rouge_of_chinese_counts_characters():
    assert rouge_of_library("猫坐在垫子上", ("猫在垫子上",), "rouge1") == 0
    assert score("rouge1", "猫坐在垫子上。", "猫在垫子上") == pytest.approx(2 * 5 / (6 + 5))
    assert score("rouge2", "猫坐在垫子上", "猫在垫子上") == pytest.approx(2 * 3 / (5 + 4))
    assert score("rougeL", "上垫子在猫", "猫在垫子上") == pytest.approx(2 * 2 / (5 + 5))
    assert score("rouge1", "iPhones 手机", "iPhone手机") == 1


SENTENCES = [
    ("One. Two!  Three? Four", ["One.", "Two!", "Three?", "Four"]),
    ("It is 3.5 km. the end.\nNext line", ["It is 3.5 km. the end.", "Next line"]),
    ('He said "Go." Then he left. (Really.) 9 of them.', ['He said "Go."', "Then he left.", "(Really.)", "9 of them."]),
    ("C'était fini. École fermée. été", ["C'était fini.", "École fermée. été"]),
    ("他来了。她走了！“好。”他说。", ["他来了。", "她走了！", "“好。”", "他说。"]),
    ("Wait... What?! Yes", ["Wait...", "What?!", "Yes"]),
    ("\n \n", []),
]


@pytest.mark.parametrize(("text", "found"), SENTENCES)
def test_sentences_for_rouge_lsum(text, found):
    from harness.metrics.rouge import sentences

    assert sentences(text) == found


def test_rouge_lsum_splits_sentences_that_stand_on_one_line():
    prediction, reference = "The sun rose. A cat sat.", "A cat sat. The sun rose."
    assert score("rougeLsum", prediction, reference) == 1
    assert score("rougeL", prediction, reference) == pytest.approx(1 / 2)


def streams(references: list[tuple[str, ...]]) -> list[list[str | None]]:
    most = max(map(len, references))
    return [[own[at] if at < len(own) else None for own in references] for at in range(most)]


def bleu_of_library(predictions, references, tokenize: str) -> float:
    import sacrebleu

    return sacrebleu.corpus_bleu(predictions, streams(references), tokenize=tokenize, force=True).score


TRANSLATIONS = [
    (["The cat is on the mat."], [("The cat is on the mat.",)]),
    (
        ["the cat", "it rained all day long, they say"],
        [("the cat sat",), ("it rained the whole day, they say", "rain")],
    ),
    (["no match at all"], [("something else",)]),
    (["", "one two three four five"], [("empty",), ("one two three four six",)]),
    (["猫坐在垫子上。", "今天下雨 OK"], [("猫在垫子上。", "一只猫坐在垫子上"), ("今天下了雨,OK",)]),
    (["a", "b"], [("a",), ("c",)]),
]


@pytest.mark.parametrize(("predictions", "references"), TRANSLATIONS)
def test_bleu_and_chrf_are_those_of_sacrebleu_over_100(predictions, references):
    import sacrebleu

    theirs = {
        "bleu": bleu_of_library(predictions, references, "13a"),
        "bleu_zh": bleu_of_library(predictions, references, "zh"),
        "chrf": sacrebleu.corpus_chrf(predictions, streams(references)).score,
    }
    for name, value in theirs.items():
        assert metrics.get(name).score(predictions, references) == min(value / 100, 1.0)


@pytest.mark.parametrize("name", ["bleu", "bleu_zh", "chrf"])
@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.text("ab c猫.", max_size=12), st.lists(st.text("ab c猫.", max_size=12), min_size=1, max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_counts_of_any_texts_give_the_score_of_the_library(name, pairs):
    """The one sample of one draw of all examples: the vectorized formula against sacreBLEU's own."""
    metric = metrics.get(name)
    predictions, references = metric.check([one for one, _ in pairs], [own for _, own in pairs])
    assert metric.resample is not None
    drawn = np.random.default_rng(0).integers(0, len(pairs), len(pairs))
    (fast,) = metric.resample(predictions, references, np.random.default_rng(0), 1)
    assert fast == pytest.approx(metric.score(predictions[drawn], references[drawn]), abs=1e-12)


def test_signatures_are_those_of_sacrebleu():
    from sacrebleu.metrics import BLEU, CHRF

    for name, library in (("bleu", BLEU(tokenize="13a")), ("bleu_zh", BLEU(tokenize="zh")), ("chrf", CHRF())):
        metric = metrics.get(name)
        for predictions, references in TRANSLATIONS:
            library.corpus_score(predictions, streams(references))
            assert metric.signed(metric.check(predictions, references)[1]) == str(library.get_signature())


def test_a_score_s_record_has_its_signature_and_tells_that_nobody_knows_chance():
    from harness.stats.scoring import score_all

    found = score_all(["bleu", "exact_match"], *map(np.asarray, data("bleu", 5)[:1]), data("bleu", 5)[1], None)
    assert found["bleu"]["signature"].startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found["bleu"]["chance"] is None
    assert "signature" not in found["exact_match"]


def test_tokenized_predictions_are_scored_without_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        metrics.get("bleu").score(["a cat ."] * 200, [("a cat .",)] * 200)
    assert not caplog.records


def test_words_are_words_marks_and_cjk_characters():
    assert words("Don't go, he_2 said… 我有iPhone手机。") == [
        "Don", "'", "t", "go", ",", "he_2", "said", "…", "我", "有", "iPhone", "手", "机", "。",
    ]  # fmt: skip
    assert words("한국어 단어") == ["한국어", "단어"]


def test_distinct_ngrams_are_counted_over_all_texts():
    texts = ["a b a b", "a c"]
    assert metrics.get("distinct_1").score(texts, None) == pytest.approx(3 / 6)
    assert metrics.get("distinct_2").score(texts, None) == pytest.approx(3 / 4)
    assert metrics.get("distinct_2").score(["a", ""], None) == 0
    assert metrics.get("distinct_1").score(["天天"], None) == pytest.approx(1 / 2)


def test_repetition_is_the_share_of_4_grams_seen_before():
    assert metrics.get("repetition_4").score(["a b c d a b c d"], None) == pytest.approx(1 / 5)
    assert metrics.get("repetition_4").score(["a a a a a a", "a b c d", "a"], None) == pytest.approx(
        (2 / 3 + 0 + 0) / 3
    )


def self_bleu_of_library(texts: list[str]) -> float:
    from sacrebleu import sentence_bleu

    spaced = [" ".join(words(text)) for text in texts]
    others = [[*spaced[:at], *spaced[at + 1 :]] for at in range(len(spaced))]
    return float(
        np.mean([sentence_bleu(one, own, tokenize="none").score for one, own in zip(spaced, others, strict=True)])
    )


generated = st.lists(st.text("ab 猫,", max_size=14), min_size=3, max_size=7)


@settings(deadline=None)
@given(generated)
def test_self_bleu_is_the_mean_sentence_bleu_of_sacrebleu(texts):
    assert metrics.get("self_bleu").score(texts, None) == pytest.approx(self_bleu_of_library(texts) / 100)


@pytest.mark.parametrize("name", ["self_bleu", "distinct_1", "distinct_2"])
@settings(deadline=None)
@given(generated)
def test_leaving_a_text_out_scores_what_the_others_score(name, texts):
    from harness.metrics import diversity

    found = diversity.self_bleu(texts) if name == "self_bleu" else diversity.distinct(texts, int(name[-1]))
    for at, value in enumerate(found[1]):
        assert value == pytest.approx(metrics.get(name).score([*texts[:at], *texts[at + 1 :]], None))


def test_self_bleu_of_equal_texts_is_one_and_of_one_text_zero():
    assert metrics.get("self_bleu").score(["the cat sat on the mat"] * 3, None) == 1
    assert metrics.get("self_bleu").score(["the cat sat on the mat"], None) == 0


def test_self_bleu_looks_at_500_texts_of_the_whole_list():
    half = ["same words in all of these"] * 1000
    other = [f"{word}" for word in range(1000)]
    assert metrics.get("self_bleu").score(half + other, None) == pytest.approx(1 / 2, abs=0.01)


@pytest.mark.parametrize("name", FREE)
def test_what_needs_no_reference_looks_at_none(name):
    predictions, references = data(name, 10)
    assert metrics.get(name).score(predictions, references) == metrics.get(name).score(predictions, None)


@pytest.mark.parametrize("name", [*JUDGED, *FREE])
def test_arrays_of_strings_score_as_lists_do(name):
    predictions, references = data(name, 6)
    metric = metrics.get(name)
    for array in (np.array(predictions), np.array(predictions, dtype=object)):
        assert metric.score(array, np.array([own[:1] for own in references])) == metric.score(
            predictions, [list(own[:1]) for own in references]
        )


def test_nothing_to_score_is_an_error():
    for name in (*JUDGED, *FREE):
        with pytest.raises(HarnessError, match=f"{name}: nothing to score"):
            metrics.get(name).score([], [])


BAD = [
    (["a", None], [("a",), ("b",)], "predictions must be strings, found NoneType at 1"),
    (np.array([0.5]), [("a",)], "predictions must be strings, found float64 at 0"),
    ("ab", [("a",), ("b",)], "predictions must be strings, found str"),
    (["a"], ["a"], "a tuple of strings for each prediction, found str at 0"),
    (["a", "b"], [("a",), ("b", 3)], "references must be strings, found int in the tuple at 1"),
    (["a"], [("a",), ("b",)], "1 predictions for 2 references; it takes one prediction for each reference"),
    (["a"], None, "no references to score against"),
    (["a", "b", "c"], [("a",), (), ()], "2 of 3 predictions have no reference, the first at 1"),
]


@pytest.mark.parametrize(("predictions", "references", "message"), BAD)
def test_what_is_no_text_is_said_where_it_is(predictions, references, message):
    with pytest.raises(HarnessError, match=f"metric bleu: .*{message}"):
        metrics.get("bleu").score(predictions, references)


@pytest.mark.parametrize(
    "text",
    ["Маленькая лодка вышла из гавани", "مرحبا بالعالم الكبير", "हिन्दी में एक वाक्य", "한국어 문장 하나", "ภาษาไทยไม่มีช่องว่าง",
     "Μια μικρή βάρκα", "שלום עולם גדול", "ქართული ენა კარგია", "tiếng Việt đẹp"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_of_a_text_equal_to_its_reference_is_1_in_any_script(name, text):
    assert score(name, text, text) == 1


def test_rouge_of_other_scripts_counts_their_words():
    assert score("rouge1", "Лодка вышла рано", "лодка вышла из гавани") == pytest.approx(2 * 2 / (3 + 4))
    assert score("rouge1", "й", "и\u0306") == 1, "composed and decomposed"
    assert score("rouge1", "हिन्दी", "हन्द") == 0, "vowel signs are part of a word"
    assert score("rouge1", "see лодка", "see boat") == pytest.approx(1 / 2)


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge1", "rougeLsum"])
def test_blank_references_beside_others_are_padding(name):
    predictions = ["the small boat", "two dogs sleep on the sofa"]
    references = [("the small boat left the harbour",), ("two dogs sleep on the old sofa",)]
    padded = [(*texts, "", " ") for texts in references]
    metric = metrics.get(name)
    assert metric.score(predictions, padded) == metric.score(predictions, references)
    assert metric.signed(metric.check(predictions, padded)[1]).startswith("nrefs:1|")
