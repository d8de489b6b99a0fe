"""Whole fine-tunings: in lower precision, and with adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.adversarial_spec import DEFAULTS
from harness.training import devices
from tests.unit.training.test_options import BASE, fitted


@pytest.mark.slow
@pytest.mark.parametrize("method", list(DEFAULTS))
def test_half_precision_goes_the_same_way(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_bf16_pays", lambda: True)
    settings = BASE | {"adversarial": method}
    _, whole = fitted(tmp_path / "fp32", settings)
    _, half = fitted(tmp_path / "bf16", settings | {"precision": "bf16"})
    assert half["precision"] == "bf16" and whole["precision"] == "fp32"
    assert half["loss"] == pytest.approx(whole["loss"], rel=0.05)


def test_the_loss_of_a_record_is_that_of_all_terms(tmp_path: Path) -> None:
    """One of a text and of the same text, twice the plain one."""
    _, plain = fitted(tmp_path / "plain", BASE | {"epochs": 1, "learning_rate": 1e-9})
    _, both = fitted(tmp_path / "both", BASE | {"epochs": 1, "learning_rate": 1e-9, "adversarial": "fgm:epsilon=1e-9"})
    assert both["loss"] == pytest.approx(2 * plain["loss"], rel=0.05)


def test_a_loss_that_grows_by_what_is_added_is_no_sign_of_a_training_that_stands_still(tmp_path: Path) -> None:
    still = BASE | {"learning_rate": 1e-9, "epochs": 6}
    assert "has not moved" in " ".join(fitted(tmp_path / "fgm", still | {"adversarial": "fgm"})[1]["cautions"])
    assert not fitted(tmp_path / "vat", still | {"adversarial": "vat"})[1]["cautions"]
