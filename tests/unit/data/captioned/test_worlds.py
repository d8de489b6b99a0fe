"""The generated worlds of scenes and sounds: what is shown and said, what is held out, and that it is the same anywhere."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.data import captioned
from harness.data.captioned import WORLDS
from harness.data.captioned.ceilings import ceilings
from harness.data.captioned.grammar import caption
from harness.data.captioned.meaning import Group, Meaning, fits
from harness.data.captioned.motions import DIRECTIONS, MOTIONS, frames
from harness.data.captioned.motions import placed as moved
from harness.data.captioned.pixels import SHAPES, Scene, Thing, mask, pixels
from harness.data.captioned.scenes import SCENES, placed
from harness.data.captioned.sounds import SOUNDS
from harness.data.captioned.sounds import placed as recorded
from harness.data.captioned.tasks import captioned as captioned_rows
from harness.data.captioned.waves import samples
from harness.data.captioned.world import ARRANGEMENT, BINDING, FORMS, NUMBER, World, describe
from harness.data.pairs import facts, open_pairs
from harness.data.synthetic.rng import Rng

BOTH = pytest.mark.parametrize("world", [SCENES, SOUNDS], ids=lambda world: world.name)


@cache
def built(template: str) -> dict[str, dict[str, list[Any]]]:
    return captioned.build(template)


@pytest.mark.parametrize(
    ("world", "meaning", "expected"),
    [
        (
            SCENES,
            Meaning((Group(1, "star", "green", "small"), Group(1, "cross", "orange", "")), "left"),
            (
                "a small green star left of an orange cross",
                "une petite étoile verte à gauche d'une croix orange",
                "一颗绿色的小星星在一个橙色的十字的左边",
            ),
        ),
        (
            SCENES,
            Meaning((Group(3, "heart", "white", "large"), Group(1, "", "", "")), ""),
            (
                "three large white hearts and a shape",
                "trois grands cœurs blancs et une forme",
                "三颗白色的大爱心和一个图形",
            ),
        ),
        (
            SOUNDS,
            Meaning((Group(2, "chime", "high", "quick"), Group(1, "beep", "low", "long")), "after"),
            (
                "two quick high chimes after a long low beep",
                "deux sonneries aiguës rapprochées après un long bip grave",
                "两个急促的高音铃声在一个长长的低音哔声之后",
            ),
        ),
    ],
)
def test_captions_agree_in_each_language(world: World, meaning: Meaning, expected: tuple[str, ...]) -> None:
    assert tuple(caption(None, name, lexicon, meaning) for name, lexicon in world.lexicons.items()) == expected


@BOTH
def test_what_is_said_fits_and_so_does_nothing_else(world: World) -> None:
    rng = Rng("fits")
    for _ in range(200):
        meaning = world.seen(rng)
        assert fits(describe(rng, meaning, 0.3), meaning)
        assert fits(meaning.turned(), meaning)
        other = world.seen(rng)
        assert fits(other, meaning) == (other in (meaning, meaning.turned()))


@BOTH
def test_each_kind_and_quality_and_number_is_seen_in_other_combinations_than_those_held_out(world: World) -> None:
    rng = Rng("held out")
    drawn = [world.draw(rng, form) for form in FORMS * 300]
    seen = [meaning for meaning in drawn if not world.held_out(meaning)]
    groups = [group for meaning in seen for group in meaning.groups]
    assert len({(group.kind, group.quality) for group in groups}) == len(world.kinds) * (len(world.kinds) - 1)
    assert {(group.number, group.kind) for group in groups if group.number > 1} == {
        (count, kind)
        for count in (2, 3, 4)
        for kind in world.kinds
        if not world.held_out(Meaning((Group(count, kind, world.qualities[0], ""),))) & {NUMBER}
    }
    new = [world.held_out(meaning) for meaning in drawn]
    assert set().union(*new) == {BINDING, ARRANGEMENT, NUMBER}
    assert 0.1 < np.mean([bool(of_it) for of_it in new]) < 0.6


@BOTH
def test_a_corpus_and_training_splits_hold_nothing_that_is_held_out(world: World) -> None:
    corpus = list(captioned.pairs(world.modality, "en", 400))
    tests = {item for name in ("shapes", "retrieval-en") for item in _items(world, name)}
    assert not tests & {item for item, _ in corpus}
    new = [world.qualities[(2 - 3 * at) % len(world.kinds)] for at in range(len(world.kinds))]
    for kind, quality in zip(world.kinds, new, strict=True):
        assert world.held_out(Meaning((Group(1, kind, quality, ""),))) == {BINDING}
        words = caption(None, "en", world.lexicons["en"], Meaning((Group(1, kind, quality, ""),))).split(" ", 1)[1]
        assert not [item for item, _ in corpus if words in item.label]


def _items(world: World, name: str) -> list[str]:
    name = {"scenes": name, "sounds": name.replace("shapes", "timbre")}[world.name]
    return [item for columns in built(f"{world.name}-{name}").values() for item in columns[world.modality]]


@BOTH
def test_compositional_items_show_one_new_combination_each(world: World) -> None:
    rows = captioned_rows(world, True)
    assert [world.held_out(meaning) for _, meaning, _ in rows] == [{new} for new, _, _ in rows]
    counts = [sum(new == sort for new, _, _ in rows) for sort in (BINDING, ARRANGEMENT, NUMBER)]
    assert min(counts) > 100
    assert not any(world.held_out(meaning) for _, meaning, _ in captioned_rows(world))


@BOTH
def test_retrieval_is_the_same_in_every_language_and_its_ceilings_are_known(world: World) -> None:
    splits = [built(f"{world.name}-retrieval-{language}")["test"] for language in captioned.LANGUAGES]
    assert splits[0][world.modality] == splits[1][world.modality] == splits[2][world.modality]
    for split in splits:
        assert len(split["text"]) == 1000 == len(set(split["text"]))
        assert len(set(split[world.modality])) == 500
    first = {"scenes": [(99.4, 99.6), (97.4, 98.0)], "sounds": [(91.7, 93.7), (90.3, 92.4)]}[world.name]
    for compositional, documented in zip((False, True), first, strict=True):
        assert ceilings(world, compositional, 1) == pytest.approx([best / 100 for best in documented], abs=6e-4)
        assert ceilings(world, compositional, 10) == (1, 1)


def test_a_wrong_caption_differs_in_one_thing_and_holds_nothing_new() -> None:
    columns = built("scenes-captions-binding-en")["test"]
    for good, bad in zip(columns["good"], columns["bad"], strict=True):
        assert good != bad
        assert sorted(good.replace("an ", "a ").split()) == sorted(bad.replace("an ", "a ").split())
    assert all(item.label for item in columns["image"])


def test_scenes_are_the_same_pixels_on_every_machine() -> None:
    rng = Rng("pixels")
    drawn = [pixels(placed(rng, SCENES.seen(rng), for_task=True)) for _ in range(40)]
    assert drawn[0].shape == (48, 48, 3) and drawn[0].dtype == np.uint8
    assert hashlib.sha256(np.stack(drawn).tobytes()).hexdigest()[:16] == "ee789c2546e60a2b"


def test_sounds_are_the_same_samples_on_every_machine() -> None:
    rng = Rng("samples")
    drawn = [samples(recorded(rng, SOUNDS.seen(rng), for_task=True)) for _ in range(40)]
    assert drawn[0].shape == (8000,)
    assert hashlib.sha256(np.stack(drawn).tobytes()).hexdigest()[:16] == "4caa1bf5191d2086"


def test_shapes_cover_what_they_should() -> None:
    covered = {shape: mask(shape, 9).sum() / (16 * 19 * 19) for shape in SHAPES}
    assert covered["circle"] == pytest.approx(np.pi / 4, abs=0.01)
    assert covered["square"] == pytest.approx(0.84**2, abs=0.03)
    assert covered["ring"] == pytest.approx(0.64 * np.pi / 4, abs=0.02)
    assert all(0.2 < part < 0.8 for part in covered.values())
    scene = pixels(Scene(120, (0, 0), (Thing("circle", (200, 0, 0), 24, 24, 8),)))
    assert abs(scene[24, 24].astype(int) - (200, 0, 0)).max() <= 7
    assert abs(scene[4, 4].astype(int) - 120).max() <= 7


def test_a_low_beep_is_low_and_a_rising_one_rises() -> None:
    rng = Rng("pitch")

    def peaks(quality: str) -> list[float]:
        recording = recorded(rng, Meaning((Group(1, "beep", quality, "long"),)), for_task=True)
        (event,) = recording.events
        halves = np.split(samples(recording)[event.start : event.start + event.length // 2 * 2].astype(float), 2)
        return [abs(np.fft.rfft(half)).argmax() * 8000 / len(half) for half in halves]

    assert max(peaks("low")) < 300 and min(peaks("high")) > 1300
    first, second = peaks("rising")
    assert first < second


def test_generated_items_are_files_of_their_modality() -> None:
    assert next(captioned.pairs("image", "", 1))[0].content().startswith(b"\x89PNG")
    assert next(captioned.pairs("audio", "", 1))[0].content()[:4] == b"RIFF"


def test_a_corpus_of_pairs_is_asked_for_by_language() -> None:
    corpus = open_pairs("synthetic:zh", "audio", 30)
    assert facts(corpus)["documents"] == 30 and facts(corpus) == facts(corpus)
    assert not any(text.isascii() for text in corpus.documents())
    assert corpus.pin != open_pairs("synthetic:zh", "audio", 31).pin
    for where, modality, message in (
        ("synthetic:de", "image", "unknown language of the synthetic worlds 'de'. Known: en, fr, zh"),
        ("synthetic", "smell", "the synthetic worlds have no smell; they have image, audio, video"),
    ):
        with pytest.raises(HarnessError, match=message):
            open_pairs(where, modality, 3)


def test_worlds_are_known_by_their_modality() -> None:
    assert [(name, world.modality) for name, world in WORLDS.items()] == [(name, name) for name in WORLDS]
    assert list(WORLDS) == ["image", "audio", "video"]


def test_captions_say_where_things_move() -> None:
    meaning = Meaning((Group(1, "star", "green", "left"), Group(1, "square", "", "up")))
    assert [caption(None, name, lexicon, meaning) for name, lexicon in MOTIONS.lexicons.items()] == [
        "a green star moving left and a square moving up",
        "une étoile verte allant vers la gauche et un carré montant",
        "一颗向左移动的绿色的星星和一个向上移动的正方形",
    ]


@pytest.mark.parametrize(("direction", "opposite"), [("left", "right"), ("up", "down")])
def test_a_motion_and_its_opposite_have_the_same_frames(direction: str, opposite: str) -> None:
    one_way, other_way = (
        frames(moved(Rng("motion"), Meaning((Group(1, "heart", "red", name),)), for_task=True))
        for name in (direction, opposite)
    )
    assert one_way == other_way[::-1] != other_way
    assert len(set(one_way)) == 8


def test_the_ceilings_of_motions_are_known() -> None:
    assert [round(100 * best, 1) for best in ceilings(MOTIONS, False, 1)] == [96.9, 97.7]


def test_motions_stay_on_the_canvas_and_go_where_they_should() -> None:
    rng = Rng("motions")
    for _ in range(300):
        meaning = MOTIONS.seen(rng)
        first, *_, last = frames(moved(rng, meaning, for_task=True))
        for group, thing, end in zip(meaning.groups, first.things, last.things, strict=True):
            assert all(thing.radius < place < 48 - thing.radius for place in (thing.x, thing.y, end.x, end.y))
            across, down = end.x - thing.x, end.y - thing.y
            assert DIRECTIONS[(2 if down else 0) + ((across or down) > 0)] == group.manner
    assert set(built("motions-directions")["test"]["label"]) == set(DIRECTIONS)
