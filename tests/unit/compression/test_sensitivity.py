"""Which layers a method touches, what each costs alone, and the recipe that skips the worst."""

from __future__ import annotations

import pytest
import torch

from harness.compression.base import Request
from harness.compression.groups import chosen
from harness.compression.methods import parse_method
from harness.compression.options import LayerOptions
from harness.compression.recipe import CompressionRecipe, method_of_recipe, to_yaml
from harness.compression.sensitivity import Damage, Probe, beyond, worst
from harness.core.errors import HarnessError
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layers import linear_layers
from harness.stats.aggregate import Estimate
from tests.zoo import CONFIGS

GROUPS = {
    "bert": ["layer.0.attention", "layer.0.ffn", "layer.1.attention", "layer.1.ffn", "pooler.dense"],
    "gpt2": ["layer.0.attention", "layer.0.ffn", "layer.1.attention", "layer.1.ffn"],
    "t5": [
        "encoder.0.attention", "encoder.0.ffn", "encoder.1.attention", "encoder.1.ffn",
        "decoder.0.attention", "decoder.0.cross-attention", "decoder.0.ffn",
        "decoder.1.attention", "decoder.1.cross-attention", "decoder.1.ffn",
    ],
}  # fmt: skip
CLASSES = {
    "bert": "BertForSequenceClassification",
    "gpt2": "GPT2ForSequenceClassification",
    "t5": "T5ForConditionalGeneration",
}


def built(kind: str):
    import transformers

    values = {name: value for name, value in CONFIGS[kind].items() if name != "model_type"}
    config = transformers.AutoConfig.for_model(kind, vocab_size=60, **values)
    return getattr(transformers, CLASSES[kind])(config)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_every_linear_layer_but_the_head_is_in_a_group_named_after_its_place(kind):
    model = built(kind)
    assert list(chosen(model, LayerOptions()).groups) == GROUPS[kind]
    assert chosen(model, LayerOptions()).linear.keys() == linear_layers(model).keys()


def test_a_name_stands_for_all_that_begin_with_it_and_skip_goes_before_only():
    model = built("t5")
    left = chosen(model, LayerOptions(only=("decoder",), skip=("decoder.1", "decoder.0.ffn")), True)
    assert left.groups == ("decoder.0.attention", "decoder.0.cross-attention")
    assert not left.embeddings
    assert chosen(built("bert"), LayerOptions(only=("embeddings",)), True).linear == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"skip": ("layer.7.ffn",)}, "unknown layer 'layer.7.ffn' in skip or only. Did you mean 'layer.1.ffn'?"),
        ({"skip": ("layer", "pooler.dense")}, "skip and only leave nothing to compress"),
        ({"only": ("embeddings",)}, "skip and only leave nothing to compress"),
    ],
)
def test_layers_that_are_not_there_or_all_left_out_are_said(options, said):
    with pytest.raises(HarnessError) as error:
        chosen(built("bert"), LayerOptions(**options))
    assert said in str(error.value)


@pytest.mark.parametrize("method", ["int8-weight", "prune-magnitude", "prune-2:4"])
def test_skipped_layers_keep_their_weights_and_the_others_do_not(trained, compressed, method):
    model = trained("bert")
    folder, _ = compressed(model, f"{method}:skip=layer.0.attention,layer.1,embeddings")
    before, after = (linear_layers(load(path)[0]) for path in (model.folder, folder))
    kept = {name for name in before if torch.equal(before[name].weight, after[name].weight)}
    assert kept == {name for name in before if "layer.1." in name or "layer.0.attention" in name}


def test_structured_pruning_leaves_the_units_of_skipped_layers(trained, compressed):
    _, said = compressed(trained("bert"), "prune-structured:amount=0.5,skip=layer.0.ffn,layer.1.attention")
    units = said["steps"][0]["units"]
    assert [list(one["layers"].values()) for one in (units["ffn"], units["heads"])] == [[[64, 32]], [[4, 2]]]


