"""Images and sounds of examples on the page: in small, bounded, and named alone where they cannot be shown."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest

from harness.core.items import Item, item_of_bytes
from harness.data.modalities import Shown
from harness.report.page import items
from harness.report.page.examples import Texts
from harness.report.page.items import Gallery
from tests.unit.report.page.test_examples import GOLD, LABELS, LATE, N, views

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def picture(shade: int, size: int = 300, label: str = "a.png") -> Item:
    buffer = io.BytesIO()
    image.new("RGB", (size, size // 2), (shade, 0, 0)).save(buffer, "PNG")
    return item_of_bytes(buffer.getvalue(), label, f"/home/anyone/{label}")


def opened(shown: Shown):
    assert shown.kind == "img" and shown.uri.startswith("data:image/png;base64,")
    return image.open(io.BytesIO(base64.b64decode(shown.uri.partition(",")[2])))


def test_an_image_is_shown_in_small_beside_its_texts_in_the_order_asked_for():
    fields = {"image": [picture(10), picture(20), picture(10)], "text": ["a", "b", "c"]}
    showing = Gallery().show("image-text-retrieval", fields, [2, 1, 0])
    assert [[item is None for item in row] for row in showing.rows] == [[False, True]] * 3
    assert [opened(row[0]).getpixel((0, 0))[0] for row in showing.rows] == [10, 20, 10]
    assert opened(showing.rows[0][0]).size == (160, 80) and showing.reason == ""


def test_a_sound_is_played():
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    buffer = io.BytesIO()
    soundfile.write(buffer, np.sin(np.arange(8000) / 5), 16_000, format="WAV")
    item = item_of_bytes(buffer.getvalue(), "a.wav", "a.wav")
    ((shown,),) = Gallery().show("audio-classification", {"audio": [item]}, [0]).rows
    assert (shown.kind, shown.label) == ("audio", "a.wav")
    values, rate = soundfile.read(io.BytesIO(base64.b64decode(shown.uri.partition(",")[2])))
    assert (len(values), rate) == (8000, 16_000)


def test_texts_alone_show_nothing():
    assert Gallery().show("classification", {"text": ["a"]}, [0]) == items.Showing()


def test_what_cannot_be_shown_is_named_alone_and_no_place_is_told():
    damaged = item_of_bytes(b"no image", "b.png", "/home/anyone/b.png")
    showing = Gallery().show("image-classification", {"image": [picture(1), damaged]}, [0, 1])
    assert showing.rows[0][0] is not None and showing.rows[1] == [None]
    assert showing.reason == "1 of 2 items here are named alone (b.png: no image, but text)"


def test_room_is_bounded_by_split_and_by_page_and_what_tables_share_is_counted_once(monkeypatch):
    pictures = [picture(shade) for shade in range(100, 140)]
    size = len(Gallery().show("image-classification", {"image": pictures}, [0]).rows[0][0].uri)
    monkeypatch.setattr(items, "BYTES_OF_VIEW", 3 * size + size // 2)
    monkeypatch.setattr(items, "BYTES_OF_PAGE", 5 * size + size // 2)
    gallery = Gallery()

    def held(indices):
        showing = gallery.show("image-classification", {"image": pictures}, indices)
        assert bool(showing.reason) == (None in [item for (item,) in showing.rows])
        return sum(item is not None for (item,) in showing.rows)

    assert held(range(10)) == 3
    assert held(range(10)) == 3, "the same again"
    assert held(range(20, 30)) == 2, "the page is full"
    assert held(range(2)) == 2
    monkeypatch.setattr(items, "ITEMS_OF_VIEW", 1)
    assert held(range(3)) == 1


def test_a_view_has_an_item_for_each_of_its_examples_those_that_models_differ_on_first(monkeypatch):
    monkeypatch.setattr(items, "ITEMS_OF_VIEW", 20)
    pictures = [picture(index % 256, 8 + 2 * (index // 256), f"{index}.png") for index in range(N)]
    found = family("image-classification", {"image": pictures})
    assert found["labels"] == LABELS and found["texts"][-1] == [f"{N - 1}.png"]
    shown = {name: row[0] is not None for name, row in zip(found["ids"], found["shown"], strict=True)}
    assert {name for name, there in shown.items() if there} == {f"dev-{index}" for index in range(N - 20, N)}
    assert "130 of 150 items here are named alone" in found["not_shown"]


def family(name: str, fields: dict) -> dict:
    return views({"right": GOLD, "late": LATE}, GOLD, Texts(fields), family=name)


def test_ranks_are_said_in_words():
    ranks = {"item": 0, "caption": 1, "captions": [3, 4.5], "items": [1, 2], "captions_there": 60, "items_there": 30}
    said = np.asarray([json.dumps(ranks)] * N, dtype=object)
    references = np.empty(N, dtype=object)
    references[:] = [("sha256:0",)] * N
    found = views({"one": said}, references, metric="text_retrieval_recall_1")
    assert found["gold"] is None
    assert found["said"][0][0] == "item at rank 2 of 30, caption at rank 4.5 of 60"
