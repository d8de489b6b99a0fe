"""Length: texts cropped, two of one class made one, sentences in another order."""

from __future__ import annotations

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.data.augment.base import JoiningOperation, TextOperation
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Span, Text


class CropOptions(Strict):
    """How much stays.

    Attributes:
        keep: At least this fraction of the words.
    """

    keep: float = Field(default=0.8, gt=0, lt=1)


class Crop(TextOperation):
    """Words left out at the beginning, the end or both; none beyond a negation, a number or an answer."""

    Options = CropOptions
    changes = "sentences"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        words = text.words
        most = int((1 - self.options.keep) * len(words))
        count = 1 + draws.below(most) if most > 0 else 0
        before = draws.below(count + 1)
        after = count - before
        kept = [index for index, span in enumerate(words) if text.is_kept(span)]
        first = min([before, *kept])
        last = len(words) - min([after, *(len(words) - 1 - index for index in kept)])
        start = words[first].start if first else 0
        end = words[last].start if last < len(words) else len(text.text)
        inside = text.text[:end].rstrip() if last < len(words) else text.text
        return [Span(start, max(start, len(inside)))]


class ShuffleSentences(TextOperation):
    """The sentences in another order."""

    changes = "sentences"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        sentences = text.sentences
        order = draws.shuffled(sentences)
        if order == sentences:
            order = [*sentences[1:], *sentences[:1]]
        return text.edited(list(zip(sentences, order, strict=True)))


class ConcatenateOptions(Strict):
    """What stands between the two.

    Attributes:
        separator: A blank where left out.
    """

    separator: str = Field(default=" ", max_length=100)


class Concatenate(JoiningOperation):
    """The text and that of another example of its class, in either order."""

    Options = ConcatenateOptions
    changes = "sentences"

    def join(self, text: str, other: str, draws: Draws) -> str:
        pair = (text, other) if draws.chance(0.5) else (other, text)
        return self.options.separator.join(pair)
