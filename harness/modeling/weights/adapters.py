"""Adapters of peft on a model: trained, kept apart from its weights, served on weights that are loaded once, and merged
into them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError, did_you_mean
from harness.core.hashing import states_of
from harness.core.lazy import lazy
from harness.core.packages import require_packages
from harness.core.peft_spec import PeftSpec
from harness.modeling.weights.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, is_adapter
from harness.modeling.weights.loading import NEW_HEADS, config_of, load_weights, new_modules
from harness.modeling.weights.settings import base_of

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

layers = lazy("harness.modeling.weights.layers")

TASKS = {
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForCausalLM": "CAUSAL_LM",
    "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM",
}
"""What peft calls the tasks of models, by the class that loads them."""


WHOLE = ("classifier", "pre_classifier", "classification_head", "score", "qa_outputs", "lm_head")
"""Modules that are not kept in few bits: heads, which are trained, and output layers."""


def require_peft(spec: PeftSpec | None = None) -> None:
    """Raises HarnessError where a package is missing that an adapter needs."""
    require_packages("peft", extra="peft")
    if spec is not None and spec.quantize_base == "nf4":
        require_packages("bitsandbytes", extra="qlora")
    if spec is not None and spec.quantize_base == "int8":
        require_packages("torchao", extra="torchao")


def quantization(spec: PeftSpec | None, auto_class: str, folder: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Further options of `load_weights` for weights of a folder that are kept in 4 or 8 bits while an adapter is
    trained; none for whole ones. What is trained in full is kept whole.
    """
    if spec is None or spec.quantize_base is None:
        return {}
    require_peft(spec)
    import torch
    import transformers

    whole = [*WHOLE, *new_modules(auto_class, folder, **options)]
    if spec.quantize_base == "int8":
        from torchao.quantization import Int8WeightOnlyConfig

        return {"quantization_config": transformers.TorchAoConfig(Int8WeightOnlyConfig(), modules_to_not_convert=whole)}
    kind = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    return {
        "quantization_config": transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=kind,
            llm_int8_skip_modules=whole,
        )
    }


def attach(model: PreTrainedModel, spec: PeftSpec, auto_class: str, base: Path, name: str) -> PeftModel:
    """Put an adapter into a model, in place: it alone and the head are trained from now on.

    Args:
        model: As `load_weights` gives it, of the folder `base`.
        spec: The adapter.
        auto_class: The class that loaded it.
        base: Where its weights are.
        name: What the model is called in an error.

    Raises:
        HarnessError: peft is not installed, or knows no such layers in this model.
    """
    require_peft(spec)
    import peft

    saved = _trained_in_full(model, auto_class, base)
    targets = _targets(model, spec, saved, name)
    shared: dict[str, Any] = {
        "task_type": TASKS.get(auto_class),
        "target_modules": targets,
        "modules_to_save": saved or None,
        "base_model_name_or_path": str(base),
    }
    if spec.method == "ia3":
        kinds = peft.utils.constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING
        endings = kinds.get(model.config.model_type, []) if spec.named_modules is None else []
        inner = [target for target in targets if _ends(target, endings)]
        config: peft.PeftConfig = peft.IA3Config(**shared, feedforward_modules=inner)
    else:
        convolutions = any(type(model.get_submodule(target)).__name__ == "Conv1D" for target in targets)
        config = peft.LoraConfig(
            **shared, r=spec.r, lora_alpha=spec.alpha, lora_dropout=spec.dropout, use_dora=spec.method == "dora",
            fan_in_fan_out=convolutions,
        )  # fmt: skip
    adapted = peft.get_peft_model(model, config)
    if getattr(model, "is_quantized", False):
        model._hf_peft_config_loaded = True  # what the Trainer asks of weights in few bits
    return adapted


def _trained_in_full(model: PreTrainedModel, auto_class: str, base: Path) -> list[str]:
    """Modules that are trained and kept whole: the head of a task, and what else the weights lack."""
    heads = layers.head_names(model) if auto_class in NEW_HEADS else []
    options = {} if auto_class not in NEW_HEADS else {"config": _unquantized(model.config)}
    lacking = (owner for owner in new_modules(auto_class, base, **options) if not layers.inside(owner, heads))
    return [*heads, *lacking]


def _targets(model: PreTrainedModel, spec: PeftSpec, saved: list[str], name: str) -> list[str]:
    """The full names of the layers that get an adapter. Raises HarnessError for a name that no layer has."""
    known = [layer for layer in layers.linear_layers(model) if not layers.inside(layer, saved)]
    wanted = spec.named_modules
    if wanted is None and spec.method == "ia3":
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as by_type

        wanted = by_type.get(model.config.model_type)
        if wanted is None:
            raise HarnessError(
                f"model {name}: peft lists no layers of a {model.config.model_type} for ia3; name them: "
                f"ia3:target_modules={'+'.join(_last_parts(known)[:2])}"
            )
    if wanted is None:
        return known
    for ending in wanted:
        if not any(_ends(layer, [ending]) for layer in known):
            hint = did_you_mean(ending, _last_parts(known))
            raise HarnessError(f"model {name}: target_modules: no linear layer is called '{ending}'.{hint}")
    return [layer for layer in known if _ends(layer, wanted)]


