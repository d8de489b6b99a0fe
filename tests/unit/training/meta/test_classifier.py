"""Meta-training of encoders: heads of any number of classes, what comes out, and what is made of it."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from harness.core.errors import DamagedFileError
from harness.core.families import FAMILIES
from harness.core.meta_spec import MetaSpec
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.training.meta.classifier import PROBE, EpisodeClassifier, Examples, class_means, without_output_layer
from harness.training.meta.encoder import meta_train
from harness.training.meta.episodes import GENERATOR_FILE, TrainingTask
from harness.training.meta.generated import set_generated_head
from harness.training.meta.methods import Episode, InnerLoop, outer_gradients

COLOURS = {"red": 0, "green": 1, "blue": 2}
TASK = TaskSpec(
    name="colours", family="classification", fields={"text": "text", "label": "label"}, metrics=["accuracy"]
)
SHARED = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def colours(count: int) -> Split:
    words = [list(COLOURS)[index % 3] for index in range(count)]
    texts = tuple(f"it is {word} number {index}" for index, word in enumerate(words))
    return Split(tuple(map(str, range(count))), {"text": texts}, tuple(COLOURS[word] for word in words))


def batch(model, labels: list[int], classes: int) -> Examples:
    ids = torch.randint(1, 50, (len(labels), 6), generator=torch.Generator().manual_seed(len(labels)))
    return Examples({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.tensor(labels), classes)


def small(generated: bool = False, tasks=None) -> EpisodeClassifier:
    from transformers import BertConfig

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60, max_position_embeddings=32, num_labels=PROBE, attn_implementation="eager", **SHARED
    )
    body = AutoModelForSequenceClassification.from_config(config)
    model = EpisodeClassifier(body, without_output_layer(body), generated, tasks)
    return model.eval()


@pytest.mark.parametrize("method", ["maml", "fomaml", "anil", "reptile"])
@pytest.mark.parametrize("generated", [False, True])
def test_episodes_of_two_and_of_four_classes_train_one_encoder(method, generated):
    model = small(generated)
    weights = dict(model.named_parameters())
    episodes = [
        Episode("few", batch(model, [0, 1, 0, 1], 2), batch(model, [1, 0], 2)),
        Episode("many", batch(model, [0, 1, 2, 3], 4), batch(model, [3, 2, 1, 0, 0], 4)),
    ]
    gradients, loss = outer_gradients(method, model, weights, episodes, InnerLoop(2, 0.1))
    assert 0 < loss < 5
    moved = {name for name, gradient in gradients.items() if float(gradient.abs().max()) > 0}
    assert any(name.startswith("body.bert.encoder") for name in moved)
    assert any(name.startswith("generator.") for name in moved) == generated


def test_an_episode_starts_with_equal_chances_or_with_what_is_made_of_its_examples():
    plain, generated = small(), small(generated=True)
    support = batch(plain, [0, 1, 2, 0], 3)
    episode = Episode("", support, support)
    for model in (plain, generated):
        weights = dict(model.named_parameters())
        start = model.start(weights, episode)
        assert start["output.weight"].shape == (3, 16) and start["output.bias"].shape == (3,)
        loss = float(model.loss(start, support).detach())
        assert (loss == pytest.approx(torch.log(torch.tensor(3.0)))) == (model is plain)
    means = class_means(generated.features(weights, support), support.labels, 3)
    made = generated.generator(means)
    assert torch.allclose(made[:, :-1], start["output.weight"]) and torch.allclose(made[:, -1], start["output.bias"])


def test_multi_task_training_has_a_head_a_task():
    model = small(tasks={"few": 2, "many": 4})
    weights = dict(model.named_parameters())
    episode = Episode("many", batch(model, [0, 3], 4), batch(model, [1, 2], 4))
    gradients, _ = outer_gradients("multitask", model, weights, [episode], InnerLoop(1, 0.1))
    assert {"heads.task1.weight", "heads.task1.bias"} < gradients.keys()
    assert not any(name.startswith("heads.task0") for name in gradients)


@pytest.mark.parametrize("method", ["reptile", "fomaml", "anil"])
def test_with_a_head_a_task_the_outer_loop_moves_encoder_and_head(method):
    model = small(tasks={"few": 2, "many": 4})
    weights = dict(model.named_parameters())
    episode = Episode("many", batch(model, [0, 3], 4), batch(model, [1, 2], 4))
    gradients, _ = outer_gradients(method, model, weights, [episode], InnerLoop(2, 0.1))
    moved = {name for name, gradient in gradients.items() if float(gradient.abs().max()) > 0}
    assert {"heads.task1.weight", "heads.task1.bias"} < moved
    assert any(name.startswith("body.bert.encoder") for name in moved)
    assert not any(name.startswith("heads.task0") for name in moved)


def test_with_a_head_a_task_one_inner_step_of_reptile_is_gradient_descent_on_all_tasks():
    """One step on each half of an episode from the same weights is what multi-task training follows, times the rate."""
    model = small(tasks={"many": 4})
    weights = dict(model.named_parameters())
    rows = batch(model, [0, 3], 4)
    episode = Episode("many", rows, rows)
    followed, _ = outer_gradients("reptile", model, weights, [episode], InnerLoop(1, 0.25))
    of_loss, _ = outer_gradients("multitask", model, weights, [episode], InnerLoop(1, 0.25))
    assert followed.keys() == of_loss.keys()
    for name, way in followed.items():
        torch.testing.assert_close(way, 0.25 * of_loss[name], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("bert", {}),
        ("roberta", {}),
        ("distilbert", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}),
        ("electra", {"embedding_size": 16}),
    ],
)
def test_the_output_layer_of_usual_encoders_is_found(kind, settings):
    from transformers import AutoConfig

    shape = settings if kind == "distilbert" else {**SHARED, **settings}
    config = AutoConfig.for_model(kind, vocab_size=60, max_position_embeddings=32, pad_token_id=1, **shape)
    config.num_labels = PROBE
    model = AutoModelForSequenceClassification.from_config(config).eval()
    width = without_output_layer(model)
    ids = torch.full((3, 5), 7)
    assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.shape == (3, width)


@pytest.fixture(scope="module")
def checkpoint(saved):
    return saved("bert")


SPEC = MetaSpec(
    method="fomaml",
    tasks=["colours"],
    steps=4,
    episodes=2,
    k=3,
    queries=2,
    inner_steps=2,
    head="generated",
    max_length=16,
)


def test_what_comes_out_is_an_ordinary_checkpoint_and_the_generator_beside_it(checkpoint, tmp_path):
    task = TrainingTask(TASK, tuple(COLOURS), colours(60))
    made = meta_train(checkpoint, [task], SPEC, None)
    again = meta_train(checkpoint, [task], SPEC, None)
    assert made.outcome.losses == again.outcome.losses
    assert made.dropped == ("classifier.weight", "classifier.bias")
    made.save(tmp_path)
    model, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=3, output_loading_info=True)
    assert set(report["missing_keys"]) == {"classifier.weight", "classifier.bias"} and not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    before = model.classifier.weight.detach().clone()
    train = colours(9)
    set_generated_head(tmp_path, model, tokenizer, FAMILIES.get("classification"), train, 16)
    assert model.training and model.classifier.weight.shape == before.shape
    assert not torch.allclose(model.classifier.weight, before)
    other = train.select([8, 7, 6, 5, 4, 3, 2, 1, 0])
    first = model.classifier.weight.detach().clone()
    set_generated_head(tmp_path, model, tokenizer, FAMILIES.get("classification"), other, 16)
    assert torch.allclose(model.classifier.weight, first, atol=1e-6), "the order of the examples does not count"
    (tmp_path / GENERATOR_FILE).write_bytes(b"no weights")
    with pytest.raises(DamagedFileError, match=GENERATOR_FILE):
        set_generated_head(tmp_path, model, tokenizer, FAMILIES.get("classification"), train, 16)