def test_layers_of_a_stack_that_share_positions_lose_the_same_heads_or_none(trained, compressed):
    model = trained("t5")
    folder, said = compressed(model, "prune-structured:heads=0.5,ffn=0,skip=decoder.1.cross-attention")
    counts = said["steps"][0]["units"]["heads"]["layers"]
    assert set(counts) == {
        f"{stack}.block.{number}.layer.0.SelfAttention.o" for stack in ("encoder", "decoder") for number in (0, 1)
    }
    for stack in ("encoder", "decoder"):
        of_stack = [count for name, count in counts.items() if name.startswith(stack)]
        table = load(folder)[0].get_submodule(f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias")
        assert of_stack == [[4, table.weight.shape[1]]] * 2
    alone = parse_method("prune-structured:0.5").steps[0].compressor.layers(load(model.folder)[0])
    assert alone == ("encoder.0.ffn", "encoder.1.ffn", "decoder.0.ffn", "decoder.1.ffn")
    with pytest.raises(HarnessError, match="the layers of a stack lose the same heads"):
        compressed(model, "prune-structured:only=encoder.0.attention")


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("method", ["int8", "int8-qat"])
def test_skipped_layers_stay_float_in_onnx_and_the_others_do_not(trained, compressed, kind, method):
    import onnx

    epochs = ",epochs=0.1" if method == "int8-qat" else ""
    folder, said = compressed(trained(kind), f"{method}:skip=layer.0.ffn,embeddings{epochs}")
    whole = len(linear_layers(load(trained(kind).folder)[0]))
    nodes = onnx.load(folder / "model.onnx").graph.node
    assert sum(node.op_type == "MatMulInteger" for node in nodes) == whole - 2
    assert said["steps"][0]["coverage"]["int8"] == whole - 2
    assert not any("layer.0/output" in node.name for node in nodes if node.op_type == "MatMulInteger")


def test_a_layers_damage_is_the_drop_of_the_model_that_has_it_alone_compressed(trained, compressed, tmp_path):
    model = trained("bert")
    method = parse_method("prune-magnitude:0.97")
    request = Request(model.folder, model.folder, tmp_path, tmp_path, examples=model.examples)
    probe = Probe(method, request, {"dev": model.dev})
    assert list(probe.layers()) == GROUPS["bert"]
    assert probe.score == model.accuracy()
    found = probe.damage("ffn", only=["layer.0.ffn"])
    folder, _ = compressed(model, "prune-magnitude:sparsity=0.97,only=layer.0.ffn")
    assert found.drop.value == pytest.approx(model.accuracy() - model.accuracy(folder))
    assert found.drop.low <= found.drop.value <= found.drop.high
    assert found.agreement == (model.predict().values == model.predict(folder).values).mean()
    assert probe.damage("all").drop.value == pytest.approx(
        model.accuracy() - model.accuracy(compressed(model, "prune-magnitude:0.97")[0])
    )


def test_a_method_without_layers_and_a_chain_have_no_sensitivity(trained, tmp_path):
    model = trained("bert")
    request = Request(model.folder, model.folder, tmp_path, tmp_path, examples=model.examples)
    for text in ("distill:layers=1", "prune-magnitude|int8"):
        with pytest.raises(HarnessError, match="does not go layer by layer; give one method that does"):
            Probe(parse_method(text), request, {"dev": model.dev})


def test_the_worst_layers_are_those_of_the_largest_drop():
    damages = [Damage(name, Estimate(drop, drop - 0.1, drop + 0.1), 1.0) for name, drop in zip("abcd", (0.02, 0.0, 0.05, -0.01), strict=True)]  # fmt: skip
    assert worst(damages, 2) == ["a", "c"]
    assert worst(damages, 0) == []
    assert beyond(damages, 0.02) == ["c"]
    assert beyond(damages, 0.0) == ["a", "c"]


def test_a_recipe_file_is_strict_and_for_its_method_alone(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(to_yaml(CompressionRecipe(method="int8", options={"skip": ["layer.0.ffn"], "per_channel": False})))
    method = method_of_recipe(file, None, {"reduce_range": "false"})
    assert method.label == "int8:skip=layer.0.ffn,per_channel=false,reduce_range=false"
    assert parse_method(method.label).identity == method.identity
    with pytest.raises(HarnessError, match="it is for int8, not int8-weight"):
        method_of_recipe(file, "int8-weight", {})
    for text, said in (
        ("method: int8\nskip: [a]\n", "unknown key 'skip'"),
        ("method: int8\noptions: {skp: [a]}\n", "unknown key 'skp'. Did you mean 'skip'"),
        ("method: int8\nmethod: int8\n", "duplicate key 'method'"),
        ("options: {}\n", "key 'method' is missing"),
    ):
        file.write_text(text)
        with pytest.raises(HarnessError, match=said):
            method_of_recipe(file, None, {})
