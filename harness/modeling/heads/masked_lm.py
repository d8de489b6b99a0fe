"""A masked language model as it was pretrained: the pseudo-log-likelihood of a text is the sum over its tokens of the
log-probability of each while it is masked (Salazar et al. 2020), and with it those after it in its word (Kauf & Ivanova
2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head
from harness.modeling.heads.pairs import compared
from harness.modeling.inference.batching import DataCollator, TokenizedDataset, scoring_batches
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

Report = Callable[[float], None]
TOKENS = {"cpu": 4096, "cuda": 131072}
"""Padded tokens of a batch; the vocabulary is scored at one position of each row."""


@dataclass(frozen=True)
class Masked:
    """A text as a masked language model reads it: token ids, those around it included, and for each token of the text
    itself the positions that are masked when it is predicted, its own first.
    """

    ids: tuple[int, ...]
    masks: tuple[tuple[int, ...], ...]


class MaskedLM(Head):
    name = "masked-lm"
    auto_class = "AutoModelForMaskedLM"

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        raise HarnessError(f"task {reader.task.name}: {reader.family.name} trains nothing")

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        raise HarnessError(f"task {reader.task.name}: {reader.family.name} trains nothing")

    def predict(
        self, model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report = lambda fraction: None
    ) -> Predictions:
        tokenizer, longest = reader.tokenizer, 0
        if tokenizer.mask_token_id is None or not tokenizer.is_fast:
            raise HarnessError("a masked language model is asked through a fast tokenizer with a mask token")
        for name in reader.family.required:
            texts = list(split.fields[name])
            longest += sum(len(ids) > reader.max_length for ids in tokenizer(texts, verbose=False)["input_ids"])
        whole_words = reader.task.decoding.pseudo_likelihood == "within-word-l2r"
        return compared(
            reader,
            split,
            lambda texts: encoded(reader, texts, whole_words),
            lambda row: row.ids,
            lambda rows: pseudo_log_likelihoods(model, reader, rows, report),
            {"pseudo_likelihood": reader.task.decoding.pseudo_likelihood},
            longest,
        )


def encoded(reader: EncodingContext, texts: Sequence[str], whole_words: bool) -> list[Masked]:
    """n texts, cut to what is read at once. With `whole_words` the tokens after one in its word are masked with it."""
    output = reader.tokenizer(
        list(texts), truncation=True, max_length=reader.max_length, return_special_tokens_mask=True, verbose=False
    )
    rows = []
    for index, ids in enumerate(output["input_ids"]):
        inside = [place for place, added in enumerate(output["special_tokens_mask"][index]) if not added]
        words = output.word_ids(index) if whole_words else ids
        masks = [
            (place, *(other for other in inside if whole_words and other > place and words[other] == words[place]))
            for place in inside
        ]
        rows.append(Masked(tuple(ids), tuple(masks)))
    return rows


def pseudo_log_likelihoods(
    model: PreTrainedModel, reader: EncodingContext, rows: Sequence[Masked], report: Report
) -> np.ndarray:
    """(n,) in nats: log-probabilities in float32, summed in float64."""
    import numpy as np
    import torch

    items = [(index, mask) for index, row in enumerate(rows) for mask in row.masks]
    result = np.zeros(len(rows))
    padding, mask_id = DataCollator.of(reader.tokenizer, model.device), reader.tokenizer.mask_token_id
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches([len(rows[index].ids) for index, _ in items], TOKENS[model.device.type]):
            inputs, targets = [], []
            for index, mask in (items[item] for item in indices):
                ids = list(rows[index].ids)
                targets.append(ids[mask[0]])
                for place in mask:
                    ids[place] = mask_id
                inputs.append({"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": [0] * len(ids)})
            batch = {name: tensor.to(model.device) for name, tensor in padding(inputs).items()}
            places = torch.tensor([items[item][1][0] for item in indices], device=model.device)
            logits = logits_at(model, batch, places).float()
            scores = logits.log_softmax(-1).gather(1, torch.tensor(targets, device=model.device)[:, None])[:, 0]
            np.add.at(result, [items[item][0] for item in indices], scores.double().cpu().numpy())
            done += len(indices)
            report(done / len(items))
    return result


def logits_at(model: Any, batch: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
    """The logits (b, vocabulary) at one position of each row: the output layer sees no others, where a model has one
    that takes the hidden states as they are.
    """
    import torch

    rows = torch.arange(len(places), device=places.device)
    shape = batch["input_ids"].shape

    def select(module: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0][rows, places], *given[1:]) if given[0].shape[:2] == shape else given

    layer = getattr(model, "get_output_embeddings", lambda: None)()
    hook = None if layer is None else layer.register_forward_pre_hook(select)
    try:
        logits: torch.Tensor = model(**batch).logits
    finally:
        if hook is not None:
            hook.remove()
    return logits if logits.dim() == 2 else logits[rows, places]


HEAD = MaskedLM()
