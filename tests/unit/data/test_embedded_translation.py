"""Translation shapes of the embedded world: both grammars against sentences written by hand, and the data they give."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import defaultdict
from functools import cache

import pytest

from harness.data import synthetic as embedded
from harness.data.synthetic import (
    chinese,
    chinese_verbs,
    chinese_words,
    english_words,
    french,
    french_verbs,
    french_words,
)
from harness.data.synthetic.concepts import (
    ALL_ACTIONS,
    AWAY_MEN,
    AWAY_WOMEN,
    KIND_ABOVE,
    MANNERS,
    MEN,
    PLACE_ABOVE,
    TIME_ABOVE,
    WOMEN,
    qualities_of,
)
from harness.data.synthetic.english import Plan
from harness.data.synthetic.invent import held_out
from harness.data.synthetic.meaning import COUNTS, Event, State, Thing
from harness.data.synthetic.rows import HELD_OUT_FRACTION, draw
from harness.data.synthetic.translation import SIZES, TRANSLATIONS, combinations, counts_alike, reads_in_two_tenses

FINGERPRINTS = {
    "translation-fr": "846aa76252585e9b",
    "translation-zh": "1172343481e038f5",
}

ANNA, TOM, ALICE, HUGO = Thing("woman", "Anna"), Thing("man", "Tom"), Thing("woman", "Alice"), Thing("man", "Hugo")


def one(kind: str, quality: str = "") -> Thing:
    return Thing(kind, quality=quality)


def a(kind: str, quality: str = "") -> Thing:
    return Thing(kind, quality=quality, definite=False)


def many(kind: str, number: str = "some", quality: str = "", definite: bool = True) -> Thing:
    return Thing(kind, quality=quality, number=number, definite=definite)


SALE = Event("sell", ANNA, one("mare", "old"), TOM, place="garden", time="may")

WORKED: list[tuple[str, Event | State, str, str, str]] = [
    (
        "a sale, told by its seller",
        SALE,
        "agent",
        "Anna a vendu la vieille jument à Tom dans le jardin en mai.",
        "安娜五月在花园里卖给了汤姆那匹老母马。",
    ),
    (
        "a sale, told by its buyer",
        SALE,
        "partner",
        "Tom a acheté la vieille jument à Anna dans le jardin en mai.",
        "汤姆五月在花园里从安娜那里买了那匹老母马。",
    ),
    (
        "contraction of à with le, negation before a vowel",
        SALE._replace(partner=one("baker"), negated=True, place="airport", time=""),
        "agent",
        "Anna n'a pas vendu la vieille jument au boulanger à l'aéroport.",
        "安娜没有在机场卖给面包师那匹老母马。",
    ),
    (
        "contraction of à with les",
        Event("give", one("nurse"), many("apple", "two", "red", definite=False), many("girl", "three"), time="monday"),
        "agent",
        "L'infirmier a donné deux pommes rouges aux trois filles lundi.",
        "护士星期一送给了那三个女孩两个红色的苹果。",
    ),
    (
        "contraction of de with le",
        Event("give", one("judge"), a("letter"), ALICE),
        "partner",
        "Alice a reçu une lettre du juge.",
        "爱丽丝从法官那里收到了一封信。",
    ),
    (
        "contraction of de with les, a state in the imperfect",
        Event("distrust", ANNA, many("doctor", "two")),
        "agent",
        "Anna se méfiait des deux médecins.",
        "安娜怀疑过那两位医生。",
    ),
    (
        "elision of de before a name, and of se",
        Event("apologize", one("man"), None, ALICE, tense="present"),
        "agent",
        "L'homme s'excuse auprès d'Alice.",
        "那个男人正在向爱丽丝道歉。",
    ),
    (
        "no elision before an aspirated h, a perfect with être that agrees",
        Event("board", ALICE, one("yacht"), negated=True, time="august"),
        "agent",
        "Alice n'est pas montée à bord du yacht en août.",
        "爱丽丝八月没有登上那艘游艇。",
    ),
    (
        "aspirated h of a noun and a name",
        Event("distrust", one("owl"), HUGO, tense="present", negated=True),
        "agent",
        "Le hibou ne se méfie pas de Hugo.",
        "那只猫头鹰不怀疑雨果。",
    ),
    (
        "agreement of many women with être",
        Event("arrive", many("girl", "four")),
        "agent",
        "Les quatre filles sont arrivées.",
        "那四个女孩到达了。",
    ),
    (
        "a reflexive verb denied in the perfect",
        Event("rest", many("woman", "two"), place="island", negated=True),
        "agent",
        "Les deux femmes ne se sont pas reposées sur l'île.",
        "那两个女人没有在岛上休息。",
    ),
    (
        "masculine adjectives before a vowel",
        Event("pull", ANNA, a("tool", "beautiful")),
        "agent",
        "Anna a tiré un bel outil.",
        "安娜拉了一件漂亮的工具。",
    ),
    (
        "an old tree",
        Event("cut", TOM, a("tree", "old"), tense="future", time="spring"),
        "agent",
        "Tom coupera un vieil arbre au printemps.",
        "汤姆春天会砍一棵老树。",
    ),
    (
        "cutting what is no tree",
        Event("cut", TOM, one("cabbage"), tense="future", negated=True),
        "agent",
        "Tom ne coupera pas le chou.",
        "汤姆不会切那棵卷心菜。",
    ),
    (
        "new proposals and new things",
        Event("accept", ANNA, one("offer", "new")),
        "agent",
        "Anna a accepté la nouvelle offre.",
        "安娜接受了那个新的提议。",
    ),
    (
        "an adjective behind its noun, feminine plural",
        Event("wash", one("miner"), many("shirt", "five", "white", definite=False)),
        "agent",
        "Le mineur a lavé cinq chemises blanches.",
        "矿工洗了五件白色的衬衫。",
    ),
    (
        "plural of nouns in -al and -eau",
        Event("chase", many("horse", "two"), many("sparrow", "some"), tense="present"),
        "agent",
        "Les deux chevaux poursuivent les moineaux.",
        "那两匹马正在追赶那些麻雀。",
    ),
    (
        "the other side of a chase",
        Event("chase", many("horse", "two"), many("sparrow", "some"), tense="present"),
        "patient",
        "Les moineaux fuient les deux chevaux.",
        "那些麻雀逃离那两匹马。",
    ),
    (
        "adverb between verb and object, present of acheter",
        Event("sell", ANNA, one("hat"), ALICE, manner="slowly", tense="present"),
        "partner",
        "Alice achète lentement le chapeau à Anna.",
        "爱丽丝慢慢地从安娜那里买那顶帽子。",
    ),
    (
        "an adverbial phrase behind the objects, 正在 with place and manner",
        Event("wash", ANNA, one("truck"), manner="reluctantly", place="river", tense="present"),
        "agent",
        "Anna lave le camion à contrecœur au bord de la rivière.",
        "安娜正在河边不情愿地洗那辆卡车。",
    ),
    (
        "separable verbs take 了 inside",
        Event("call", ANNA, one("inspector"), time="sunday"),
        "agent",
        "Anna a appelé l'inspecteur dimanche.",
        "安娜星期天给检查员打了电话。",
    ),
    (
        "a noun that belongs to the verb",
        Event("trust", ANNA, one("mayor"), negated=True, tense="future"),
        "agent",
        "Anna ne fera pas confiance au maire.",
        "安娜不会信任市长。",
    ),
    (
        "counts with more words",
        Event("steal", ANNA, many("violin", "at_least_three", definite=False)),
        "agent",
        "Anna a volé au moins trois violons.",
        "安娜偷走了至少三把小提琴。",
    ),
    (
        "small things whose name begins with small",
        Event("display", TOM, a("violin", "small"), place="hall"),
        "agent",
        "Tom a exposé un petit violon dans le hall.",
        "汤姆在大厅里陈列了一把小的小提琴。",
    ),
    (
        "working for somebody",
        Event("employ", one("artist"), ANNA),
        "patient",
        "Anna travaillait pour l'artiste.",
        "安娜为艺术家工作过。",
    ),
    (
        "future of irregular verbs",
        Event("send", many("official", "two"), a("report"), one("actor"), tense="future"),
        "agent",
        "Les deux fonctionnaires enverront un rapport à l'acteur.",
        "那两位官员会寄给演员一份报告。",
    ),
    (
        "an invariable adjective and a state denied",
        State(many("bicycle", "three"), "cheap", negated=True),
        "agent",
        "Les trois vélos n'étaient pas bon marché.",
        "那三辆自行车不便宜。",
    ),
    (
        "a state of a woman",
        State(ANNA, "happy"),
        "agent",
        "Anna était heureuse.",
        "安娜很快乐。",
    ),
    (
        "what is no matter of degree",
        State(many("boat", "some"), "new"),
        "agent",
        "Les bateaux étaient neufs.",
        "那些船是新的。",
    ),
]


@pytest.mark.parametrize(
    ("meaning", "subject", "expected"), [pytest.param(m, s, fr, id=i) for i, m, s, fr, _ in WORKED]
)
def test_french_of_worked_examples(meaning: Event | State, subject: str, expected: str) -> None:
    assert french.references(meaning, subject)[0] == expected


@pytest.mark.parametrize(
    ("meaning", "subject", "expected"), [pytest.param(m, s, zh, id=i) for i, m, s, _, zh in WORKED]
)
def test_chinese_of_worked_examples(meaning: Event | State, subject: str, expected: str) -> None:
    assert chinese.references(meaning, subject)[0] == expected


@pytest.mark.parametrize(
    ("meaning", "passive", "expected"),
    [
        (SALE, True, "La vieille jument a été vendue à Tom par Anna dans le jardin en mai."),
        (SALE, False, "En mai, Anna a vendu la vieille jument à Tom dans le jardin."),
        (
            Event("love", one("miner"), many("ewe", "two"), negated=True),
            True,
            "Les deux brebis n'étaient pas aimées par le mineur.",
        ),
        (Event("find", ANNA, one("axe"), tense="future"), True, "La hache sera trouvée par Anna."),
        (Event("find", ANNA, one("axe"), tense="present"), False, "Anna découvre la hache."),
        (Event("swim", ANNA, place="beach"), False, "Sur la plage, Anna a nagé."),
    ],
)
def test_the_second_french_reference_says_it_otherwise(meaning: Event, passive: bool, expected: str) -> None:
    assert french.references(meaning, "agent", passive)[1] == expected


@pytest.mark.parametrize(
    ("meaning", "expected"),
    [
        (SALE, "五月，安娜在花园里卖给了汤姆那匹老母马。"),
        (Event("find", ANNA, one("axe")), "安娜发现了那把斧头。"),
        (Event("swim", ANNA, negated=True), "安娜没游泳。"),
        (Event("work", ANNA, tense="present", place="barn"), "安娜在谷仓里工作。"),
    ],
)
def test_the_second_chinese_reference_says_it_otherwise(meaning: Event, expected: str) -> None:
    assert chinese.references(meaning)[1] == expected


def test_there_is_one_reference_where_the_grammar_has_no_other() -> None:
    giggled = Event("giggle", ANNA)
    assert french.references(giggled) == ("Anna a gloussé.",)
    assert chinese.references(giggled) == ("安娜傻笑了。",)


@pytest.mark.parametrize(
    ("infinitive", "forms"),
    [
        ("jeter", "jette jettent jeté jettera"),
        ("employer", "emploie emploient employé emploiera"),
        ("détruire", "détruit détruisent détruit détruira"),
        ("démolir", "démolit démolissent démoli démolira"),
        ("vendre", "vend vendent vendu vendra"),
        ("recevoir", "reçoit reçoivent reçu recevra"),
        ("peindre", "peint peignent peint peindra"),
        ("manger", "mange mangent mangé mangera"),
        ("courir", "court courent couru courra"),
    ],
)
def test_verbs_are_conjugated(infinitive: str, forms: str) -> None:
    one, many, participle, future, _ = french_verbs.conjugate(infinitive)
    assert f"{one} {many} {participle} {future}a" == forms


NAMES = [*WOMEN, *MEN, *AWAY_WOMEN, *AWAY_MEN]
QUALITIES = {quality for kind in KIND_ABOVE for quality in qualities_of(kind)}


@pytest.mark.parametrize("words", [french_words, chinese_words], ids=["French", "Chinese"])
def test_there_is_a_word_for_every_key(words) -> None:
    assert words.NOUNS.keys() == KIND_ABOVE.keys()
    assert words.PLACES.keys() == PLACE_ABOVE.keys()
    assert words.TIMES.keys() == TIME_ABOVE.keys()
    assert words.MANNERS.keys() == set(MANNERS)
    assert COUNTS.keys() - words.NUMBERS.keys() <= {"one", "some"}
    for table in (words.NOUNS, words.PLACES, words.TIMES, words.MANNERS, words.NUMBERS):
        assert len(set(table.values())) == len(table), "two keys with one word cannot be told apart"


def test_there_is_a_form_for_every_quality_of_every_kind() -> None:
    for kind in KIND_ABOVE:
        for quality in qualities_of(kind):
            assert french_words.adjective_of(quality, kind).feminine
            assert chinese_words.quality_of(quality, kind)
    plain = {key for key in french_words.ADJECTIVES if " " not in key}
    assert plain == {key for key in chinese_words.QUALITIES if " " not in key} == QUALITIES


def test_every_name_has_one_chinese_spelling() -> None:
    assert chinese_words.NAMES.keys() == set(NAMES)
    assert len(set(chinese_words.NAMES.values())) == len(NAMES)


@pytest.mark.parametrize("action", ALL_ACTIONS)
def test_every_english_verb_has_one_of_the_same_perspective_and_roles(action: str) -> None:
    for verb in english_words.VERBS_OF[action]:
        roles = {verb.subject, verb.object, verb.oblique} - {""}
        found = [one for one in french_verbs.VERBS_OF[action] if one.subject == verb.subject]
        assert found and all({one.subject, one.object, one.oblique} - {""} == roles for one in found)
        others = [one for one in chinese_verbs.VERBS_OF[action] if one.subject == verb.subject]
        assert others and all({one.subject, *one.objects, one.oblique} - {""} == roles for one in others)


@cache
def built(shape: str) -> dict[str, dict[str, list]]:
    return embedded.build(shape)


def targets(shape: str) -> list[str]:
    return [target for columns in built(shape).values() for references in columns["target"] for target in references]


def rows(shape: str) -> list[tuple[str, list[str]]]:
    return [row for columns in built(shape).values() for row in zip(columns["source"], columns["target"], strict=True)]


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_content_changes_only_on_purpose(shape: str) -> None:
    canonical = json.dumps(built(shape), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest()[:16] == FINGERPRINTS[shape]


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_columns_are_complete_and_ids_unique(shape: str) -> None:
    assert shape in embedded.SHAPES
    assert {split: len(columns["id"]) for split, columns in built(shape).items()} == SIZES
    identities = [identity for columns in built(shape).values() for identity in columns["id"]]
    assert len(set(identities)) == len(identities)
    for columns in built(shape).values():
        assert list(columns) == ["id", "source", "target"]
        assert len({len(values) for values in columns.values()}) == 1
        assert all(len(set(one)) == len(one) in (1, 2) for one in columns["target"])
        assert sum(len(one) == 2 for one in columns["target"]) > 0.5 * len(columns["target"])


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_splits_share_no_text(shape: str) -> None:
    for one, other in itertools.combinations(built(shape).values(), 2):
        assert not set(one["source"]) & set(other["source"])
        assert not set(itertools.chain(*one["target"])) & set(itertools.chain(*other["target"]))


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_held_out_combinations_occur_in_evaluation_only(shape: str) -> None:
    for split, drawn in draw(shape, TRANSLATIONS[shape]).items():
        novel = sum(any(held_out(*pair) for pair in row.combinations) for row in drawn)
        assert novel == 0 if split == "train" else abs(novel / len(drawn) - HELD_OUT_FRACTION) < 0.02


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_a_source_has_one_translation(shape: str) -> None:
    plain: dict[str, set[str]] = defaultdict(set)
    for source, references in rows(shape):
        plain[source].add(references[0])
    assert [source for source, found in plain.items() if len(found) > 1] == []


def test_english_that_does_not_tell_one_from_many_is_recognized() -> None:
    assert counts_alike(many("salmon"))
    assert not counts_alike(many("salmon", "two"))
    assert not counts_alike(many("salmon", definite=False))
    assert not counts_alike(many("dog"))


def test_english_that_does_not_tell_past_from_present_is_recognized() -> None:
    read, write = english_words.VERBS_OF["read"][0], english_words.VERBS_OF["write"][0]
    boys_read = Event("read", many("boy"), one("map"))
    assert reads_in_two_tenses(boys_read, Plan(read))
    assert not reads_in_two_tenses(boys_read._replace(agent=one("boy")), Plan(read))
    assert not reads_in_two_tenses(boys_read._replace(negated=True), Plan(read))
    assert not reads_in_two_tenses(boys_read._replace(tense="future"), Plan(read))
    assert not reads_in_two_tenses(boys_read, Plan(read, passive=True))
    assert not reads_in_two_tenses(boys_read._replace(action="write"), Plan(write))


def test_both_deeds_and_qualities_are_combinations() -> None:
    assert combinations(SALE) == (("Anna", "sell"), ("mare", "old"))
    assert combinations(State(ANNA, "happy", negated=True)) == (("Anna", "happy"),)


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_tenses_denials_counts_and_states_are_all_common(shape: str) -> None:
    told = [source for source, _ in rows(shape)]
    for pattern in (
        r"\bwill\b",
        r"\bnot\b",
        r"\b(does|do|is|are) not\b",
        r"\b(two|three|four|five|six)\b",
        "^The .* (was|were) ",
    ):
        assert sum(bool(re.search(pattern, source)) for source in told) > 0.03 * len(told), pattern
    for count in ("Exactly two", "exactly six", "at least three", "more than four", "at most three", "fewer than five"):
        assert any(count in source for source in told), count


@pytest.mark.parametrize("shape", TRANSLATIONS)
def test_a_copy_of_the_source_is_a_bad_translation(shape: str) -> None:
    shares = []
    for source, references in rows(shape):
        words = set(re.findall(r"\w+", references[0].lower()))
        shares.append(len(words & set(re.findall(r"\w+", source.lower()))) / len(words))
    assert sum(shares) / len(shares) < 0.15


UNSPELLED = re.compile(
    r"\b(?:le|la|de|ne|se|que) (?:[aàâeéèêiîoôœu]|h(?!ache|ibou|angar|all\b|ait\b|aï|url))"
    r"|\b(?:à|de) les?\b|  |' | [,.]|\b(?:un beau|un vieux|un nouveau) [aeiouéhœ]",
)


@pytest.mark.parametrize(
    "wrong",
    [
        "la amie",
        "ne est",
        "de Anna",
        "le homme",
        "se excuse",
        "à le port",
        "de les",
        "a  b",
        "l' ami",
        "un vieux arbre",
    ],
)
def test_what_is_wrongly_spelled_would_be_found(wrong: str) -> None:
    assert UNSPELLED.search(wrong.lower())


def test_french_is_elided_and_contracted() -> None:
    def lowered(target: str) -> str:
        return target.replace("Hugo", "X").replace("Helga", "X").lower()

    assert [target for target in targets("translation-fr") if UNSPELLED.search(lowered(target))] == []


def test_french_sentences_begin_with_a_capital_and_end_with_a_full_stop() -> None:
    for target in targets("translation-fr"):
        assert target[0].isupper() and target[-1] == "." and target.count(".") == 1


def test_french_plural_subjects_have_plural_verbs() -> None:
    for target in targets("translation-fr"):
        if target.startswith("Les ") and "," not in target:
            assert re.search(r"(?:ent|ont|sont|aient)\b", target), target


def test_chinese_has_chinese_characters_and_marks_alone() -> None:
    assert [
        target for target in targets("translation-zh") if not re.fullmatch(r"[一-鿿]+(，[一-鿿]+)?。", target)
    ] == []


def test_chinese_measure_words_stand_between_number_and_noun() -> None:
    measures = {entry.split()[0] for entry in chinese_words.NOUNS.values()}
    for target in targets("translation-zh"):
        for after in re.findall(r"(?:那|两)(.)", target.replace("那里", "")):
            assert after in measures | set("些两三四五六"), target
