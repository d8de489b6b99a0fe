"""Predictions of a checkpoint, aligned for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.text import quoted
from harness.report.text.text import columns

CLASSIFY = "text-classification"


def render(results: list[dict[str, Any]]) -> str:
    """Results of `predict`, aligned for people."""
    blocks: list[str] = []
    for result in results:
        if not blocks:
            blocks.append(_about(**result["model"]))
        unknown = result.get("unknown_tokens")
        warning = (
            [f"warning: {unknown} tokens stand for what the tokenizer does not know of this text"] if unknown else []
        )
        context = [f"context: {quoted(result['context'])}"] if "context" in result else []
        blocks.append("\n".join([f"{result['kind']}: {quoted(result['text'])}", *context, *warning, *_body(result)]))
    return "\n\n".join(blocks)


def _about(
    architecture: str,
    parameters: int | None,
    runtime: str | None = None,
    partial_weights: Mapping[str, Any] | None = None,
) -> str:
    counted = f", {parameters:,} parameters" if parameters is not None else ""
    random = f"; weights that did not fit are random: {partial_weights['summary']}" if partial_weights else ""
    return architecture + counted + (f", in {runtime}" if runtime else "") + random


def _body(result: dict[str, Any]) -> list[str]:
    if "masks" in result:
        rows = [[str(mask["position"]), *cells] for mask in result["masks"] for cells in _ranked(mask)]
        return [columns(rows, ["position", *_ranked_header(result["masks"][0], "token")])]
    if "positions" in result:
        rows = [
            [
                str(row["position"]),
                str(row["rank"]),
                f"{row['probability']:.4f}",
                f"{quoted(row['token'])}: "
                + ", ".join(f"{quoted(choice['token'])} {choice['probability']:.4f}" for choice in row["top"]),
            ]
            for row in result["positions"]
        ]
        return [
            columns(rows, ["position", "rank", "probability", "token: likeliest"]),
            f"pseudo-log-likelihood {result['pseudo_log_likelihood']:.4f}, "
            f"pseudo-perplexity {result['pseudo_perplexity']:.2f}, {len(rows)} tokens",
        ]
    if "answer" in result:
        answers = [
            [str(rank), f"{best['score']:.4f}", quoted(best["answer"])] for rank, best in enumerate(result["top"], 1)
        ]
        return [
            f"answer: {quoted(result['answer'])}",
            columns(answers, ["rank", "logits", "text"]),
            *(
                [f"no answer: {result['null_margin']:+.4f} against the first"]
                if result["null_margin"] is not None
                else []
            ),
        ]
    if "value" in result:
        return [f"value {result['value']:.4f}"]
    if result["kind"] == CLASSIFY:
        return [columns(list(_ranked(result)), _ranked_header(result, "class"))]
    return [
        f"generated: {quoted(result['generated'])}",
        f"{len(result['tokens'])} tokens, stopped by {result['stopped']}; the first of them:",
        columns(list(_ranked(result)), _ranked_header(result, "token")),
    ]


def _ranked_header(entry: dict[str, Any], what: str) -> list[str]:
    return ["rank", "probability", *(["logit"] if "logits" in entry else []), "id", what]


def _ranked(entry: dict[str, Any]) -> Iterator[list[str]]:
    """Cells of `top`, a row a choice."""
    for rank, choice in enumerate(entry["top"], start=1):
        logit = [f"{entry['logits'][choice['id']]:.4f}"] if "logits" in entry else []
        name = quoted(choice["token"]) if "token" in choice else str(choice["label"])
        yield [str(rank), f"{choice['probability']:.4f}", *logit, str(choice["id"]), name]
