"""Images and sounds of examples on the page: in small, bounded, and named alone where they cannot be shown."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest

from harness.core.errors import DamagedFileError
from harness.core.items import Item, item_of_bytes
from harness.core.predictions import Predictions, write_predictions
from harness.core.ranks import Retrieved, read_retrieved
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


def retrieval(**more: int) -> np.ndarray:
    """Pairs of an item and its one caption, at the second rank each."""
    pairs = [
        {"item": at, "caption": 0, "captions": [4.5], "items": [2], "captions_there": N, "items_there": N, **more}
        for at in range(N)
    ]
    return np.asarray([json.dumps(pair) for pair in pairs], dtype=object)


def of_items() -> np.ndarray:
    references = np.empty(N, dtype=object)
    references[:] = [(f"sha256:{at}",) for at in range(N)]
    return references


METRIC = {"metric": "item_retrieval_recall_1", "family": "image-text-retrieval"}


def test_ranks_are_said_in_words_and_an_older_record_says_no_more():
    found = views({"one": retrieval()}, of_items(), **METRIC)
    assert found["gold"] is None
    assert found["said"][0][0] == f"item at rank 2 of {N}, caption at rank 4.5 of {N}"
    assert (found["retrieved"], found["others"]) == ([None], [])
    assert found["models"][0]["right"] == 0 and found["is_right"] == ["0" * len(found["ids"])]


def test_what_each_model_put_first_stands_beside_what_is_right(monkeypatch):
    """One is right of all pairs, other takes the next pair's item and caption."""
    monkeypatch.setattr(items, "ITEMS_OF_VIEW", 20)
    right, rows = retrieval(), np.arange(N)
    right = np.asarray([text.replace("[2]", "[1]").replace("[4.5]", "[1]") for text in right], dtype=object)
    sure, near = np.full(N, 0.5), np.full(N, 0.75)
    own, next_one = Retrieved(sure, rows, sure, rows, sure), (rows + 1) % N
    mistaken = Retrieved(sure, next_one, near, next_one, near)
    pictures = [picture(at % 256, 8 + 2 * (at // 256), f"{at}.png") for at in range(N)]
    captions = [f"caption {at}" for at in range(N)]
    found = views(
        {"one": right, "other": retrieval()}, of_items(), Texts({"image": pictures, "text": captions}), **METRIC,
        retrieved={"one": own, "other": mistaken},
    )  # fmt: skip
    at = {model["label"]: index for index, model in enumerate(found["models"])}
    assert found["lost"][at["one"]][at["other"]] == N, "flips"
    first = found["retrieved"][at["other"]][0]
    assert found["retrieved"][at["one"]][0] == [0.5, None, 0.5, None, 0.5]
    assert first == [0.5, 0, 0.75, 0, 0.75]
    identifier, name, caption, shown = found["others"][0]
    assert (identifier, name, caption) == ("dev-1", "1.png", "caption 1")
    assert opened(shown).getpixel((0, 0))[0] == 1, "the item that was first, beside that of the pair"
    assert opened(found["shown"][0][0]).getpixel((0, 0))[0] == 0
    assert "named alone" in found["not_shown"] and found["others"][-1][3] is None


def test_what_was_retrieved_comes_back_from_a_file_of_predictions_and_damage_is_told(tmp_path):
    rows, similar = np.arange(3)[::-1], np.asarray([0.1, 0.2, 0.3])
    kept = Retrieved(similar, rows, similar, rows, similar)
    said, references = retrieval()[:3], of_items()[:3]

    def written(columns):
        write_predictions(tmp_path / "p.parquet", ["a", "b", "c"], Predictions(said, columns), references, None)
        return read_retrieved(tmp_path / "p.parquet")

    back = written(kept.columns)
    assert all((getattr(back, name) == getattr(kept, name)).all() for name in ("similarity", "item", "caption"))
    assert written({}) is None
    with pytest.raises(DamagedFileError, match="likeliest_item is not that of 3 pairs"):
        written({**kept.columns, "likeliest_item": rows + 1})
    with pytest.raises(DamagedFileError, match="column similarity is not"):
        written({**kept.columns, "similarity": similar * np.nan})
