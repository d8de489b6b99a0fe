"""The part of a plan that comes before fine-tuning: a model spec's checkpoint, and its control with random weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import psutil

from harness.core.cached_facts import KnownCorpus, KnownProblem, known_on_machine
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.machine.numerics import resolved_precision
from harness.core.pretraining_specs import CONTROL_SUFFIX
from harness.core.run_spec import RunSpec
from harness.core.source_names import canonical
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.core.strict_spec import NAME
from harness.data import corpus as corpora
from harness.data import pairs
from harness.data.augment.documents import DocumentAugmenter
from harness.data.augment.expand import inputs_of
from harness.data.modalities import MODALITIES
from harness.modeling.weights.building import config_problem
from harness.modeling.weights.config_file import parameters_of
from harness.modeling.weights.pretrained import Weights
from harness.pipeline.cells import Cell, Origin, PretrainJob, code_of, machine_of, model_record
from harness.pipeline.planner.costing import pretraining
from harness.training.learners.base import RANDOM_WEIGHTS
from harness.training.objectives import OBJECTIVES, check_objective


def corpora_by_name(corpora: Sequence[str]) -> dict[str, str]:
    """What `--corpus` names: `NAME=SOURCE`, or a source, whose name is the last part of its path.

    Raises:
        HarnessError: two have one name.
    """
    places: dict[str, str] = {}
    for corpus in corpora:
        name, equals, place = corpus.partition("=")
        if not equals or not re.fullmatch(NAME, name):
            place = corpus
            last = corpus.removeprefix("hub:").rstrip("/").rpartition("/")[2]
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", last.partition(".")[0]).strip("-.") or "corpus"
        if name in places:
            raise HarnessError(f"--corpus: two corpora are called '{name}'; name them: --corpus NAME={place}")
        places[name] = place
    return places


def on_corpus(model: str, corpus: str) -> str:
    """What a model is called that several corpora are compared for."""
    return f"{model}-on-{corpus}"


def with_corpora(model_specs: Mapping[str, ModelSpec], corpora: Sequence[str]) -> dict[str, ModelSpec]:
    """Each model that is pretrained here, on other corpora than its spec's: one of each, by its name where there are
    several. All see equally many tokens.

    Raises:
        HarnessError: no model is pretrained here, or one by the clock, so that its tokens would differ.
    """
    places = corpora_by_name(corpora)
    result: dict[str, ModelSpec] = {}
    for name, model_spec in model_specs.items():
        settings = model_spec.pretraining
        if settings is None:
            result[name] = model_spec
            continue
        if len(places) > 1 and settings.budget is not None:
            raise HarnessError(
                f"--corpus: {name} is pretrained for {settings.budget}, in which it may see more tokens of one corpus "
                "than of another; give its model spec steps or tokens"
            )
        for corpus, place in places.items():
            changed = settings.model_copy(update={"corpus": canonical(place)})
            title = on_corpus(name, corpus) if len(places) > 1 else name
            result[title] = model_spec.model_copy(update={"pretraining": changed})
    if all(model_spec.pretraining is None for model_spec in model_specs.values()):
        raise HarnessError(f"--corpus: none of {', '.join(model_specs)} has a pretraining section")
    return result


def with_controls(model_specs: Mapping[str, ModelSpec]) -> dict[str, ModelSpec]:
    """Beside each model that is pretrained, here or by others, the same one with random weights: same tokenizer, same
    architecture.
    """
    both: dict[str, ModelSpec] = {}
    for name, model_spec in model_specs.items():
        both[name] = model_spec
        if model_spec.pretrained:  # of one that is trained further too: random weights are trained on no text
            options = {**model_spec.options, RANDOM_WEIGHTS: True}
            both[name + CONTROL_SUFFIX] = model_spec.model_copy(
                update={
                    "name": model_spec.name + CONTROL_SUFFIX,
                    "options": options,
                    "pretraining": None,
                    "meta": None,
                }
            )
        elif model_spec.pretraining:
            options = OBJECTIVES.get(model_spec.pretraining.objective).at_random(model_spec.pretraining.options)
            changes = {"steps": 0, "tokens": None, "budget": None, "options": options}
            random = model_spec.pretraining.model_copy(update=changes)
            both[name + CONTROL_SUFFIX] = model_spec.model_copy(
                update={"name": model_spec.name + CONTROL_SUFFIX, "pretraining": random, "meta": None}
            )
    if len(both) == len(model_specs):
        raise HarnessError(
            f"--from-scratch: none of {', '.join(model_specs)} has a pretraining section or starts from a checkpoint, "
            "so that there is no random-init control"
        )
    return both


def check_model(model_spec: ModelSpec) -> None:
    """Raises HarnessError for a model to be built that `transformers` does not know so, or that its objective does not
    fit. What is found is kept for the machine: asking `transformers` takes seconds.
    """
    if model_spec.config is None:
        return
    where = f"model spec {model_spec.name}: config"
    needed, there = 4 * parameters_of(model_spec.config), psutil.virtual_memory().total
    if needed > there:
        raise HarnessError(
            f"{where}: a model of some {needed / 1e9:,.0f} GB, this machine has {there / 1e9:,.0f} GB of memory"
        )
    causal = model_spec.pretraining is not None and OBJECTIVES.get(model_spec.pretraining.objective, where).causal
    key = hash_json(["config", model_spec.config, causal, version("transformers")])
    config = model_spec.config
    problem = known_on_machine(key, lambda: {"problem": config_problem(config, causal)}, KnownProblem)["problem"]
    if problem is not None:
        raise HarnessError(f"{where}: {problem}")


def corpus_facts(model_spec: ModelSpec, store: Store) -> dict[str, Any]:
    """What the plan must know of a model spec's corpus, from the store's cache where the corpus is unchanged."""
    settings = model_spec.pretraining
    assert settings is not None
    modality = OBJECTIVES.get(settings.objective, f"model spec {model_spec.name}").modality
    if modality != "text":
        return known_pairs(settings.corpus, modality, settings.sentences, store)
    return known_corpus(settings.corpus, store, settings.sentences, settings.field)


def known_pairs(where: str, modality: str, size: int, store: Store) -> dict[str, Any]:
    """What a plan knows of items with captions, as `corpus_facts`."""
    MODALITIES.get(modality).require()
    corpus = pairs.open_pairs(where, modality, size)
    state = pairs.state(corpus)
    key = hash_json(["pairs", modality, state]) if state else None
    facts: dict[str, Any] = store.get_or_compute(key, lambda: pairs.facts(corpus), KnownCorpus)
    return facts


def known_corpus(where: str, store: Store, sentences: int = 20_000, field: str = "text") -> dict[str, Any]:
    """What a plan knows of a corpus, as `corpus_facts`."""
    corpus = corpora.open_corpus(where, sentences, field)
    state = corpora.state(corpus)
    key = hash_json(["corpus", state]) if state else None
    facts: dict[str, Any] = store.get_or_compute(key, lambda: corpora.facts(corpus), KnownCorpus)
    return facts


def pretrain_cell(
    model_spec: ModelSpec, name: str, corpus: Mapping[str, Any], run: RunSpec, weights: Weights | None = None
) -> Cell:
    """The cell that makes a model spec's checkpoint, from `weights` where it goes on from others'. Raises HarnessError
    for an objective or options it does not have.
    """
    assert model_spec.pretraining is not None
    settings = model_spec.pretraining.model_copy(
        update={"precision": resolved_precision(model_spec.pretraining.precision)}
    )
    model_spec = model_spec.model_copy(update={"pretraining": settings})
    kind, options = check_objective(model_spec)
    inputs: dict[str, Any] = dict(kind.inputs(options))
    augmentations = []
    if settings.augment is not None:
        where = f"model {name}: pretraining.augment"
        operations = DocumentAugmenter(settings.augment, settings.seed, where).operations
        augmentations = [("augmentation", operation) for operation, _ in operations]
        inputs |= {"augment": read} if (read := inputs_of(settings.augment, where)) else {}
    spec = {
        "kind": "pretrain",
        "model": model_spec.model_dump(mode="json", include={"config", "tokenizer"}),
        "pretraining": settings.identity(),
        "corpus": corpus["fingerprint"],
        "seed": settings.seed,
        **({"weights": weights.fingerprint} if weights else {}),
        **({"inputs": inputs} if inputs else {}),
        "code": code_of("pretrain", ("objective", settings.objective), *augmentations),
        **machine_of(model_spec, run.threads),
    }
    key = hash_json(spec)
    record = model_record(model_spec, name, Origin(weights, corpus), run)
    folder = weights.folder if weights else None
    job = PretrainJob(model_spec, dict(corpus), record, pretrained=folder)
    work = pretraining(model_spec, corpus, folder)
    budget = (settings.seconds, settings.seconds) if settings.seconds is not None else None
    return Cell(key, spec, job, (), "", name, settings.seed, None, work, seconds=budget)
