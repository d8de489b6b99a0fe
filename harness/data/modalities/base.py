"""What a modality is: how raw items become arrays, how much they hold, how they are changed and shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.items import Item
from harness.core.packages import require_packages

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Decoded:
    """A raw item as an array.

    Attributes:
        values: Of a text (n,) its words; of an image (h, w, 3) uint8, RGB; of a sound (t,) float32 in -1..1, one
            channel; of a video (frames, h, w, 3) uint8.
        rate: Samples a second of a sound, frames a second of a video; 0 of an image.
    """

    values: np.ndarray
    rate: float = 0.0


@dataclass(frozen=True)
class Shown:
    """An item for a page.

    Attributes:
        kind: The element that shows it: `img` or `audio`; empty of a text.
        uri: A data URI; empty of a text.
        label: What it is called.
    """

    kind: str
    uri: str
    label: str


class Modality(ABC):
    """A kind of raw items. One subclass a module, registered under `name`.

    Attributes:
        name: What fields and families call it.
        endings: The endings of its files, with their dots.
        read_by: The modality of the models that read its arrays: its own where nothing else is said.
        in_frames: Whether its arrays are frames, of which a model sees one at a time; such items are compared with
            texts, and no head is trained on them.
        unit: What it is counted in: `words`, `images`, `seconds of audio`.
        rate_unit: What rates of models count, where that is another: tokens, which each model cuts its own way.
        element: What shows it in small on a page, `img` or `audio`; empty of what a page writes as it is.
        package: The module that reading its files needs; empty where it needs none.
        extra: The extra that installs it.
    """

    name: str
    endings: tuple[str, ...]
    unit: str
    rate_unit: str = ""
    element: str = "img"
    read_by: str = ""
    in_frames: bool = False
    package: str = ""
    extra: str = ""

    def require(self) -> None:
        """Raises HarnessError, with the extra to install, where the package is missing. Imports nothing."""
        if self.package:
            require_packages(self.package, extra=self.extra)

    @property
    def counted(self) -> str:
        """What rates of models count."""
        return self.rate_unit or self.unit

    @property
    def model_modality(self) -> str:
        """The modality of the models that read it."""
        return self.read_by or self.name

    @abstractmethod
    def decode(self, item: Item) -> Decoded:
        """The item as an array.

        Raises:
            HarnessError: it is damaged, empty, far too large, or another thing than its name says; one line that names
                `item.place`.
        """

    @abstractmethod
    def amount(self, decoded: Decoded) -> float:
        """How much it holds, in `unit`."""

    @abstractmethod
    def augment(self, decoded: Decoded, random: np.random.Generator) -> Decoded:
        """The item changed so that its captions stay true, as far as can be known: for training."""

    @abstractmethod
    def show(self, item: Item) -> Shown:
        """A small form of it for a page: a thumbnail, or the sound itself."""
