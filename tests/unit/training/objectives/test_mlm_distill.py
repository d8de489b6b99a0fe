"""A student of masked language modelling and its teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.training.objectives.mlm import logits_at
from harness.training.objectives.mlm_distill import DistilledMaskedLM, MlmDistillOptions
from harness.training.objectives.vocabulary import tokens_of

SENTENCES = ["the cat sat on the mat .", "a dog ran over the hill .", "the bird sings ."] * 20
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def checkpoint(folder: Path, texts: list[str] = SENTENCES, headless: bool = False):
    """A masked language model with random weights and its tokenizer, saved."""
    import transformers

    from harness.core.pretraining_specs import TokenizerSpec
    from harness.training.tokenizers import train

    tokenizer = train(TokenizerSpec(kind="wordpiece", vocab_size=80), texts, 32)
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=32, **SIZES)
    model = transformers.BertForMaskedLM(config)
    (model.bert if headless else model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer, model.eval()


def batch_of(objective, tokenizer) -> dict[str, torch.Tensor]:
    rows = np.asarray([tokenizer(" ".join(SENTENCES[:3]), add_special_tokens=False)["input_ids"][:12]] * 4)
    return {name: torch.from_numpy(one) for name, one in objective.corrupt(rows, np.random.default_rng(0)).items()}


def test_the_loss_is_that_of_the_text_and_the_distance_to_the_teacher(tmp_path):
    tokenizer, teacher = checkpoint(tmp_path)
    options = MlmDistillOptions(teacher=str(tmp_path), temperature=3.0, alpha=0.25)
    objective = DistilledMaskedLM(options, tokens_of(tokenizer), 12)
    torch.manual_seed(1)
    student = objective.build(teacher.config).eval()
    batch = batch_of(objective, tokenizer)
    with torch.no_grad():
        own, other = (
            logits_at(one, batch["input_ids"], batch["token_type_ids"], batch["positions"])
            for one in (student, teacher)
        )
        p, q = (other / 3).softmax(-1), (own / 3).softmax(-1)
        soft = 9 * (p * (p.log() - q.log())).sum(-1).mean()
        hard = -own.log_softmax(-1).gather(2, batch["targets"].unsqueeze(-1)).mean()
        assert float(objective.loss(student, batch)) == pytest.approx(float(0.25 * soft + 0.75 * hard), rel=1e-4)
        alone = DistilledMaskedLM(options.model_copy(update={"alpha": 1.0}), tokens_of(tokenizer), 12)
        assert float(alone.loss(teacher, batch)) == pytest.approx(0.0, abs=1e-5)


def test_hidden_states_and_attention_maps_are_learned_too(tmp_path):
    tokenizer, teacher = checkpoint(tmp_path)
    plain = MlmDistillOptions(teacher=str(tmp_path))
    made = {
        name: DistilledMaskedLM(plain.model_copy(update=changes), tokens_of(tokenizer), 12)
        for name, changes in {
            "plain": {}, "hidden": {"hidden": 2.0}, "attention": {"attention": 3e5}, "mapped": {"hidden": 2.0, "map": ((0, 0),)},
        }.items()
    }  # fmt: skip
    config = teacher.config.__class__.from_dict(teacher.config.to_dict() | {"num_hidden_layers": 1})
    students = {}
    for name, objective in made.items():
        torch.manual_seed(1)
        students[name] = objective.build(config).eval()
    batch = batch_of(made["plain"], tokenizer)
    with torch.no_grad():
        loss = {name: float(one.loss(students[name], batch)) for name, one in made.items()}
        reads = {"input_ids": batch["input_ids"], "token_type_ids": batch["token_type_ids"]}
        teacher.set_attn_implementation("eager")
        wanted = {"output_hidden_states": True, "output_attentions": True}
        own, other = students["attention"](**reads, **wanted), teacher(**reads, **wanted)
    far = [(own.hidden_states[1] - other.hidden_states[layer]).pow(2).mean() for layer in (1, 2)]
    assert loss["hidden"] - loss["plain"] == pytest.approx(2 * float(far[1]), rel=1e-3), "the last goes with the last"
    assert loss["mapped"] - loss["plain"] == pytest.approx(2 * float(far[0]), rel=1e-3)
    maps = (own.attentions[0] - other.attentions[1]).pow(2).mean()
    assert loss["attention"] - loss["plain"] == pytest.approx(3e5 * float(maps), rel=1e-2)


def test_a_student_can_start_with_the_teachers_layers(tmp_path):
    tokenizer, teacher = checkpoint(tmp_path)

    def built(layers: int, width: int = 16, **changes):
        options = MlmDistillOptions(teacher=str(tmp_path), from_teacher=True, **changes)
        sizes = {"num_hidden_layers": layers, "hidden_size": width}
        config = teacher.config.__class__.from_dict(teacher.config.to_dict() | sizes)
        return DistilledMaskedLM(options, tokens_of(tokenizer), 12).build(config).state_dict()

    given = teacher.state_dict()
    query = "bert.encoder.layer.{}.attention.self.query.weight"
    last, first, whole = built(1), built(1, map="0:0"), built(2)
    for one, layer in ((last, 1), (first, 0)):
        assert torch.equal(one[query.format(0)], given[query.format(layer)])
        assert torch.equal(
            one["bert.embeddings.word_embeddings.weight"], given["bert.embeddings.word_embeddings.weight"]
        )
        assert torch.equal(
            one["cls.predictions.transform.dense.weight"], given["cls.predictions.transform.dense.weight"]
        )
    assert all(torch.equal(whole[name], weight) for name, weight in given.items())
    with pytest.raises(HarnessError, match=r"from_teacher needs .* is \(\d+, 32\) and the teacher's \(\d+, 16\)"):
        built(1, width=32)
    with pytest.raises(HarnessError, match=r"with no more layers, but its .*layer\.2\..* and the teacher's none"):
        built(3)
    with pytest.raises(ValueError, match="a layer of the student is given twice"):
        MlmDistillOptions(teacher="x", map="0:0,0:1")


def test_a_twin_with_random_weights_does_not_start_with_the_teachers():
    options = {"teacher": "x", "from_teacher": True, "alpha": 1.0}
    assert DistilledMaskedLM.at_random(options) == {"teacher": "x", "alpha": 1.0}


def test_teachers_that_cannot_teach_are_refused(tmp_path):
    tokenizer, _ = checkpoint(tmp_path / "good")
    checkpoint(tmp_path / "other", SENTENCES[:1])
    checkpoint(tmp_path / "headless", headless=True)

    def made(name: str, block: int = 12) -> None:
        DistilledMaskedLM(MlmDistillOptions(teacher=str(tmp_path / name)), tokens_of(tokenizer), block)

    made("good")
    for name, block, said in (
        ("other", 12, "its tokenizer is not the student's"),
        ("headless", 12, "it is no masked language model"),
        ("good", 64, "it reads 32 tokens at once; lower block_size, which is 64"),
        ("missing", 12, "missing"),
    ):
        with pytest.raises(HarnessError, match=said):
            made(name, block)
