"""How methods are written, and what is said of those that are not understood."""

from __future__ import annotations

import pytest

from harness.compression import COMPRESSORS, Compressor, Target
from harness.compression.methods import parse_method
from harness.core.errors import HarnessError
from harness.core.plugins import register
from harness.pipeline.commands.compress import method_of


def test_a_value_sets_the_main_option_and_pairs_set_any():
    assert parse_method("prune-structured:0.25").steps[0].options["amount"] == 0.25
    assert parse_method("prune-2:4:only=layer.0").identity == [["prune-2:4", {"skip": [], "only": ["layer.0"]}]]
    assert parse_method("prune-2:4").steps[0].name == "prune-2:4"
    assert parse_method("distill:bert-tiny").student_name == "bert-tiny"
    assert method_of("int8", ["per_channel=false"]).steps[0].options["per_channel"] is False


def test_an_option_that_is_a_list_takes_several_values():
    options = parse_method("prune-magnitude:skip=layer.0,layer.1.ffn,sparsity=0.9").steps[0].options
    assert (options["skip"], options["sparsity"]) == (["layer.0", "layer.1.ffn"], 0.9)
    assert method_of("int8", ["skip=layer.0,layer.1"]).steps[0].options["skip"] == ["layer.0", "layer.1"]


def test_two_ways_to_write_a_method_are_one_identity():
    assert parse_method("prune-magnitude").identity == parse_method("prune-magnitude:sparsity=0.5").identity


def test_a_chain_needs_data_where_a_step_does_and_ends_in_the_last_steps_runtime():
    chain = parse_method("prune-structured:0.5 | int8")
    assert chain.label == "prune-structured:0.5|int8"
    assert chain.uses_data
    assert chain.runtime == "onnxruntime"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("int9", "unknown compressor 'int9'. Did you mean 'int8'?"),
        ("prune-magnitude:2", "sparsity: input should be less than 1"),
        ("prune-magnitude:sparsty=0.5", "unknown key 'sparsty'. Did you mean 'sparsity'?"),
        ("prune-magnitude:sparsity=0.5,sparsity=0.6", "'sparsity' is given twice"),
        ("int8:0.5", "int8 has no main option; write int8:key=value"),
        ("int8|prune-structured", "int8 gives a model for onnxruntime, which prune-structured does not read; put int8 last"),
        ("int8|openvino", "int8 gives a model for onnxruntime, which openvino does not read; put onnx or int8-static before it"),
        ("compile|int8", "compile gives a model for torch-compile, which int8 does not read; put compile last"),
        ("distill:student=a,layers=2", "give either student or layers, not both"),
        ("distill:a|distill:b", "a chain has at most one student"),
        ("distill:layers=2,map=0:1", "map: with layers=2 it names each of 0…1"),
        ("distill:layers=2,map=0:1,0:2", "map: a layer of the student is given twice"),
        ("distill:layers=2,map=0,1", "map: '0,1' is not STUDENT:TEACHER"),
        ("prune-movement:begin=0.8,sparsity=0.5", "begin: 0.8 must come before end, which is 0.7"),
        ("prune-movement:epochs=0", "epochs: input should be greater than 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(text, said):
    with pytest.raises(HarnessError) as error:
        parse_method(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_methods_say_which_models_they_do_not_compress():
    assert "seq2seq-lm" in (parse_method("int8-static").not_applicable(Target("t5", "seq2seq-lm")) or "")
    assert "masked-lm" in (parse_method("int8").not_applicable(Target("bert", "masked-lm")) or "")
    for method in ("int8", "int8-qat", "onnx", "openvino"):
        assert parse_method(method).not_applicable(Target("t5", "seq2seq-lm")) is None
    structured = parse_method("prune-structured|int8")
    assert "a deberta, only" in (structured.not_applicable(Target("deberta", "sequence-classification")) or "")
    for kind in ("bert", "deberta-v2", "gpt2", "modernbert"):
        assert structured.not_applicable(Target(kind, "sequence-classification")) is None
    for head in ("sequence-classification", "question-answering", "seq2seq-lm", "causal-lm"):
        assert parse_method("distill:layers=1").not_applicable(Target("bert", head)) is None
    assert "does not teach the head masked-lm" in (
        parse_method("distill:layers=1").not_applicable(Target("bert", "masked-lm")) or ""
    )


def test_a_name_that_is_built_in_is_taken():
    class Other(Compressor):
        def compress(self, request):
            return {}

    with pytest.raises(HarnessError, match="'int8' is already built in"):
        register("compressor", "int8", Other)
    assert "int8" in COMPRESSORS.names()
