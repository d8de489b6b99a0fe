"""What models are given, and what a call does."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.measurement import loaded_model as loaded
from harness.measurement.loaded_model import LoadedModel
from harness.measurement.workloads import NEW_TOKENS, Absent, Work, Workload, cells_of
from harness.modeling.inference.decoding_inputs import ends_of


def test_the_grid_of_batches_and_lengths():
    cells = cells_of("1,8", "32,128,32")
    assert [cell.name for cell in cells] == ["1 × 32", "1 × 128", "8 × 32", "8 × 128"]
    assert cells[3].padded_tokens == 1024


@pytest.mark.parametrize("text", ["", "a", "0", "8,-1", "8,,9"])
def test_a_bad_list_names_its_flag(text):
    with pytest.raises(HarnessError, match=r"--batch .*: give positive numbers"):
        cells_of(text, "32")


def test_random_rows_are_full_and_without_special_tokens(saved):
    one = LoadedModel(saved("bert"), 1)
    work = one.prepare(Workload("8 × 32", 8, 32), seed=0)
    assert isinstance(work, Work)
    (batch,) = work.batches
    assert batch["input_ids"].shape == (8, 32) and batch["attention_mask"].all()
    assert set(batch) == {"input_ids", "attention_mask", "token_type_ids"}
    special = one.model.tokenizer.all_special_ids
    assert not np.isin(batch["input_ids"], special).any()
    assert batch["input_ids"].max() < len(one.model.tokenizer)
    assert work.amounts() == {"forward": {"tokens": 256, "examples": 8}}


def test_equal_tokenizers_are_given_equal_rows(saved):
    cell = Workload("2 × 16", 2, 16)
    first, second = (LoadedModel(saved("bert", num_hidden_layers=n), 1).prepare(cell, seed=3) for n in (1, 2))
    assert np.array_equal(first.batches[0]["input_ids"], second.batches[0]["input_ids"])
    other = LoadedModel(saved("bert"), 1).prepare(cell, seed=4)
    assert not np.array_equal(first.batches[0]["input_ids"], other.batches[0]["input_ids"])


def test_a_row_beyond_the_positions_is_absent(saved):
    work = LoadedModel(saved("bert"), 1).prepare(Workload("1 × 65", 1, 65), seed=0)
    assert isinstance(work, Absent) and "64 positions, not 65" in work.reason


def test_a_decoder_needs_room_for_what_it_writes(saved):
    one = LoadedModel(saved("gpt2"), 1)
    assert isinstance(one.prepare(Workload("1 × 48", 1, 64 - NEW_TOKENS), 0), Work)
    work = one.prepare(Workload("1 × 49", 1, 65 - NEW_TOKENS), 0)
    assert isinstance(work, Absent) and f"not 49 and {NEW_TOKENS} more" in work.reason


def test_an_encoder_call_has_one_stage(saved):
    one = LoadedModel(saved("bert"), 1)
    one.prepare(Workload("2 × 8", 2, 8), 0)
    assert set(one.call("2 × 8")) == {"forward"}
    assert one.facts() == {"runtime": "torch", "head": "sequence-classification", "device": "cpu"}


@pytest.mark.parametrize("model_type", ["gpt2", "t5"])
def test_generators_prefill_once_and_decode_token_by_token(saved, model_type):
    one = LoadedModel(saved(model_type), 1)
    work = one.prepare(Workload("2 × 8", 2, 8), 0)
    assert work.amounts()["prefill"] == {"tokens": 16, "examples": 2}
    assert work.amounts()["decode"] == {"tokens": 2 * (NEW_TOKENS - 1), "examples": 2}
    widths = []
    name = "input_ids" if model_type == "gpt2" else "decoder_input_ids"
    hook = one.model.module.register_forward_pre_hook(
        lambda module, args, kwargs: widths.append(kwargs[name].shape[1]), with_kwargs=True
    )
    seconds = one.call("2 × 8")
    hook.remove()
    assert set(seconds) == {"prefill", "decode"} and min(seconds.values()) > 0
    assert widths == [8 if model_type == "gpt2" else 1] + [1] * (NEW_TOKENS - 1)


@pytest.mark.parametrize("model_type", ["gpt2", "t5"])
def test_the_timed_loop_writes_what_the_library_writes(saved, model_type):
    """Seen through the tokens it feeds back; no text ends here."""
    import torch

    one = LoadedModel(saved(model_type), 1)
    model = one.model.module
    (batch,) = one.prepare(Workload("2 × 8", 2, 8), 0).batches
    fed = []
    name = "input_ids" if model_type == "gpt2" else "decoder_input_ids"
    hook = model.register_forward_pre_hook(lambda module, args, kwargs: fed.append(kwargs[name]), with_kwargs=True)
    loaded.write(model, batch, 6)
    hook.remove()
    ids, mask = torch.from_numpy(batch["input_ids"]), torch.from_numpy(batch["attention_mask"])
    wanted = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=5)[:, -5:]
    assert not torch.isin(wanted, torch.tensor(ends_of(model, one.model.tokenizer))).any()
    assert torch.equal(torch.cat(fed[1:], dim=1), wanted)


def test_a_task_is_given_in_length_order_with_real_tokens_counted(saved):
    task = load_registry().task("sst2")
    one = LoadedModel(saved("bert"), 1)
    work = one.prepare(Workload("task sst2", task=task.model_dump(mode="json"), data="synthetic"), 0)
    assert isinstance(work, Work) and work.examples == 128
    widths = [batch["input_ids"].shape[1] for batch in work.batches]
    assert widths == sorted(widths, reverse=True)
    assert work.tokens == sum(int(batch["attention_mask"].sum()) for batch in work.batches)
    assert work.notes["fingerprint"]
    assert set(one.call("task sst2")) == {"forward"}


@pytest.mark.parametrize("model_type", ["gpt2", "t5"])
def test_a_task_of_a_generator_has_prompts_that_end_together(saved, model_type):
    task = load_registry().task("dialogsum")
    one = LoadedModel(saved(model_type), 1)
    work = one.prepare(Workload("task dialogsum", task=task.model_dump(mode="json"), data="synthetic"), 0)
    assert isinstance(work, Work) and work.new_tokens == NEW_TOKENS
    side = -1 if model_type == "gpt2" else 0
    assert all(batch["attention_mask"][:, side].all() for batch in work.batches)
    assert max(batch["input_ids"].shape[1] for batch in work.batches) <= 64


def test_a_task_the_head_cannot_do_is_absent(saved):
    task = load_registry().task("squad")
    work = LoadedModel(saved("bert"), 1).prepare(
        Workload("task squad", task=task.model_dump(mode="json"), data="synthetic"), 0
    )
    assert isinstance(work, Absent) and "cannot read squad" in work.reason


def test_a_checkpoint_without_a_head_for_tasks_is_measured_as_it_is(tmp_path):
    from tests.unit.modeling.heads import given

    given.model("AutoModelForMaskedLM", "bert", "wordpiece").save_pretrained(tmp_path)
    given.tokenizer("wordpiece").save_pretrained(tmp_path)
    one = LoadedModel(tmp_path, 1)
    one.prepare(Workload("2 × 8", 2, 8), 0)
    assert set(one.call("2 × 8")) == {"forward"}
    assert one.facts()["head"] == "masked-lm"


def test_pickles_are_refused(saved, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(saved("bert"), folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(HarnessError, match="pickle"):
        LoadedModel(folder, 1)
