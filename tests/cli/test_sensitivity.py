"""`harness compress --sensitivity`: the table, the plot, the recipe, and what is refused."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from tests.conftest import call_harness, read_json
from tests.unit.compression.test_sensitivity import GROUPS


def test_the_command_writes_a_table_and_a_recipe_that_compress_follows(trained, machine_cache, tmp_path):
    from harness.modeling.runtimes import open_model

    (tmp_path / "reviews.yaml").write_text(
        "name: reviews\nversion: 1\nfamily: classification\nfields: {text: text, label: label}\nlabels: [bad, good]\nmetrics: [accuracy]\n"
    )
    model = trained("bert")
    for name, split in (("train", model.examples.train), ("dev", model.dev)):
        rows = zip(split.fields["text"], split.labels, strict=True)
        lines = [json.dumps({"text": text, "label": model.examples.labels[label]}) for text, label in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    call = partial(call_harness, tmp_path, machine_cache)
    where = ["--task", "reviews", "--data", tmp_path, "--include", tmp_path / "reviews.yaml"]
    asked = ["compress", model.folder, "--sensitivity", "--method", "prune-magnitude", "--set", "sparsity=0.97", *where]
    said = read_json(call(*asked, "-o", "found", "--plot", "found.svg", "--skip-worst", 2, "--limit", 100, "--json").stdout)  # fmt: skip
    assert [row["layers"] for row in said["layers"]] == GROUPS["bert"]
    assert said["data"]["splits"] == {"dev": 100}
    drops = {row["layers"]: row["drop"]["value"] for row in said["layers"]}
    assert sorted(drops.values())[-2:] == sorted(drops[name] for name in said["skip"])
    table = (tmp_path / "found" / "sensitivity.md").read_text()
    assert "| all of them" in table and table.count("skipped") >= 2
    assert "<svg" in (tmp_path / "found.svg").read_text()
    out = call("compress", model.folder, "--recipe", "found/recipe.yaml", "-o", "smaller").stdout
    assert "prune-magnitude" in out
    assert open_model(tmp_path / "smaller").settings.compression[0]["options"]["skip"] == said["skip"]
    dev = model.dev.head(100)
    score = np.mean(model.predict(tmp_path / "smaller").values[:100] == np.asarray(dev.labels))
    assert said["score"] - said["with_recipe"]["drop"]["value"] == pytest.approx(score)
    for flags, words in (
        (["--skip-worst", 5], "touches 5 groups of layers; skip fewer"),
        (["--skip-worst", 1, "--margin", 0.1], "give one or the other"),
        (["--plot", "x.jpeg"], "the ending must be .png, .svg or .pdf"),
        (["--split", "test"], "was read with train, dev"),
    ):
        assert words in call(*asked, "-o", "other", *flags, code=2).stderr
    assert "goes with --sensitivity" in call("compress", model.folder, "-m", "int8", "-o", "x", "--margin", 1, code=2).stderr  # fmt: skip
    assert not (tmp_path / "other").exists()
