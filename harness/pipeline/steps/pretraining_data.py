"""What a pretraining reads: blocks of tokens of a corpus of text, or items with their captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core import code_identity
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.lazy import lazy
from harness.core.pretraining_specs import PretrainingSpec, TokenizerSpec
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.data import corpus as corpora
from harness.data import pairs
from harness.data.augment.documents import DocumentAugmenter
from harness.data.augment.expand import refuse_changed_inputs
from harness.modeling.weights.building import build_config
from harness.modeling.weights.loading import config_of
from harness.modeling.weights.pretrained import refuse_changed
from harness.pipeline.cells import Cell, PretrainJob
from harness.training import tokenizers
from harness.training.objectives import Objective, check_objective
from harness.training.objectives.items import NO_TOKENS
from harness.training.objectives.vocabulary import tokens_of
from harness.training.pretraining.blocks import copies_in, cut, mapped, whole_blocks, write_tokens

if TYPE_CHECKING:
    import numpy as np
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

    from harness.modeling.processors import Processor

going_on = lazy("harness.training.pretraining.going_on")
items = lazy("harness.training.pretraining.items")
processors = lazy("harness.modeling.processors")
towers = lazy("harness.modeling.inference.towers")

TOKENIZER_BYTES = 20_000_000
"""A tokenizer is trained on so much text; of a longer corpus, on documents evenly spread over it."""
HELD_OUT_BLOCKS = 500


@dataclass(frozen=True)
class PretrainingData:
    """What is trained on and what is held out, as the objective reads it, and what reads it.

    Attributes:
        objective: Made for the tokenizer.
        config: Of the model.
        blocks: (n, raw_size), to train on.
        held_out: (n, raw_size), to score by.
        tokenizer: None of a model that reads no text.
        processor: None of a model that reads no items.
        facts: How much there is of it, for the record.
    """

    objective: Objective
    config: PretrainedConfig
    blocks: np.ndarray
    held_out: np.ndarray
    tokenizer: PreTrainedTokenizerFast | None
    processor: Processor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def save_readers(self, folder: Path) -> None:
        """Write what reads text and items beside a model."""
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)
        if self.processor is not None:
            self.processor.save(folder)


def read(cell: Cell, store: Store) -> PretrainingData:
    """What a pretraining cell is to read, from the store's cache where it was read before. Raises HarnessError."""
    assert isinstance(cell.job, PretrainJob)
    kind, _ = check_objective(cell.job.model_spec)
    return _text(cell, store) if kind.modality == "text" else _items(cell, store)


def make_objective(model_spec: ModelSpec, tokens: Any) -> Objective:
    """Raises HarnessError for an unknown objective, options it does not have, or a tokenizer it cannot use."""
    settings = model_spec.pretraining
    assert settings is not None
    kind, options = check_objective(model_spec)
    return kind(options, tokens, settings.block_size)


def _text(cell: Cell, store: Store) -> PretrainingData:
    job = cell.job
    assert isinstance(job, PretrainJob)
    settings = job.model_spec.pretraining
    assert settings is not None
    corpus = corpora.open_corpus(settings.corpus, settings.sentences, settings.field)
    tokenizer, tokenizer_key = _tokenizer(job, corpus, settings, store)
    tokens = tokens_of(tokenizer)
    objective = make_objective(job.model_spec, tokens)
    written = [job.corpus["fingerprint"], tokenizer_key, tokens.end]
    augmenter, known_by = _augmenter(cell)
    written += known_by
    folder = store.kept_folder(
        f"tokens-{hash_json(written)[:32]}",
        lambda folder: write_tokens(corpus, tokenizer, tokens.end, folder, augmenter),
    )
    splits = mapped(folder)
    facts = {"train_tokens": len(splits["train"]), "held_out_tokens": len(splits["held_out"])}
    if augmenter:
        facts["augmented_documents"] = copies_in(folder)
    return PretrainingData(
        objective,
        _config(job, tokenizer),
        cut(splits["train"], objective.raw_size, f"corpus {corpus.location}"),
        whole_blocks(splits["held_out"], objective.raw_size)[:HELD_OUT_BLOCKS],
        tokenizer,
        facts=facts,
    )