def _ends(layer: str, endings: list[str]) -> bool:
    return any(layer == ending or layer.endswith(f".{ending}") for ending in endings)


def _last_parts(names: list[str]) -> list[str]:
    return sorted({name.rpartition(".")[2] for name in names})


def save(model: PeftModel, folder: Path) -> None:
    """Write an adapter with the modules that were trained in full, and the config of the whole model."""
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    file = folder / ADAPTER_CONFIG
    written = json.loads(file.read_text(encoding="utf-8"))
    for name in ("target_modules", "modules_to_save", "feedforward_modules"):  # sets, in the order of the day
        if isinstance(written.get(name), list):
            written[name] = sorted(set(written[name]))
    file.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    whole = inside(model)
    config = _unquantized(whole.config)
    config.architectures = [type(whole).__name__]
    config.save_pretrained(folder)


def _unquantized(config: Any) -> Any:
    """A config as that of whole weights."""
    plain = copy.deepcopy(config)
    vars(plain).pop("quantization_config", None)
    return plain


def inside(model: PeftModel) -> PreTrainedModel:
    """The model of `transformers`, with the adapter in its layers."""
    whole: Any = model.get_base_model()
    return whole


def load_whole(auto_class: str, folder: Path, new_head: bool = False, **options: Any) -> PreTrainedModel:
    """The model of a folder as `load_weights` gives it; of an adapter merged into its base. Raises as that does."""
    if not is_adapter(folder):
        return load_weights(auto_class, folder, new_head, **options)
    model = load_adapter(auto_class, folder, on_kept_base=False).merge_and_unload(safe_merge=True)
    if not options:
        return model
    with scratch_folder() as scratch:
        model.save_pretrained(scratch)
        return load_weights(auto_class, scratch, new_head, **options)


def load_adapter(auto_class: str, folder: Path, on_kept_base: bool) -> PeftModel:
    """The model of an adapter's folder, the adapter beside its weights.

    Args:
        auto_class: The class for the head.
        folder: The adapter's.
        on_kept_base: On weights that are kept for other adapters, and must not be changed.

    Raises:
        HarnessError: no such base, or an adapter that is not for it.
    """
    require_peft()
    import peft

    base = base_of(folder)
    config = config_of(folder)
    if on_kept_base:
        model = _on_shared_weights(auto_class, config, base)
    else:
        model = load_weights(auto_class, base, new_head=True, config=config)
    try:
        adapted = peft.PeftModel.from_pretrained(model, folder)
    except Exception as error:  # of peft, torch and safetensors, over a file they cannot use
        raise HarnessError(f"cannot load the adapter in {folder}: {' '.join(str(error).split())[:300]}") from None
    lacking, left_over = _misfit(adapted, auto_class, base, folder, config)
    if lacking or left_over:
        what = f"lacks {', '.join(lacking[:3])}" if lacking else f"has no use for {', '.join(left_over[:3])}"
        raise HarnessError(f"model {folder}: by its {ADAPTER_CONFIG} the file {ADAPTER_WEIGHTS} {what}")
    return adapted.eval()


def _misfit(adapted: PeftModel, auto_class: str, base: Path, folder: Path, config: Any) -> tuple[list[str], list[str]]:
    """What neither an adapter nor its base has weights for, and what of the adapter no layer takes."""
    import peft
    from safetensors import safe_open

    with safe_open(folder / ADAPTER_WEIGHTS, "pt") as file:
        stored = set(file.keys())
    expected = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
    owners = new_modules(auto_class, base, config=config)
    unsaved = [owner for owner in owners if not any(f".{owner}." in name for name in stored)]
    return sorted(expected - stored) + unsaved, sorted(stored - expected)


def _on_shared_weights(auto_class: str, config: Any, base: Path) -> PreTrainedModel:
    """A model of its own whose weights are the tensors of the base that is kept; those of a head are empty."""
    import torch
    import transformers

    files = sorted(base.glob("*.safetensors"))
    kept = _kept_base(auto_class, base, json.dumps(states_of(files)))
    with torch.device("meta"):
        model = getattr(transformers, auto_class).from_config(config, dtype="float32")
    for tables, known in (
        ("_parameters", dict(kept.named_parameters(remove_duplicate=False))),
        ("_buffers", dict(kept.named_buffers(remove_duplicate=False))),
    ):
        for place, module in model.named_modules():
            table = getattr(module, tables)
            for leaf, tensor in table.items():
                if tensor is not None:
                    table[leaf] = _same_shape(known.get(f"{place}.{leaf}" if place else leaf), tensor)
    model.tie_weights()
    if kept.can_generate():
        model.generation_config = copy.deepcopy(kept.generation_config)
    return model.eval()


def _same_shape(kept: torch.Tensor | None, wanted: torch.Tensor) -> torch.Tensor:
    import torch

    if kept is not None and kept.shape == wanted.shape:
        return kept
    empty = torch.zeros(wanted.shape, dtype=wanted.dtype)
    return torch.nn.Parameter(empty) if isinstance(wanted, torch.nn.Parameter) else empty


@lru_cache(maxsize=1)
def _kept_base(auto_class: str, base: Path, states: str) -> PreTrainedModel:
    """Weights that adapters are served on, kept while the files are the same: loaded once for all of them."""
    return load_weights(auto_class, base, new_head=True)
