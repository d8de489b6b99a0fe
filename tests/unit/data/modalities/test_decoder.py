"""Many items decoded: all that cannot be read are told in one line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.core import packages
from harness.core.errors import HarnessError
from harness.core.items import Item, item_of_bytes
from harness.data.modalities import MODALITIES, Decoder
from tests.unit.data.item_files import png


def item(number: int, content: bytes) -> Item:
    return item_of_bytes(content, f"{number}.png", f"train.csv:{number}: {number}.png")


def test_all_items_that_cannot_be_read_are_named_together():
    pytest.importorskip("PIL", reason="images need Pillow")
    decode = Decoder(MODALITIES.get("image"))
    decoded = [decode(item(number, png(1) if number % 3 else b"")) for number in range(1, 25)]
    assert [found is not None for found in decoded[:4]] == [True, True, False, False]
    with pytest.raises(HarnessError) as caught:
        decode.finish()
    assert str(caught.value) == (
        "train.csv:3: 3.png: the file is empty; 7 more of 24 cannot be read either: train.csv:6: 6.png, "
        "train.csv:9: 9.png, train.csv:12: 12.png, train.csv:15: 15.png, …"
    )


def test_a_missing_package_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    nothing = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    monkeypatch.setattr(packages, "importlib", nothing)
    with pytest.raises(HarnessError, match=r"^PIL is not installed; pip install 'nlp-harness\[image\]'$"):
        Decoder(MODALITIES.get("image"))(item(1, png(1)))
