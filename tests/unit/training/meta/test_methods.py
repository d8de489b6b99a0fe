"""Meta-learning: gradients against formulas and finite differences, and the sine waves of the papers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.meta_spec import MetaSpec
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.training.meta import loop
from harness.training.meta.episodes import EpisodeSampler, TrainingTask, probabilities
from harness.training.meta.methods import Episode, InnerLoop, adapted, objective, outer_gradients
from tests.unit.training.meta.sine import Net, error_after, trained, wave


class Parabola:
    """Of a batch (a, b) a weight w loses a (w - b)² / 2."""

    def start(self, weights, episode):
        return weights

    def loss(self, weights, batch):
        a, b = batch
        return 0.5 * a * (weights["w"] - b) ** 2

    def of_task(self, names):
        return list(names)


W, RATE, SUPPORT, QUERY = 3.0, 0.1, (2.0, 1.0), (0.5, -1.0)


def gradient_of(method: str, steps: int) -> float:
    weights = {"w": torch.tensor(W, requires_grad=True)}
    gradients, _ = outer_gradients(method, Parabola(), weights, [Episode("", SUPPORT, QUERY)], InnerLoop(steps, RATE))
    return float(gradients["w"])


@pytest.mark.parametrize("steps", [1, 3])
def test_the_outer_gradient_of_maml_goes_through_the_inner_steps_and_that_of_fomaml_does_not(steps):
    (a, b), (c, d) = SUPPORT, QUERY
    shrink = (1 - RATE * a) ** steps
    end = b + shrink * (W - b)
    assert gradient_of("maml", steps) == pytest.approx(c * (end - d) * shrink)
    assert gradient_of("anil", steps) == pytest.approx(c * (end - d) * shrink)
    assert gradient_of("fomaml", steps) == pytest.approx(c * (end - d))


def double_net() -> Net:
    torch.manual_seed(1)
    net = Net().double()
    for position in (1, 3):
        net.layers[position] = torch.nn.Tanh()
    return net


def in_double(episode: Episode) -> Episode:
    return Episode("", *(tuple(tensor.double() for tensor in part) for part in (episode.support, episode.query)))


@pytest.mark.parametrize("method", ["maml", "anil"])
def test_the_second_order_gradient_is_that_of_finite_differences(method):
    net, episode, inner = double_net(), in_double(wave(5)), InnerLoop(3, 0.05)
    weights = dict(net.named_parameters())
    gradients, _ = outer_gradients(method, net, weights, [episode], inner)
    for name, index in (("layers.0.weight", (7, 0)), ("layers.2.bias", (3,)), ("layers.4.weight", (0, 11))):
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weights[name][index] += step
            values.append(float(objective(method, net, weights, episode, inner)[1]))
            with torch.no_grad():
                weights[name][index] -= step
        assert float(gradients[name][index]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_anil_adapts_the_weights_of_the_task_alone():
    net, episode = Net(), wave(3)
    weights = dict(net.named_parameters())
    names = net.of_task(weights)
    end, _ = adapted(net.loss, weights, [episode.support], InnerLoop(4, 0.01), names, through=False)
    assert [name for name in weights if not torch.equal(end[name], weights[name])] == names


def test_reptile_with_one_inner_step_is_joint_training():
    net, episodes, inner = double_net(), [in_double(wave(seed)) for seed in (1, 2, 3)], InnerLoop(1, 0.02)
    weights = dict(net.named_parameters())
    reptile, _ = outer_gradients("reptile", net, weights, episodes, inner)
    mean = torch.stack([net.loss(weights, episode.support) for episode in episodes]).mean()
    joint = torch.autograd.grad(mean, list(weights.values()))
    for name, gradient in zip(weights, joint, strict=True):
        assert torch.allclose(reptile[name], 0.02 * gradient, rtol=1e-9, atol=1e-12)


def test_reptile_goes_to_where_the_inner_steps_end():
    (a, b), (c, d) = SUPPORT, QUERY
    first = W - RATE * a * (W - b)
    second = first - RATE * c * (first - d)
    assert gradient_of("reptile", 2) == pytest.approx(W - second)


def test_multi_task_training_takes_no_inner_step():
    (a, b), (c, d) = SUPPORT, QUERY
    assert gradient_of("multitask", 1) == pytest.approx((a * (W - b) + c * (W - d)) / 2)


MORE = {"fomaml": (2000, 5, 0.01), "anil": (2000, 5, 0.01), "maml": (2000, 1, 0.01), "reptile": (2000, 10, 0.02)}


@pytest.mark.slow
def test_ten_points_and_ten_steps_are_enough_for_a_sine_wave_after_meta_training():
    joint = error_after(trained("multitask", 600, 1, 0.01), steps=10)
    net = trained("maml", 600, 1, 0.01)
    after = error_after(net, steps=10)
    assert after < 0.7 * joint, "as many steps after joint training on all waves"
    assert after < 0.6 * error_after(net, steps=0)


@pytest.mark.slow
@pytest.mark.parametrize("method", list(MORE))
def test_sine_waves_are_learned_as_in_the_papers(method):
    """Where training on all waves at once, evaluated alike, ends at 1.7, twice as much (`multitask`, 2,000 steps)."""
    assert error_after(trained(method, *MORE[method]), steps=10) < 0.85


def test_tasks_are_drawn_by_a_power_of_their_size():
    assert probabilities([100, 400], 0.5) == pytest.approx([1 / 3, 2 / 3])
    assert probabilities([100, 400], 0) == [0.5, 0.5]
    assert probabilities([100, 400], 1) == pytest.approx([0.2, 0.8])


def task(name: str, size: int, classes: int = 3) -> TrainingTask:
    spec = TaskSpec(name=name, family="classification", fields={"text": "text", "label": "label"}, metrics=["accuracy"])
    split = Split(
        tuple(f"{name}-{index}" for index in range(size)),
        {"text": tuple(map(str, range(size)))},
        tuple(index % classes for index in range(size)),
    )
    return TrainingTask(spec, tuple("abcdefg"[:classes]), split)


SPEC = MetaSpec(tasks=["x"], k=3, queries=2, ways=4, alpha=0.5, seed=7)


def test_an_episode_has_k_and_queries_of_each_class_none_of_them_twice():
    tasks = [task("small", 100), task("large", 400, classes=7)]
    sampler = EpisodeSampler(tasks, SPEC)
    draws = [sampler.draw(step, number) for step in range(300) for number in range(4)]
    assert draws[5] == EpisodeSampler(tasks, SPEC).draw(1, 1) != sampler.draw(1, 2)
    assert EpisodeSampler(tasks, SPEC.model_copy(update={"seed": 8})).draw(1, 1) != draws[5]
    assert {len(draw.classes) for draw in draws if draw.task == 0} == {2, 3}
    assert {len(draw.classes) for draw in draws if draw.task == 1} == {2, 3, 4}
    for draw in draws:
        assert Counter(label for _, label in draw.support) == dict.fromkeys(range(len(draw.classes)), 3)
        assert Counter(label for _, label in draw.query) == dict.fromkeys(range(len(draw.classes)), 2)
        rows = [row for row, _ in draw.support + draw.query]
        assert len(set(rows)) == len(rows)
        labels = tasks[draw.task].train.labels
        assert all(labels[row] == draw.classes[label] for row, label in draw.support + draw.query)
    share = sum(draw.task for draw in draws) / len(draws)
    assert abs(share - 2 / 3) < 4 * math.sqrt(2 / 9 / len(draws))


def test_a_task_without_two_classes_of_enough_examples_is_named():
    with pytest.raises(HarnessError, match="meta: task few has 0 classes of 5 examples or more"):
        EpisodeSampler([task("few", 12)], SPEC)
    scarce = task("scarce", 40)
    rows = [row for row in range(40) if row % 3 != 2 or row < 6]
    scarce = replace(scarce, train=scarce.train.select(rows))
    assert {EpisodeSampler([scarce], SPEC).draw(step, 0).classes for step in range(9)} <= {(0, 1), (1, 0)}


def test_a_meta_training_that_was_cut_off_ends_with_the_same_bits(tmp_path):
    spec = MetaSpec(method="fomaml", tasks=["sine"], steps=12, episodes=2, inner_steps=2, checkpoint_every=4)

    def episodes(step):
        return [wave(2 * step), wave(2 * step + 1)]

    torch.manual_seed(0)
    whole = Net()
    unbroken = loop.train(whole, whole, episodes, spec)
    torch.manual_seed(0)
    first = Net()

    def cut(step):
        if step == 10:
            raise KeyboardInterrupt
        return episodes(step)

    with pytest.raises(KeyboardInterrupt):
        loop.train(first, first, cut, spec, tmp_path)
    torch.manual_seed(1)
    second = Net()
    resumed = loop.train(second, second, episodes, spec, tmp_path)
    assert resumed.resumed_from == 8
    assert resumed.losses == unbroken.losses
    assert all(torch.equal(whole.state_dict()[name], tensor) for name, tensor in second.state_dict().items())
    again = Net()
    assert loop.train(again, again, episodes, spec, tmp_path, resume=False).resumed_from == 0


def test_a_loss_that_is_no_number_is_an_error():
    net = Net()
    spec = MetaSpec(method="maml", tasks=["sine"], steps=3, inner_rate=10.0, inner_steps=30)
    with pytest.raises(HarnessError, match=r"diverged: the loss of step 1 of 3 is (nan|inf); lower inner_rate"):
        loop.train(net, net, lambda step: [wave(step)], spec)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tasks": []}, "name the tasks or suites to train on"),
        ({"tasks": ["x", "x"]}, "a name is given twice"),
        ({"tasks": ["x"], "method": "multitask", "inner_steps": 2}, "multitask adapts nothing in an episode"),
    ],
)
def test_what_is_no_meta_training_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        MetaSpec(**values)
