"""What the tests of compression share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.compression.base import Request, Student
from harness.compression.chain import compress
from harness.compression.methods import parse_method
from harness.core.specs import ModelSpec
from tests.zoo import Trained


@pytest.fixture
def compressed(tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """A model compressed by a method: the new folder, and what the chain says of it."""

    def make(model: Trained, method: str, student: ModelSpec | None = None) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        scratch = tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        scratch.mkdir()
        request = Request(
            model.folder, model.folder, folder, scratch, 0, model.examples, Student(student) if student else None
        )
        return folder, compress(parse_method(method), request)

    return make
