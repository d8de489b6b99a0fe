"""The pretrain cell: a corpus, a model spec and an objective to a checkpoint."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.lazy import lazy
from harness.core.machine.calibrate import calibration
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.runs import content_of
from harness.core.store import Store
from harness.pipeline.cells import Cell, PretrainJob
from harness.pipeline.steps import pretraining_data
from harness.training.curves import LOSSES, write_losses
from harness.training.pretraining.schedules import rate

if TYPE_CHECKING:
    from harness.training.pretraining.loop import Outcome, Throughput
    from harness.training.pretraining.train_step import Losses

deferred = lazy("harness.training.deferred")
going_on = lazy("harness.training.pretraining.going_on")
evaluation = lazy("harness.training.pretraining.evaluation")
loop = lazy("harness.training.pretraining.loop")
sharding = lazy("harness.training.sharding")
devices = lazy("harness.training.devices")


DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout_rate",
    "dropout", "attention_dropout", "activation_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout",
)  # fmt: skip
"""What the configs of `transformers` call their dropout rates."""
CURVE_POINTS = 200
ADAPTER = "adapter"
"""The folder of an adapter beside that of the model it is merged into."""


def run(cell: Cell, store: Store, folder: Path, report: Callable[..., None]) -> dict[str, Any]:
    """Pretrain, write `folder/model`, and return the record's body. A pretraining cut off before goes on.

    One of several processes that is not the first only helps to train, and returns nothing.
    """
    started = time.perf_counter()
    import torch

    job = cell.job
    assert isinstance(job, PretrainJob)
    model_spec = job.model_spec
    settings = model_spec.pretraining
    assert settings is not None
    data = pretraining_data.read(cell, store)
    objective, blocks, held_out, config = data.objective, data.blocks, data.held_out, data.config
    dropouts = {
        name: getattr(config, name) for name in DROPOUTS if isinstance(getattr(config, name, None), int | float)
    }
    for name in dropouts:
        setattr(config, name, settings.dropout)
    torch.manual_seed(settings.seed)
    weights = deferred.DeferredWeights() if job.sharded else None
    adapted = None
    with weights or nullcontext():
        if job.pretrained is None:
            model = objective.build(config)
        else:
            model = going_on.checkpoint(objective, job.pretrained, config, weights)
    if settings.peft is not None and job.pretrained is not None:
        adapted = going_on.adapted(model, settings.peft, objective, job.pretrained, job.model["name"], job.sharded)
    device = devices.pick_device()
    measured = calibration()
    peak = 1e9 * measured["gemm_gflops"].get(str(torch.get_num_threads()), 0) if device.type == "cpu" else None

    def listen(throughput: Throughput) -> None:
        report(throughput.step / max(1, throughput.steps), str(throughput))

    def scored(current: Losses) -> dict[str, float]:
        scores = evaluation.evaluate(current, objective, held_out, settings.seed, settings.batch_size)
        return {f"held_out/{name}": score["value"] for name, score in scores.items()}

    try:
        outcome = loop.train(
            model, objective, blocks, settings, devices.pick_precision(settings.precision, device),
            store.partial(cell.key), listen, peak, job.observe, scored, job.resume, job.sharded, weights,
        )  # fmt: skip
    except DamagedFileError as error:
        shutil.rmtree(store.partial(cell.key), ignore_errors=True)
        raise HarnessError(f"{error}; it is removed, the next run starts this pretraining over") from None
    if outcome.trained is None:
        return {}
    scores = evaluation.evaluate(outcome.trained, objective, held_out, settings.seed, settings.batch_size)
    exported = objective.export(outcome.trained.model)
    trainable = None if adapted is None else going_on.kept_adapter(adapted, data.tokenizer, folder / ADAPTER)
    exported = exported if adapted is None else going_on.merged(adapted)
    if not job.sharded:
        exported.cpu()
    for name, value in dropouts.items():
        setattr(exported.config, name, value)
    exported.config.dtype = "float32"
    (folder / "model").mkdir()
    sharding.save_pretrained(exported, folder / "model", outcome.is_first)
    data.save_readers(folder / "model")
    write_losses(
        folder / LOSSES, outcome.losses, settings.batch_size * objective.example_size, _rates(settings, outcome)
    )
    facts = job.corpus
    return {
        "model": {**content_of(job.model), "parameters": sum(parameter.numel() for parameter in exported.parameters())},
        "objective": settings.objective,
        "data": {key: facts[key] for key in ("source", "location", "documents", "bytes", "fingerprint")}
        | {"asked": settings.model_dump(mode="json", include={"corpus", "sentences", "field"})}
        | dict(data.facts),
        "scores": scores,
        "fit": {
            "steps": outcome.steps,
            "tokens": outcome.tokens,
            **({} if objective.unit == "tokens" else {"unit": objective.unit}),
            "epochs": round(outcome.steps * settings.batch_size / len(blocks), 3),
            "vocabulary": 0 if data.tokenizer is None else len(data.tokenizer),
            "loss": outcome.losses[-1] if outcome.losses else None,
            "curve": _thinned(outcome.losses),
            "tokens_per_second": round(outcome.tokens / outcome.seconds, 1) if outcome.losses else None,
            "precision": outcome.precision,
            "device": outcome.device,
            "processes": outcome.processes,
            "sharded": outcome.sharded,
            "resumed_from": outcome.resumed_from,
            "budget": _budget(settings, outcome, time.perf_counter() - started),
            **({} if settings.peft is None else {"peft": str(settings.peft), "trainable_parameters": trainable}),
        },
    }


def _budget(settings: PretrainingSpec, outcome: Outcome, seconds: float) -> dict[str, Any] | None:
    """What a wall-clock budget was to be and what became of it: seconds of the whole cell so far, seconds of training,
    and the steps that were planned first and after each revision.
    """
    if settings.seconds is None:
        return None
    return {
        "planned_seconds": settings.seconds,
        "real_seconds": round(outcome.before + seconds, 2),
        "planned_training_seconds": round(outcome.plan.seconds or 0.0, 2),
        "real_training_seconds": round(outcome.seconds, 2),
        "planned_steps": outcome.plan.first,
        "revisions": outcome.plan.revisions,
    }


def _rates(settings: PretrainingSpec, outcome: Outcome) -> list[float]:
    """The learning rate of each step."""
    places, planned = outcome.plan.places(), outcome.plan.first
    return [
        settings.learning_rate * rate(settings.schedule, place, planned, settings.warmup_ratio, settings.decay_ratio)
        for place in places
    ]


def _thinned(losses: list[float]) -> list[list[float]]:
    """At most `CURVE_POINTS` pairs of step and mean loss since the pair before."""
    width = max(1, -(-len(losses) // CURVE_POINTS))
    chunks = [losses[start : start + width] for start in range(0, len(losses), width)]
    return [
        [min((index + 1) * width, len(losses)), round(sum(part) / len(part), 5)] for index, part in enumerate(chunks)
    ]
