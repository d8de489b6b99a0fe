"""Models of images and sounds are timed on items, two towers on texts as well, each in its unit."""

import pytest

from harness.measurement.loaded_model import LoadedModel
from harness.measurement.workloads import Absent, Work, Workload, item_cells
from harness.modeling.weights.settings import modality_in
from tests.item_models import save_item_model

pytest.importorskip("PIL", reason="Pillow is not installed")


@pytest.mark.parametrize(
    ("kind", "modality", "amount"), [("clip", "image", 4.0), ("clap", "audio", 4.0), ("ast", "audio", 2.56)]
)
def test_items_of_a_call_are_counted_in_the_unit_of_their_modality(tmp_path, kind, modality, amount):
    folder = save_item_model(tmp_path / kind, kind)
    assert modality_in(folder) == modality
    model = LoadedModel(folder, 1)
    (cell,) = item_cells("4", modality)
    work = model.prepare(cell, 0)
    assert isinstance(work, Work)
    assert work.amounts() == {"forward": {"tokens": 0, "examples": 4, "amount": pytest.approx(amount)}}
    assert model.call(cell.name)["forward"] > 0
    text = model.prepare(Workload("2 × 8", 2, 8), 0)
    if kind == "ast":
        assert isinstance(text, Absent) and "reads no text" in text.reason
    else:
        assert isinstance(text, Work) and text.tokens == 16
        assert model.call("2 × 8")["forward"] > 0


def test_items_of_another_modality_are_absent(tmp_path):
    model = LoadedModel(save_item_model(tmp_path / "vit", "vit"), 1)
    (cell,) = item_cells("1", "audio")
    work = model.prepare(cell, 0)
    assert isinstance(work, Absent) and "reads the modality image" in work.reason
