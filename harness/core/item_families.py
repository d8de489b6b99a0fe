"""Families of tasks with images and sounds: their fields, the modality of each, and what is predicted."""

from __future__ import annotations

from harness.core.families import Classification, Columns, Family

IMAGE, AUDIO, VIDEO = "image", "audio", "video"


class ItemClassification(Classification):
    """Classification of raw items into named classes: by a head that is trained, or, shown no example, by the likeness
    of an item to the classes' names in the task's templates (zero-shot).
    """

    optional = ()

    def __init__(self, modality: str) -> None:
        self.name = f"{modality}-classification"
        self.required = (modality,)
        self.modalities = {modality: modality}

    def words(self, split: Columns) -> list[str]:
        return []


IMAGE_CLASSIFICATION = ItemClassification(IMAGE)
AUDIO_CLASSIFICATION = ItemClassification(AUDIO)
VIDEO_CLASSIFICATION = ItemClassification(VIDEO)


class ItemTextRetrieval(Family):
    """Items and their captions, an example a pair: which caption is an item's, and which item a caption's? An item may
    have several captions, a row each. Nothing is trained.
    """

    required: tuple[str, ...]
    target = None
    predictions = "ranks"
    trained = False

    def __init__(self, modality: str) -> None:
        self.name = f"{modality}-text-retrieval"
        self.required = (modality, "text")
        self.modalities = {modality: modality}

    def texts(self, split: Columns) -> tuple[list[str], list[str] | None]:
        return list(split.fields["text"]), None


IMAGE_TEXT_RETRIEVAL = ItemTextRetrieval(IMAGE)
AUDIO_TEXT_RETRIEVAL = ItemTextRetrieval(AUDIO)
VIDEO_TEXT_RETRIEVAL = ItemTextRetrieval(VIDEO)


class CaptionPairs(Family):
    """Image–caption matching: of two captions of an item, which differ in one thing, one is right, and a model should
    find it more like the item (Thrush et al. 2022 measure compositions so). Nothing is trained.
    """

    required: tuple[str, ...]
    target = None
    predictions = "log-odds"
    trained = False

    def __init__(self, modality: str) -> None:
        self.name = f"{modality}-caption-pairs"
        self.required = (modality, "good", "bad")
        self.modalities = {modality: modality}

    def texts(self, split: Columns) -> tuple[list[str], list[str] | None]:
        return list(split.fields["good"]), list(split.fields["bad"])


IMAGE_CAPTION_PAIRS = CaptionPairs(IMAGE)
AUDIO_CAPTION_PAIRS = CaptionPairs(AUDIO)
