"""Third parties add tasks, suites, metrics, learners and model specs without touching the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.conftest import read_json

METRIC = '''
from harness import register
from harness.metrics import Metric
from harness.training.learners import Learner

register("metric", "error_rate", Metric(
    name="error_rate", version=1, inputs="labels", low=0.0, high=1.0,
    compute=lambda predictions, references: float((predictions != references).mean()),
    chance=lambda references: 0.5, greater_is_better=False,
))


class LastWord(Learner):
    """Predicts the class that the text's first word had most in training."""
    deterministic = True

    def fit(self, request):
        import json
        first, _ = request.family.texts(request.train)
        known = {text.split()[1]: label for text, label in zip(first, request.train.labels)}
        (request.directory / "words.json").write_text(json.dumps(known))
        return {"parameters": len(known)}

    def predict(self, request):
        import json
        import numpy as np
        known = json.loads((request.directory / "words.json").read_text())
        first, _ = request.family.texts(request.split)
        classes = [known.get(text.split()[1], 0) for text in first]
        return self.of_logits(request.family, np.eye(len(request.labels), dtype=np.float32)[classes])


register("learner", "second-word", LastWord())
'''

TASK = """\
name: reviews
family: classification
fields: {text: text, label: label}
labels: [bad, good]
metrics: [accuracy, error_rate]
"""


def write_plugin(folder: Path) -> None:
    (folder / "tasks").mkdir(parents=True)
    (folder / "baselines").mkdir()
    (folder / "plugin.py").write_text(METRIC)
    (folder / "tasks" / "reviews.yaml").write_text(TASK)
    (folder / "tasks" / "shop.yaml").write_text("name: shop\ntasks: [reviews]\n")
    (folder / "baselines" / "second-word.yaml").write_text("name: second-word\nlearner: second-word\n")


def check(listing: str, result: dict) -> None:
    assert "reviews" in listing
    scores = result["scores"][0]["scores"]
    assert scores["accuracy"]["value"] == 1.0
    assert scores["error_rate"]["value"] == 0.0
    assert scores["error_rate"]["n"] == 16


def test_a_folder_given_to_include_adds_a_task_a_suite_a_metric_a_learner_and_a_recipe(harness, tmp_path, reviews):
    write_plugin(tmp_path / "mine")
    listing = harness("list", "tasks", "--include", "mine").stdout
    done = harness("run", "--suite", "shop", "--model", "second-word", "--data", reviews, "--include", "mine", "--json")
    check(listing, read_json(done.stdout))


def test_an_installed_package_adds_them_through_an_entry_point(harness_process, tmp_path, reviews):
    site = tmp_path / "site"
    write_plugin(site / "harness_shop")
    (site / "harness_shop" / "__init__.py").write_text("from harness_shop import plugin\n")
    metadata = site / "harness_shop-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-shop\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[harness.plugins]\nshop = harness_shop\n")
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    listing = harness_process("list", "tasks", PYTHONPATH=path).stdout
    command = ("run", "--suite", "shop", "--model", "second-word", "--data", reviews, "--json")
    done = harness_process(*command, PYTHONPATH=path)
    check(listing, read_json(done.stdout))


def test_a_changed_plug_in_makes_its_cells_stale_and_no_others(harness, tmp_path, reviews):
    write_plugin(tmp_path / "mine")
    command = [
        "run",
        "--suite",
        "shop",
        "--model",
        "second-word",
        "--model",
        "majority",
        "--data",
        reviews,
        "--include",
        "mine",
        "--json",
    ]
    harness(*command)
    plugin = tmp_path / "mine" / "plugin.py"
    plugin.write_text(plugin.read_text().replace("known.get(text.split()[1], 0)", "known.get(text.split()[1], 1)"))
    cells = read_json(harness(*command).stdout)["cells"]
    statuses = {(cell["kind"], cell["model"]): cell["status"] for cell in cells}
    assert statuses["finetune", "majority"] == "cached"
    assert statuses["finetune", "second-word"] == "done"


def test_the_wheel_carries_the_specs(tmp_path):
    """Built without the network: what `pip install` of the wheel would find is inside it."""
    import zipfile

    from hatchling.builders.wheel import WheelBuilder  # type: ignore[import-not-found]

    root = Path(__file__).resolve().parents[2]
    wheel = next(WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"]))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "harness/builtin/tasks/cola.yaml",
        "harness/builtin/tasks/suites/glue.yaml",
        "harness/builtin/baselines/bert-tiny.yaml",
    } <= names
    assert sys.version_info >= (3, 11)
