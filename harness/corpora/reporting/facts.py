"""What a report on a corpus or on labelled data holds, as its JSON has it."""

from __future__ import annotations

from pydantic import Field

from harness.core.facts import Facts
from harness.corpora.streams.counting import Excerpt, Quantiles

Bounds = tuple[float, float]
"""Of a 95 % interval of Wilson's."""


def rounded(bounds: Bounds, digits: int = 5) -> Bounds:
    """An interval as it is written."""
    low, high = bounds
    return round(low, digits), round(high, digits)


class Heaps(Facts):
    """K and β of Heaps' law V = K n^β."""

    k: float
    beta: float


class Vocabulary(Facts):
    """Distinct words, how they grow (pairs of words and distinct words), and type–token ratios: of all words, and the
    mean over windows. None: too little text.
    """

    words: int
    distinct: int
    type_token_ratio: float
    moving_type_token_ratio: float | None
    heaps: Heaps | None
    growth: list[tuple[int, int]]
    most_frequent: list[tuple[str, int]]


class NgramFacts(Facts):
    """The n-grams of the sample: how many, the fraction that is distinct, their entropy."""

    n: int
    count: int
    distinct: float
    entropy_bits: float


class Lengths(Facts):
    """Words of a document: of the sample by quantiles, of all by powers of two."""

    words: Quantiles
    by_power_of_two: list[int]
    characters_mean: float
    lines_mean: float


class LanguageFacts(Facts):
    """Documents of the sample in a language."""

    language: str
    count: int
    n: int
    fraction: float
    interval: Bounds


class Topic(Facts):
    """A cluster of the sample."""

    fraction: float
    terms: list[str]
    examples: list[Excerpt]


class SelfSimilarity(Facts):
    """Cosines of TF-IDF of pairs of the sample, and of its texts to the likest other one."""

    mean_cosine: float
    mean_nearest_cosine: float
    nearest_above: float = Field(validation_alias="nearest_above_0.8", serialization_alias="nearest_above_0.8")


class Diversity(Facts):
    """How varied a corpus is; None: too few texts."""

    vocabulary: Vocabulary
    ngrams: list[NgramFacts]
    compression_ratio: float | None
    lengths: Lengths
    style: dict[str, Quantiles]
    languages: list[LanguageFacts]
    topics: list[Topic]
    self_similarity: SelfSimilarity | None
    sampled: int


class EncodingFacts(Facts):
    """Documents that were decoded wrongly, and their faults by kind."""

    documents: int
    fraction: float
    faults: dict[str, int]
    examples: list[Excerpt]


class CommonLine(Facts):
    """A line and the documents that it stands in."""

    text: str
    documents: int


class Boilerplate(Facts):
    """Lines that stand in `at_least` documents or more."""

    at_least: int
    lines: int
    most_frequent: list[CommonLine]
    counts_may_be_low_by: int


class Cluster(Facts):
    """A group of duplicates, with some of its texts."""

    size: int
    members: list[Excerpt]


class BandingFacts(Facts):
    """How near duplicates were found; `recall` is the probability that a pair of that similarity is compared."""

    ngram: int
    bands: int
    rows: int
    similarity: float
    signatures: str
    recall: dict[str, float]


class DuplicateFacts(Facts):
    """Documents that equal an earlier one, and further ones that resemble one."""

    exact: int
    exact_fraction: float
    near: int
    near_fraction: float
    distinct: int
    clusters: int
    largest: list[Cluster]
    banding: BandingFacts


class Consistency(Facts):
    """Regularities that a corpus should not have."""

    encoding: EncodingFacts
    blank_documents: int
    boilerplate: Boilerplate
    duplicates: DuplicateFacts


class MetadataFacts(Facts):
    """The values of a field: of how many documents they are known, and how often each stands there."""

    known: int
    distinct: int
    values: list[tuple[str, int]]


class PersonalData(Facts):
    """Personal data by kind, and the documents that have some."""

    documents: int
    fraction: float
    counts: dict[str, int]
    examples: dict[str, list[Excerpt]]


class ScoredExcerpt(Excerpt):
    """A document with its bits a character."""

    bits: float


class Outliers(Facts):
    """Documents of the sample that are far from the others."""

    count: int
    interval: Bounds
    examples: list[ScoredExcerpt]


class Gibberish(Facts):
    """Documents that a model of characters does not predict, and those that it predicts too well."""

    n: int
    median_bits_per_character: float
    unlike_the_rest: Outliers
    too_predictable: Outliers


class Advertising(Facts):
    """Documents of the sample that advertise."""

    n: int
    count: int
    interval: Bounds
    examples: list[Excerpt]


class Repetition(Facts):
    """Documents that repeat themselves, by the reason."""

    documents: int
    fraction: float
    reasons: dict[str, int]
    examples: list[Excerpt]
    rule: str


class Reliability(Facts):
    """How far a corpus can be relied on; without `gibberish` where there are too few texts."""

    metadata: dict[str, MetadataFacts]
    personal_data: PersonalData
    gibberish: Gibberish | None
    advertising: Advertising
    repetition: Repetition


class SplitSize(Facts):
    """The rows of a split, and whether they have labels."""

    rows: int
    labelled: bool


class Balance(Facts):
    """How many there are of each class, the fraction of the largest, and the classes' entropy over its greatest."""

    counts: dict[str, int]
    majority: float
    evenness: float


class Contradiction(Facts):
    """A text with several labels: places and labels of some of its rows."""

    text: str
    labels: list[tuple[str, str]]


class Contradictions(Facts):
    """Texts that have several labels."""

    texts: int = 0
    rows: int = 0
    examples: list[Contradiction] = Field(default_factory=list)


class Repeated(Facts):
    """Rows that stood before in the same split; texts with several labels, where there are classes."""

    rows: int
    contradictory: Contradictions = Contradictions()


class Overlap(Facts):
    """Rows and texts of the split `of` that are in another one: exact letter for letter, plain but for case,
    punctuation and white space.
    """

    within: str = Field(validation_alias="in", serialization_alias="in")
    of: str
    rows: int
    exact_rows: int
    plain_rows: int
    fraction: float
    texts: dict[str, int]
    examples: list[Excerpt]


class Drift(Facts):
    """How two splits differ, in bits, and how much random halves do; of labels where both have classes."""

    between: tuple[str, str]
    words_divergence: float
    words_divergence_by_chance: float
    median_words: tuple[float, float]
    labels_divergence: float | None = None
    labels_divergence_by_chance: float | None = None


class WrongLabel(Excerpt):
    """An example whose label looks wrong."""

    label: str
    by_model: str
    probability: float


class LabelNoise(Facts):
    """Labels that look wrong to a model, and how often it is right."""

    n: int
    suspect: int
    fraction: float
    model_accuracy: float
    majority: float
    examples: list[WrongLabel]


class LabelFacts(Facts):
    """What labelled data are like, by split and by pair of splits."""

    splits: dict[str, SplitSize]
    fields: list[str]
    balance: dict[str, Balance]
    values: dict[str, Quantiles]
    duplicates: dict[str, Repeated]
    overlap: list[Overlap]
    drift: list[Drift]
    label_noise: dict[str, LabelNoise]
