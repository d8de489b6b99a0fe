"""Weights of a folder into a model: whole, or an error that names what does not fit.

`from_pretrained` fills whatever it finds no weights for with random numbers, and says so in a report that nobody reads.
Here a new head alone may be random: one for a task, with an output for each of its classes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.settings import base_of, model_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

layers = lazy("harness.modeling.weights.layers")

HERE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
NEW_HEADS = (
    "AutoModelForSequenceClassification", "AutoModelForQuestionAnswering", "AutoModelForTokenClassification",
    "AutoModelForImageClassification", "AutoModelForAudioClassification",
)  # fmt: skip
"""What loads models whose heads are made for a task; an output layer over a vocabulary is learned before."""
BODY = "AutoModel"
"""What loads models without a head; the pooler of some is one for a task, which sentence encoders do without."""
ENCODERS = {kind: f"{name}EncoderModel" for kind, name in {
    "t5": "T5", "mt5": "MT5", "umt5": "UMT5", "longt5": "LongT5",
}.items()}  # fmt: skip
"""The bodies of encoder–decoders that encode alone, as sentence encoders do, by their model_type."""
COMPUTED = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias)$")
"""Buffers that older versions of `transformers` stored, and that a model computes."""
ALIKE = ({"roberta", "xlm-roberta", "camembert"}, {"t5", "mt5"}, {"mbart", "bart"})
"""Model types that compute the same with the same weights."""
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Misfit:
    """What of a folder's weights is not as its config says: names of those it lacks, has without use, or has in another
    shape; and the type of the model that was saved, where that is another.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    saved_type: str = ""

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched or self.saved_type)

    def __str__(self) -> str:
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.mismatched))
        listed = [f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds if names]
        return ", ".join([self.saved_type, *listed] if self.saved_type else listed)

    def facts(self) -> dict[str, Any]:
        """For a record: how many of each, and the first names."""
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "mismatched": self.mismatched}
        return {kind: len(names) for kind, names in kinds.items()} | {"summary": str(self)}


_partial: ContextVar[list[Misfit] | None] = ContextVar("partial", default=None)


@contextmanager
def partial_weights(allowed: bool) -> Iterator[list[Misfit]]:
    """Within, weights that do not fit are an error or, where `allowed`, are kept in the list that this gives."""
    misfits: list[Misfit] = []
    token = _partial.set(misfits if allowed else None)
    try:
        yield misfits
    finally:
        _partial.reset(token)


def partial_allowed() -> bool:
    """Whether this is within `partial_weights` that are allowed."""
    return _partial.get() is not None


def partial_facts(misfits: Sequence[Misfit]) -> dict[str, Any]:
    """What the record of a model says of weights that did not fit; nothing where all did."""
    return {"partial_weights": misfits[0].facts()} if misfits else {}


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder. Raises HarnessError for none, or one that cannot be loaded."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(tokenizer_folder(folder), **HERE)
    except Exception as error:  # of json, tokenizers and of each class, over files they cannot use
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"model {folder}: cannot load its tokenizer: {reason}") from None


def config_of(folder: Path) -> Any:
    """The `transformers` config of a model's folder; of an adapter that of the whole model."""
    import transformers

    if not is_adapter(folder):
        return transformers.AutoConfig.from_pretrained(folder, **HERE)
    values = model_config(folder)
    return transformers.AutoConfig.for_model(values.pop("model_type"), **values)


def tokenizer_folder(folder: Path) -> Path:
    """Where a model's tokenizer is: in its folder, of an adapter without one in that of its base."""
    alone = is_adapter(folder) and not (folder / "tokenizer_config.json").exists()
    return base_of(folder) if alone else folder


def load_weights(
    auto_class: str, folder: Path, new_head: bool = False, learns_head: bool = False, **options: Any
) -> PreTrainedModel:
    """A model of a folder in float32, by a class of `transformers`.

    Args:
        auto_class: The name of the class.
        folder: A `save_pretrained` folder.
        new_head: The head may be missing, or have another number of outputs.
        learns_head: That of any class may be: what is loaded is trained as a whole.
        **options: Of `from_pretrained`, such as values of the config. A `state_dict` takes the place of the folder's
            weights, and a `config` has to stand beside it.

    Returns:
        The model.

    Raises:
        HarnessError: nothing that can be loaded, or weights that are missing, left over or of another shape, outside
            `partial_weights` that are allowed.
    """
    model, report = _loaded(auto_class, folder, options)
    misfit = _misfit(model, report, learns_head or _takes_new_head(auto_class, new_head))
    if misfit:
        allowed = _partial.get()
        if allowed is None:
            raise does_not_fit(folder, str(misfit))
        allowed.append(misfit)
    return model


