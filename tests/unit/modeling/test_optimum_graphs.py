"""Generative models as graphs under the names that optimum gives: they say what the model says from which they were
exported.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.modeling.runtimes import open_model
from harness.modeling.weights.pretrained import served_folder
from harness.modeling.weights.settings import read_settings

pytest.importorskip("onnxruntime")

SIDES = {"gpt2": ("",), "t5": (".decoder", ".encoder")}


def named(what: str, layers: int, sides: tuple[str, ...]) -> list[str]:
    return [f"{what}.{layer}{side}.{part}" for layer in range(layers) for side in sides for part in ("key", "value")]


class _Part:
    """The parts of an optimum export as functions of positional inputs."""

    def __new__(cls, model: Any, forward: Any) -> Any:
        import torch

        class Part(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, *given: Any) -> Any:
                return forward(self.model, *given)

        return Part()


def decoded(model: Any, ids: Any, mask: Any, places: Any, *past: Any) -> Any:
    from harness.compression.export_writer import _causal
    from harness.modeling.runtimes.graph_writer import cache_of, pairs_of

    output = model(
        input_ids=ids, attention_mask=_causal(mask, ids.shape[1]), position_ids=places, use_cache=True,
        past_key_values=cache_of(past),
    )  # fmt: skip
    return output.logits, *pairs_of(output.past_key_values)


def encoded(model: Any, ids: Any, mask: Any) -> Any:
    return model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state


def first(model: Any, mask: Any, ids: Any, hidden: Any) -> Any:
    output = model(encoder_outputs=(hidden,), attention_mask=mask, decoder_input_ids=ids, use_cache=True)
    cache = output.past_key_values
    own, cross = cache.self_attention_cache.layers, cache.cross_attention_cache.layers
    return output.logits, *(
        one
        for mine, theirs in zip(own, cross, strict=True)
        for one in (mine.keys, mine.values, theirs.keys, theirs.values)
    )


def following(model: Any, mask: Any, ids: Any, *past: Any) -> Any:
    import torch
    from transformers.cache_utils import EncoderDecoderCache

    from harness.compression.export_writer import _causal
    from harness.modeling.runtimes.graph_writer import cache_of, pairs_of

    own = [one for place, one in enumerate(past) if place % 4 < 2]
    cross = [one for place, one in enumerate(past) if place % 4 >= 2]
    cache = EncoderDecoderCache(cache_of(own), cache_of(cross))
    cache.is_updated = dict.fromkeys(range(len(own) // 2), True)
    hidden = torch.zeros(*mask.shape, model.config.hidden_size)
    seen = _causal(torch.ones(1, own[0].shape[2] + ids.shape[1]), ids.shape[1])
    output = model(
        encoder_outputs=(hidden,), attention_mask=mask, decoder_input_ids=ids, decoder_attention_mask=seen,
        use_cache=True, past_key_values=cache,
    )  # fmt: skip
    return output.logits, *pairs_of(output.past_key_values.self_attention_cache)


def exported(source: Path, folder: Path, kind: str) -> Path:
    """As `optimum-cli export onnx` leaves it, but for the merged decoder."""
    import torch
    import transformers

    from harness.compression.export import as_exported, traced

    folder.mkdir()
    for file in source.iterdir():
        if file.suffix == ".json" and file.name != "harness.json":
            shutil.copy(file, folder)
    auto_class = {"gpt2": "AutoModelForCausalLM", "t5": "AutoModelForSeq2SeqLM"}[kind]
    model = getattr(transformers, auto_class).from_pretrained(source).eval()
    as_exported(model)
    ids, mask = torch.randint(5, 90, (2, 7)), torch.ones(2, 7, dtype=torch.long)
    layers, sides = model.config.num_hidden_layers, SIDES[kind]

    def write(name: str, forward: Any, given: tuple[Any, ...], inputs: list[str], outputs: list[str]) -> None:
        axes: dict[str, dict[int, str]] = {
            one: {0: "batch", 2: f"{one}-length"} if one.startswith(("past", "present")) else {0: "batch", 1: "length"}
            for one in (*inputs, *outputs)
        }
        axes |= {one: {0: "batch", 1: f"{one}-length"} for one in inputs if "mask" in one or "hidden" in one}
        traced(_Part(model, forward), given, folder / f"{name}.onnx", inputs, outputs, axes)

    present, past = named("present", layers, sides), named("past_key_values", layers, sides)
    if kind == "gpt2":
        with torch.no_grad():
            before = decoded(model, ids, mask, torch.arange(7)[None].expand(2, 7), *empty(model, 2))[1:]
        more = (ids[:, :3], torch.ones(2, 10, dtype=torch.long), torch.arange(7, 10)[None].expand(2, 3), *before)
        write("model", decoded, more, ["input_ids", "attention_mask", "position_ids", *past], ["logits", *present])
        return folder
    with torch.no_grad():
        hidden = encoded(model, ids, mask)
        before = first(model, mask, ids[:, :3], hidden)[1:]
    write("encoder_model", encoded, (ids, mask), ["input_ids", "attention_mask"], ["last_hidden_state"])
    reads = ["encoder_attention_mask", "input_ids"]
    write("decoder_model", first, (mask, ids[:, :3], hidden), [*reads, "encoder_hidden_states"], ["logits", *present])
    own = [name for name in present if ".decoder." in name]
    write("decoder_with_past_model", following, (mask, ids[:, :1], *before), [*reads, *past], ["logits", *own])
    return folder


def empty(model: Any, rows: int) -> list[Any]:
    import torch

    config = model.config
    size = config.n_embd // config.n_head
    return [torch.zeros(rows, config.n_head, 0, size) for _ in range(2 * config.n_layer)]


@pytest.fixture(scope="module")
def graphs(saved, tmp_path_factory) -> dict[str, tuple[Path, Path]]:
    """By kind the folder of a model, as `transformers` alone saves it, and that of its graphs."""
    made = {}
    for kind in ("gpt2", "t5"):
        folder = shutil.copytree(saved(kind), tmp_path_factory.mktemp(kind) / "plain")
        (folder / "harness.json").unlink()
        made[kind] = folder, exported(folder, folder.parent / "graphs", kind)
    return made


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
@pytest.mark.parametrize("options", [{"num_beams": 1}, {"num_beams": 3}])
def test_what_it_writes_is_what_the_model_writes(graphs, kind, options):
    import torch
    import transformers

    plain, folder = graphs[kind]
    assert served_folder(str(folder)) == folder
    assert read_settings(folder).runtime == "onnxruntime"
    served = open_model(folder)
    auto_class = {"gpt2": "AutoModelForCausalLM", "t5": "AutoModelForSeq2SeqLM"}[kind]
    model = getattr(transformers, auto_class).from_pretrained(plain).eval()
    batch = served.tokenizer(["the old stone house", "the bird sings near the river"], return_tensors="pt", padding=True,
                             padding_side="left" if kind == "gpt2" else "right", return_token_type_ids=False)  # fmt: skip
    asked = {**batch, "max_new_tokens": 6, "do_sample": False, **options}
    with torch.no_grad():
        assert served.module.generate(**asked).tolist() == model.generate(**asked).tolist()


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_several_tokens_after_others_have_the_model_s_logits(graphs, kind):
    import torch
    import transformers

    from harness.modeling.runtimes.graph_writer import CACHE

    plain, folder = graphs[kind]
    served = open_model(folder).module
    torch.manual_seed(0)
    ids = torch.randint(5, 90, (2, 8))
    with torch.no_grad():
        if kind == "gpt2":
            model = transformers.AutoModelForCausalLM.from_pretrained(plain).eval()
            wanted = model(input_ids=ids).logits
            before = served(input_ids=ids[:, :3])
            after = served(input_ids=ids[:, 3:], logits_to_keep=2, **{CACHE: before[CACHE]})
            torch.testing.assert_close(after.logits, wanted[:, -2:], rtol=1e-3, atol=1e-3)
        else:
            model = transformers.AutoModelForSeq2SeqLM.from_pretrained(plain).eval()
            answer = torch.randint(5, 90, (2, 5))
            wanted = model(input_ids=ids, decoder_input_ids=answer).logits
            before = served(input_ids=ids, decoder_input_ids=answer[:, :2])
            after = served(input_ids=ids, decoder_input_ids=answer[:, 2:], **{CACHE: before[CACHE]})
            torch.testing.assert_close(after.logits, wanted[:, 2:], rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(before.logits, wanted[:, : before.logits.shape[1]], rtol=1e-2, atol=1e-2)


def test_files_are_found_in_a_folder_of_theirs_and_under_other_endings(graphs, tmp_path):
    _, folder = graphs["t5"]
    place = shutil.copytree(folder, tmp_path / "model")
    (place / "onnx").mkdir()
    for file in list(place.glob("*.onnx")):
        file.rename(place / "onnx" / file.name)
    assert open_model(served_folder(str(place))).module is not None
    for file in list((place / "onnx").glob("*.onnx")):
        file.rename(file.with_name(f"{file.stem}_quantized.onnx"))
    assert open_model(served_folder(str(place / "onnx" / "decoder_model_quantized.onnx"))).module is not None
    with pytest.raises(HarnessError, match="it holds several graphs"):
        served_folder(str(place))
    (place / "onnx" / "encoder_model_quantized.onnx").unlink()
    with pytest.raises(HarnessError, match=r"no encoder_model_quantized\.onnx beside it, the graph of its encoder"):
        read_settings(place / "onnx" / "decoder_model_quantized.onnx")


def renamed(file: Path, old: str, new: str) -> None:
    import onnx

    graph = onnx.load(file)
    for one in (*graph.graph.input, *graph.graph.output):
        one.name = one.name.replace(old, new)
    for node in graph.graph.node:
        node.input[:] = [name.replace(old, new) for name in node.input]
        node.output[:] = [name.replace(old, new) for name in node.output]
    onnx.save(graph, file)


def test_other_names_and_missing_graphs_are_refused_in_one_line(graphs, tmp_path):
    for number, (kind, change, message) in enumerate(
        [
            ("gpt2", lambda at: renamed(at / "model.onnx", "past_key_values.", "kv_"), "it reads input_ids"),
            ("gpt2", lambda at: renamed(at / "model.onnx", "past_key_values.1", "past_key_values.7"), "its cache is"),
            ("t5", lambda at: (at / "decoder_with_past_model.onnx").unlink(), "export it with its cache"),
            ("t5", lambda at: (at / "encoder_model.onnx").unlink(), "no encoder_model.onnx beside it"),
            ("t5", lambda at: (at / "decoder_model.onnx").write_bytes(b"no"), "onnxruntime cannot load"),
            ("gpt2", lambda at: (at / "tokenizer.json").unlink(), "okenizer"),
        ]
    ):
        folder = shutil.copytree(graphs[kind][1], tmp_path / str(number))
        change(folder)
        with pytest.raises(HarnessError, match=message) as raised:
            open_model(served_folder(str(folder)))
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_a_score_knows_every_graph(graphs, tmp_path):
    from harness.core.specs import ModelSpec
    from harness.core.store import Store
    from harness.modeling.weights.pretrained import find_finished

    folder = shutil.copytree(graphs["t5"][1], tmp_path / "model")
    recipe = ModelSpec.model_validate({"name": "theirs", "learner": "transformer", "pretrained": str(folder)})
    store = Store.open(tmp_path / "results")
    known = {find_finished(recipe, store).fingerprint}
    for name in ("encoder_model", "decoder_model", "decoder_with_past_model"):
        with (folder / f"{name}.onnx").open("ab") as file:
            file.write(b"\0")
        known.add(find_finished(recipe, store).fingerprint)
    assert len(known) == 4
