"""Predictions of a checkpoint, aligned for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.core.facts import facts_from
from harness.core.prediction_facts import AskedModel, Prediction, Ranked
from harness.core.text import quoted
from harness.report.text.text import columns

CLASSIFY = "text-classification"


def render(results: Sequence[Mapping[str, Any]]) -> str:
    """Results of `predict`, aligned for people."""
    predictions = [facts_from(Prediction, result, "the prediction") for result in results]
    blocks = [_about(prediction.model) for prediction in predictions[:1]]
    for prediction in predictions:
        unknown = prediction.unknown_tokens
        warning = (
            [f"warning: {unknown} tokens stand for what the tokenizer does not know of this text"] if unknown else []
        )
        context = [] if prediction.context is None else [f"context: {quoted(prediction.context)}"]
        head = f"{prediction.kind}: {quoted(prediction.text) if prediction.file is None else prediction.file}"
        blocks.append("\n".join([head, *context, *warning, *_body(prediction)]))
    return "\n\n".join(blocks)


def _about(model: AskedModel) -> str:
    counted = f", {model.parameters:,} parameters" if model.parameters is not None else ""
    partial = model.partial_weights
    random = f"; weights that did not fit are random: {partial.get('summary')}" if partial else ""
    return model.architecture + counted + (f", in {model.runtime}" if model.runtime else "") + random


def _body(prediction: Prediction) -> list[str]:
    if prediction.masks is not None:
        rows = [[str(mask.position), *cells] for mask in prediction.masks for cells in _ranked(mask)]
        return [columns(rows, ["position", *_ranked_header(prediction.masks[0], "token")])]
    if prediction.positions is not None:
        rows = [
            [
                str(row.position),
                str(row.rank),
                f"{row.probability:.4f}",
                f"{quoted(row.token)}: "
                + ", ".join(f"{quoted(str(choice.token))} {choice.probability:.4f}" for choice in row.top),
            ]
            for row in prediction.positions
        ]
        return [
            columns(rows, ["position", "rank", "probability", "token: likeliest"]),
            f"pseudo-log-likelihood {prediction.pseudo_log_likelihood:.4f}, "
            f"pseudo-perplexity {prediction.pseudo_perplexity:.2f}, {len(rows)} tokens",
        ]
    if prediction.answer is not None:
        answers = [[str(rank), f"{best.score:.4f}", quoted(best.answer)] for rank, best in enumerate(prediction.top, 1)]
        margin = prediction.null_margin
        return [
            f"answer: {quoted(prediction.answer)}",
            columns(answers, ["rank", "logits", "text"]),
            *([] if margin is None else [f"no answer: {margin:+.4f} against the first"]),
        ]
    if prediction.entities is not None:
        if not prediction.entities:
            words = [[word.tag, f"{word.probability:.4f}", quoted(word.word)] for word in prediction.words]
            return [columns(words, ["tag", "probability", "word"])]
        entities = [
            [entity.type, f"{entity.probability:.4f}", f"{entity.start}-{entity.end}", quoted(entity.text)]
            for entity in prediction.entities
        ]
        return [columns(entities, ["type", "probability", "characters", "text"])]
    if prediction.value is not None:
        return [f"value {prediction.value:.4f}"]
    if prediction.kind == CLASSIFY or prediction.file is not None:
        return [columns(list(_ranked(prediction)), _ranked_header(prediction, "class"))]
    return [
        f"generated: {quoted(prediction.generated)}",
        f"{len(prediction.tokens)} tokens, stopped by {prediction.stopped}; the first of them:",
        columns(list(_ranked(prediction)), _ranked_header(prediction, "token")),
    ]


def _ranked_header(entry: Ranked, what: str) -> list[str]:
    return ["rank", "probability", *(["logit"] if entry.logits is not None else []), "id", what]


def _ranked(entry: Ranked) -> Iterator[list[str]]:
    """Cells of `top`, a row a choice."""
    for rank, choice in enumerate(entry.top, start=1):
        logit = [] if entry.logits is None else [f"{entry.logits[choice.id]:.4f}"]
        name = str(choice.label) if choice.token is None else quoted(choice.token)
        yield [str(rank), f"{choice.probability:.4f}", *logit, str(choice.id), name]
