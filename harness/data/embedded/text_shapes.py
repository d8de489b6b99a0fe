"""Shapes whose rows end in texts instead of a class: how each is built. They have neither noise nor `oracle`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.data.embedded import translation

TEXT_SHAPES: dict[str, Callable[[], dict[str, dict[str, list]]]] = {
    name: partial(translation.build, name) for name in translation.TRANSLATIONS
}