def misfit_of(auto_class: str, folder: Path, new_head: bool = False, **options: Any) -> str:
    """What of a folder's weights does not fit, as `load_weights` would say, by their names and shapes alone: no bytes
    are read. Empty where they fit, or where nothing can be said before the model is loaded.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    try:
        model, report = _loaded(auto_class, folder, {**options, "device_map": "meta"})
        return str(_misfit(model, report, _takes_new_head(auto_class, new_head)) or "")
    except HarnessError:
        return ""


def new_modules(auto_class: str, folder: Path, **options: Any) -> tuple[str, ...]:
    """The names of modules of a model for a task that a folder has no weights for, or weights of another shape: a new
    head. No bytes are read. Raises HarnessError for a folder that cannot be loaded.
    """
    _, report = _loaded(auto_class, folder, {**options, "device_map": "meta"})
    absent = {*report["missing_keys"], *(name for name, _, _ in report["mismatched_keys"])}
    return tuple(sorted({name.rpartition(".")[0] for name in absent if not COMPUTED.search(name)}))


def does_not_fit(folder: Path, misfit: str) -> HarnessError:
    """The error for a model whose weights do not fit its config."""
    return HarnessError(
        f"model {folder}: its weights do not fit its config.json: {misfit}; --allow-partial (of run, evaluate, predict "
        "and compress) goes on with random numbers for what does not fit"
    )


def _takes_new_head(auto_class: str, new_head: bool) -> bool:
    return (new_head and auto_class in NEW_HEADS) or auto_class == BODY


def _loaded(auto_class: str, folder: Path, options: Mapping[str, Any]) -> tuple[PreTrainedModel, Mapping[str, Any]]:
    """A model, and what `from_pretrained` reports of its weights."""
    import transformers
    from transformers.models.auto import auto_factory

    transformers.utils.logging.disable_progress_bar()
    kind = ENCODERS.get(str(model_config(folder).get("model_type")), auto_class) if auto_class == BODY else auto_class
    is_given, of_models = "state_dict" in options, getattr(transformers, kind)
    try:
        if is_given and hasattr(of_models, "_model_mapping"):  # which looks for a folder
            of_models = auto_factory._get_model_class(options["config"], of_models._model_mapping)
        model, report = of_models.from_pretrained(
            None if is_given else folder,
            **{"dtype": "float32", **options},
            **HERE,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        if is_given and model.can_generate():
            here = HERE | dict.fromkeys(("cache_dir", "proxies", "token"))
            model.adjust_generation_fn(
                None, False, None, folder, **here, force_download=False, revision="main", subfolder=""
            )
    except Exception as error:  # of safetensors, json, torch and of each config, over a file they cannot use
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())[:300]}") from None
    return model, report


def _misfit(model: PreTrainedModel, report: Mapping[str, Any], new_head: bool) -> Misfit:
    shapes = {name: (stored, wanted) for name, stored, wanted in report["mismatched_keys"]}
    missing = {name for name in report["missing_keys"] if not COMPUTED.search(name)}
    if new_head:
        owners = _new_modules(model, missing | shapes.keys())
        known = {name for name, _ in model.named_parameters()}  # of tied weights the first name alone
        missing = {name for name in missing & known if name.rpartition(".")[0] not in owners}
        shapes = {
            name: (stored, wanted)
            for name, (stored, wanted) in shapes.items()
            if name.rpartition(".")[0] not in owners or stored[1:] != wanted[1:]
        }
    left_over = {name for name in report["unexpected_keys"] if not COMPUTED.search(name)}
    mismatched = (f"{name} is {_shape(stored)}, not {_shape(wanted)}" for name, (stored, wanted) in shapes.items())
    unexplained = _unexplained(model, left_over)
    return Misfit(
        tuple(sorted(missing)), tuple(sorted(unexplained)), tuple(sorted(mismatched)), _other_type(model.config)
    )


def _new_modules(model: PreTrainedModel, absent: set[str]) -> set[str]:
    """Modules of the head, and a pooler before it, of whose weights none was loaded: half a head is a damaged one."""
    heads = layers.head_names(model)
    owners: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        owner = name.rpartition(".")[0]
        if layers.inside(name, heads) or "pooler" in owner.split("."):
            owners.setdefault(owner, []).append(name)
    return {owner for owner, names in owners.items() if absent.issuperset(names)}


def _unexplained(model: PreTrainedModel, names: set[str]) -> set[str]:
    """Of weights that the model does not have, those that are not of the head it was saved with either."""
    prefix = f"{model.base_model_prefix}."
    architecture = next(iter(getattr(model.config, "architectures", None) or ()), None)
    had_a_head = architecture is None
    for kind in _classes_like(model, architecture) if names else ():
        known, is_base = _names_of(kind, model.config)
        names = {name for name in names if not known & {name, prefix + name, name.removeprefix(prefix)}}
        had_a_head |= kind.__name__ == architecture and not is_base and kind is not type(model)
        if not names:
            return names
    if not had_a_head or model.base_model is model:
        return names
    body = {name for name, _ in model.base_model.named_children()}
    return {name for name in names if name.removeprefix(prefix).split(".")[0] in body}


def _classes_like(model: PreTrainedModel, architecture: str | None) -> list[Any]:
    """The classes of `transformers` for the model's config, the one that saved it first."""
    import transformers

    kinds = [
        kind
        for name, kind in vars(sys.modules[type(model).__module__]).items()
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
        if kind.config_class is type(model.config) and not name.endswith("PreTrainedModel")
    ]
    return sorted(kinds, key=lambda kind: kind.__name__ != architecture)


def _names_of(kind: Any, config: Any) -> tuple[set[str], bool]:
    """The names of the weights of a class, and whether it is a model without a head."""
    import torch

    try:
        with torch.device("meta"):
            model = kind(config)
    except Exception:  # a class for another kind of config, such as a decoder's
        return set(), False
    return set(model.state_dict()), model.base_model is model


def _other_type(config: Any) -> str:
    """What saved the model, where that is of another type than its config says."""
    import transformers

    for name in getattr(config, "architectures", None) or ():
        saved = getattr(getattr(getattr(transformers, str(name), None), "config_class", None), "model_type", None)
        if saved not in (None, config.model_type) and not any({saved, config.model_type} <= kin for kin in ALIKE):
            return f"saved by {name}, which is of model_type {saved}, not {config.model_type}"
    return ""


def _shape(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape)) or "one number"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
