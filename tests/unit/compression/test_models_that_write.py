"""Generative models are stored as int8 and write much the same, and go on writing without half their heads; what cannot
serve them is refused."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError


@pytest.mark.parametrize(("kind", "task"), [("t5", "dialogsum"), ("gpt2", "story-generation")])
def test_a_model_that_writes_is_stored_as_int8_and_writes_much_the_same(trained, compressed, kind, task):
    model = trained(kind, task, 12)
    folder, said = compressed(model, "int8-weight")
    assert said["runtime"] == "torch"
    assert said["after"]["bytes"] < 0.55 * said["before"]["bytes"]
    before, after = model.predict().values, model.predict(folder).values
    assert len(after) == len(model.dev) and all(isinstance(text, str) for text in after)
    assert (before == after).mean() >= 0.5
    for method in ("int8-static", "compile"):
        with pytest.raises(HarnessError, match="not yet"):
            compressed(model, method)


@pytest.mark.parametrize(("kind", "task"), [("t5", "dialogsum"), ("gpt2", "story-generation")])
def test_a_model_that_writes_is_served_in_integers(trained, compressed, kind, task):
    from harness.modeling.runtimes import open_model
    from harness.modeling.runtimes.int8_linear import Int8Linear
    from harness.modeling.runtimes.torch_eager import load
    from harness.modeling.weights.layers import linear_layers

    model = trained(kind, task, 12)
    folder, said = compressed(model, "int8-torch")
    assert said["runtime"] == "torch-int8"
    served = open_model(folder).module
    integer = {name for name, layer in served.named_modules() if isinstance(layer, Int8Linear)}
    assert integer == set(linear_layers(load(model.folder)[0]))
    assert not linear_layers(served), "nothing but the head stays float"
    before, after = model.predict().values, model.predict(folder).values
    assert (before == after).mean() >= 0.5
    assert (after == model.predict(folder).values).all()
    with pytest.raises(HarnessError, match="it runs in torch-int8"):
        load(folder)


@pytest.mark.parametrize(("kind", "task"), [("t5", "dialogsum"), ("gpt2", "story-generation")])
def test_a_model_without_half_its_heads_writes_what_it_does_without_a_cache(trained, compressed, kind, task):
    import torch

    from harness.modeling.runtimes.torch_eager import load

    folder, said = compressed(trained(kind, task, 12), "prune-structured:0.5")
    units = said["steps"][0]["units"]["heads"]
    assert units["after"] == units["before"] // 2
    assert all(isinstance(text, str) for text in trained(kind, task, 12).predict(folder).values)
    model, _ = load(folder)
    ids = torch.arange(5, 14)[None]
    with torch.inference_mode():
        written = [
            model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, use_cache=cache)
            for cache in (True, False)
        ]
    assert written[0].tolist() == written[1].tolist()