def _items(cell: Cell, store: Store) -> PretrainingData:
    job = cell.job
    assert isinstance(job, PretrainJob)
    settings = job.model_spec.pretraining
    assert settings is not None
    kind, options = check_objective(job.model_spec)
    corpus = pairs.open_pairs(settings.corpus, kind.modality, settings.sentences)
    tokenizer, tokenizer_key = None, ""
    if kind.has_captions:  # type: ignore[attr-defined]
        tokenizer, tokenizer_key = _tokenizer(job, corpus, settings, store)
    config = _config(job, tokenizer)
    reader: Any
    if job.pretrained is None:
        heard = options.model_dump(include={"rate", "seconds"})
        processor, reader = processors.processor_for(config, **heard), [config.to_dict(), heard]
    else:
        processor, reader = processors.processor_in(job.pretrained), job.model["weights"]
    objective: Any = make_objective(job.model_spec, NO_TOKENS if tokenizer is None else tokens_of(tokenizer))
    code = code_identity.identity("harness.training.pretraining.items")
    length = 0 if tokenizer is None else towers.caption_length(config, settings.block_size)
    augmenter, known_by = _augmenter(cell)
    frames: int | None = getattr(options, "frames", None)
    seen = [] if frames is None else [{"frames": frames}]
    written = hash_json([job.corpus["fingerprint"], tokenizer_key, reader, length, code, *known_by, *seen])[:32]
    folder = store.kept_folder(
        f"items-{written}",
        lambda folder: items.write_items(corpus, processor, tokenizer, length, folder, augmenter, frames),
    )
    objective.kept, splits = items.kept_items(folder)
    if objective.whole_batch and len(splits["train"]) < settings.batch_size:
        raise HarnessError(
            f"corpus {corpus.location}: {len(splits['train'])} {objective.unit} to train on, and a batch of "
            f"{settings.batch_size} compares different ones; give more, or a smaller --batch-size"
        )
    objective.processor = processor
    facts = {
        f"train_{objective.unit}": len(splits["train"]),
        f"held_out_{objective.unit}": len(splits["held_out"]),
        "caption_tokens": items.caption_tokens(folder),
        **({"augmented_documents": items.caption_copies(folder)} if augmenter else {}),
    }
    return PretrainingData(
        objective, config, splits["train"], splits["held_out"][:HELD_OUT_BLOCKS], tokenizer, processor, facts
    )


def _augmenter(cell: Cell) -> tuple[DocumentAugmenter | None, list[Any]]:
    """What makes copies of documents or captions, where copies are asked for, and what the copies are known by."""
    job = cell.job
    assert isinstance(job, PretrainJob)
    settings = job.model_spec.pretraining
    assert settings is not None
    if settings.augment is None:
        return None, []
    where = f"model {job.model['name']}: pretraining.augment"
    refuse_changed_inputs(settings.augment, cell.spec.get("inputs", {}).get("augment", {}), where)
    made = DocumentAugmenter(settings.augment, settings.seed, where)
    return made, [settings.augment.model_dump(mode="json"), settings.seed, cell.spec.get("inputs"), cell.spec["code"]]


def _config(job: PretrainJob, tokenizer: PreTrainedTokenizerFast | None) -> PretrainedConfig:
    return build_config(job.model_spec, tokenizer) if job.pretrained is None else config_of(job.pretrained)


def _tokenizer(
    job: PretrainJob, corpus: Any, settings: PretrainingSpec, store: Store
) -> tuple[PreTrainedTokenizerFast, str]:
    """That of the checkpoint that is trained further, or a new one; and what it is known by."""
    if job.pretrained is not None:
        refuse_changed(job.pretrained, job.model["weights"], store)
        return going_on.tokenizer_in(job.pretrained), job.model["weights"]
    if job.model_spec.tokenizer is None:
        raise HarnessError(f"model spec {job.model_spec.name}: it reads text, and has no section tokenizer")
    return _trained(job.model_spec.tokenizer, corpus.documents, job.corpus, settings.block_size, store)


def _trained(
    spec: TokenizerSpec, documents: Callable[[], Any], facts: Mapping[str, Any], max_length: int, store: Store
) -> tuple[PreTrainedTokenizerFast, str]:
    """Trained on the corpus once, and kept under the hash of the corpus and the settings."""
    from transformers import PreTrainedTokenizerFast

    code = code_identity.identity("harness.training.tokenizers")
    key = hash_json([facts["fingerprint"], spec.model_dump(mode="json"), max_length, code])[:32]

    def make(folder: Path) -> None:
        every = max(1, round(facts["bytes"] / TOKENIZER_BYTES))
        texts = (text for index, text in enumerate(documents()) if index % every == 0)
        tokenizers.train(spec, texts, max_length).save_pretrained(folder)

    place = store.kept_folder(f"tokenizer-{key}", make)
    return PreTrainedTokenizerFast.from_pretrained(place, local_files_only=True), key
