"""Text: a string as it stands in a field, or a file in UTF-8. Tokenizers are of models and not of this."""

from __future__ import annotations

import numpy as np

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.families import TEXT
from harness.core.items import Item
from harness.data.modalities.base import Decoded, Modality, Shown

TYPOS = "typos"


class TextModality(Modality):
    """Texts of any language. One is identified by itself, so that equal texts are one."""

    name = TEXT
    endings = (".txt",)
    unit = "words"
    rate_unit = "tokens"
    element = ""

    def decode(self, item: str) -> Decoded:
        """Its words, as blanks part them."""
        return Decoded(np.asarray(_read(item).split(), dtype=object))

    def amount(self, decoded: Decoded) -> float:
        return float(len(decoded.values))

    def augment(self, decoded: Decoded, random: np.random.Generator) -> Decoded:
        """With slips of the keyboard; negations and numbers stay. A word more or less could turn what is said."""
        typos = plugins.lookup("augmentation", TYPOS)
        changed = typos(typos.Options()).rewritten(" ".join(decoded.values), int(random.integers(2**63)))
        return Decoded(np.asarray(changed.split(), dtype=object))

    def show(self, item: str) -> Shown:
        """The text itself, which a page writes and escapes as text."""
        return Shown(self.element, "", _read(item))


def _read(item: str) -> str:
    if not isinstance(item, Item):
        return item
    try:
        return item.content().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HarnessError(f"{item.place}: no text in UTF-8 (byte {error.start})") from None


MODALITY = TextModality()
