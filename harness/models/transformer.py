"""Any `transformers` model with a classification head: built from a config and trained from scratch, or loaded and
fine-tuned.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness.families
import harness.training
from harness.data.frame import Split
from harness.errors import HarnessError
from harness.families import Family
from harness.models.base import FitRequest, Learner
from harness.pretrained import refuse_empty_tokenizer
from harness.specs import RecipeSpec

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS_PER_WORD = 1.35
"""For cost estimates: word pieces and special tokens an English word comes to."""


class TransformerLearner(Learner):
    def code(self) -> list[Path]:
        here = [Path(__file__).with_name(name) for name in ("transformer.py", "building.py", "positions.py")]
        return [*here, Path(harness.training.__file__).parent, Path(harness.families.__file__).parent]

    def check(self, recipe: RecipeSpec) -> None:
        self._refuse_options(recipe, ())
        if recipe.config is None and recipe.pretrained is None:
            raise HarnessError(
                f"recipe {recipe.name}: learner transformer needs config (train from scratch) or pretrained"
            )

    def estimate(self, recipe: RecipeSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        config = recipe.config
        if pretrained is not None:
            config = json.loads((pretrained / "config.json").read_text(encoding="utf-8"))
        width, layers = (
            _find(config, "hidden_size", "d_model", "dim", "n_embd"),
            _find(config, "num_hidden_layers", "n_layers", "n_layer", "num_layers"),
        )
        if not width or not layers:
            return None
        tokens = min(words * TOKENS_PER_WORD, examples * recipe.training.max_length) * recipe.training.epochs
        optimizer = 60 * width * (recipe.tokenizer.vocab_size if recipe.tokenizer else 30_000)
        return (
            6 * 12 * layers * width**2 * tokens
            + optimizer * recipe.training.epochs * examples / recipe.training.batch_size
        )

    def fit(self, request: FitRequest) -> dict[str, Any]:
        from harness.models.positions import positions_of
        from harness.training.trainer import EncodedDataset, Padding, fine_tune, logits, pick_device

        training = request.recipe.training
        tokenizer, model = self._build(request) if request.pretrained is None else self._load_pretrained(request)
        limit = min(training.max_length, positions_of(model, "encoder") or training.max_length)
        columns = request.family.encode(tokenizer, request.train, limit)
        assert request.train.labels is not None
        dataset = EncodedDataset(columns, request.train.labels)
        select_by = None
        if request.held_out is not None and request.held_out_score is not None:
            held_out = request.family.encode(tokenizer, request.held_out, limit)
            padding = Padding.of(tokenizer, pick_device())
            held_out_score = request.held_out_score

            def select_by(current: Any) -> float:
                return held_out_score(request.family.decode(logits(current, padding, held_out)))

        report = fine_tune(
            model,
            tokenizer,
            request.family,
            dataset,
            training,
            request.seed,
            request.scratch,
            request.report,
            select_by,
        )
        model.cpu().save_pretrained(request.directory)
        tokenizer.save_pretrained(request.directory)
        (request.directory / "harness.json").write_text(json.dumps({"max_length": limit}))
        return {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "vocabulary": len(tokenizer),
            "truncated": sum(len(row) >= limit for row in columns["input_ids"]),
            **asdict(report),
        }

    def predict(self, directory: Path, family: Family, labels: tuple[str, ...], split: Split) -> np.ndarray:
        from harness.training.trainer import Padding, logits, pick_device

        settings = json.loads((directory / "harness.json").read_text())
        model, tokenizer = _load_fitted(directory, family.auto_class)
        columns = family.encode(tokenizer, split, settings["max_length"])
        device = pick_device()
        model.to(device)  # type: ignore[arg-type]
        return logits(model, Padding.of(tokenizer, device), columns)

    def _build(self, request: FitRequest) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        import transformers
        from transformers import set_seed

        from harness.models.building import build_config
        from harness.training.tokenizers import train

        recipe = request.recipe
        assert recipe.config is not None and recipe.tokenizer is not None
        if recipe.tokenizer.corpus == "task":
            first, second = request.family.texts(request.train)
            texts = [*first, *(second or [])]
        else:
            assert request.corpus is not None
            texts = request.corpus()
        tokenizer = train(recipe.tokenizer, texts, recipe.training.max_length)
        config = build_config(recipe, tokenizer, **request.family.config(request.labels))
        set_seed(request.seed)
        return tokenizer, getattr(transformers, request.family.auto_class).from_config(config)

    def _load_pretrained(self, request: FitRequest) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        import transformers
        from transformers import AutoTokenizer, set_seed

        set_seed(request.seed)
        where = request.pretrained
        assert where is not None
        try:
            tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True, trust_remote_code=False)
            refuse_empty_tokenizer(where, tokenizer)
            model = getattr(transformers, request.family.auto_class).from_pretrained(
                where,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float32",
                ignore_mismatched_sizes=True,
                **request.family.config(request.labels),
            )
        except (OSError, ValueError, KeyError) as error:
            raise HarnessError(
                f"cannot load a {request.family.name} model from {where}: {' '.join(str(error).split())}"
            ) from None
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        return tokenizer, model


@lru_cache(maxsize=1)
def _load_fitted(directory: Path, auto_class: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Kept for the next call: several splits are scored with one model. Folders in the store never change."""
    import transformers
    from transformers import AutoTokenizer

    loader = getattr(transformers, auto_class)
    model = loader.from_pretrained(directory, local_files_only=True, use_safetensors=True, dtype="float32")
    return model, AutoTokenizer.from_pretrained(directory, local_files_only=True)


def _find(config: dict[str, Any] | None, *names: str) -> int | None:
    return next((int(config[name]) for name in names if config and name in config), None)


LEARNER = TransformerLearner()
