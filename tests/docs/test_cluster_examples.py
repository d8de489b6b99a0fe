"""The examples for clusters, as far as they can be checked without one: Kubernetes objects against a reduced schema of KubeRay's, SLURM scripts
against the options of sbatch and the shell, and the command lines in both against the parser. The two commands for Ray are run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.command_line import shell_environment
from tests.conftest import ROOT
from tests.docs.commands import complaint

EXAMPLES = ROOT / "docs" / "examples"
GUIDE = ROOT / "docs" / "guides" / "cluster.md"


def mapping(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """A schema of an object that has these keys and no others."""
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
NAME: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
QUANTITY: dict[str, Any] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?$"}
AMOUNTS = {"type": "object", "additionalProperties": QUANTITY, "minProperties": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
CONTAINER = mapping(
    {"name": NAME, "image": TEXT, "resources": mapping({"limits": AMOUNTS, "requests": AMOUNTS})},
    ports=listed(mapping({"containerPort": COUNT}, name=NAME)),
    env=listed(mapping({"name": TEXT, "value": {"type": "string"}})),
    volumeMounts=listed(mapping({"name": NAME, "mountPath": {"type": "string", "pattern": "^/"}})),
)
POD = mapping(
    {"spec": mapping({"containers": listed(CONTAINER)}, volumes=listed(mapping({"name": NAME, "persistentVolumeClaim": mapping({"claimName": NAME})})))},
)  # fmt: skip
CLUSTER = mapping(
    {
        "headGroupSpec": mapping({"rayStartParams": TEXTS, "template": POD}),
        "workerGroupSpecs": listed(
            mapping(
                {"groupName": NAME, "rayStartParams": TEXTS, "template": POD},
                replicas=COUNT, minReplicas=COUNT, maxReplicas=COUNT,
            )
        ),
    },
    rayVersion=TEXT,
)  # fmt: skip
JOB = mapping(
    {"entrypoint": TEXT, "rayClusterSpec": CLUSTER},
    shutdownAfterJobFinishes={"type": "boolean"}, ttlSecondsAfterFinished=COUNT, backoffLimit=COUNT,
)  # fmt: skip
SCHEMAS = {
    kind: mapping({
        "apiVersion": {"const": "ray.io/v1"}, "kind": {"const": kind}, "metadata": mapping({"name": NAME}), "spec": spec,
    })
    for kind, spec in (("RayCluster", CLUSTER), ("RayJob", JOB))
}  # fmt: skip
SBATCH = {
    "account", "array", "begin", "chdir", "comment", "constraint", "cpus-per-gpu", "cpus-per-task", "dependency", "distribution",
    "error", "exclude", "exclusive", "export", "gpus", "gpus-per-node", "gpus-per-task", "gres", "hint", "hold", "input",
    "job-name", "kill-on-invalid-dep", "licenses", "mail-type", "mail-user", "mem", "mem-per-cpu", "mem-per-gpu", "mincpus",
    "nice", "no-requeue", "nodelist", "nodes", "ntasks", "ntasks-per-gpu", "ntasks-per-node", "open-mode", "output",
    "overcommit", "oversubscribe", "parsable", "partition", "priority", "qos", "quiet", "requeue", "reservation", "signal",
    "switches", "test-only", "threads-per-core", "time", "time-min", "tmp", "verbose", "wait", "wait-all-nodes", "wckey", "wrap",
}  # fmt: skip
"""Long options of sbatch."""
FORMS = {
    "nodes": r"\d+(-\d+)?", "ntasks": r"\d+", "ntasks-per-node": r"\d+", "cpus-per-task": r"\d+", "mem": r"\d+[KMGT]?",
    "time": r"(\d+-)?\d+(:\d\d){0,2}", "signal": r"([BR]:)?\w+(@\d+)?",
}  # fmt: skip


def kubernetes() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, document)
        for path in sorted(EXAMPLES.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


def validated(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(document, SCHEMAS[document["kind"]])


def test_kubernetes_objects_are_as_kuberay_has_them():
    assert {document["kind"] for _, document in kubernetes()} == set(SCHEMAS)
    for _, document in kubernetes():
        validated(document)
        spec = document["spec"].get("rayClusterSpec", document["spec"])
        groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
        for pod in (group["template"]["spec"] for group in groups):
            volumes = {volume["name"] for volume in pod["volumes"]}
            assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} <= volumes
        for group in spec["workerGroupSpecs"]:
            assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


@pytest.mark.parametrize(
    "change",
    [{"kind": "RayJob"}, {"spec": {}}, {"apiVersion": "v1"}, {"metadata": {"name": "Not a name"}}, {"replicas": 2}],
)
def test_an_object_that_is_wrong_is_found(change):
    jsonschema = pytest.importorskip("jsonschema")
    cluster = next(document for _, document in kubernetes() if document["kind"] == "RayCluster")
    with pytest.raises(jsonschema.ValidationError):
        validated(cluster | change)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.sbatch")), ids=lambda path: path.name)
def test_scripts_of_slurm_have_options_of_sbatch_and_are_shell(path):
    script = path.read_text()
    assert script.startswith("#!/bin/bash\n")
    directives = re.findall(r"^#SBATCH (.*)$", script, re.MULTILINE)
    assert directives and script.rindex("#SBATCH") < script.index("\nsource "), (
        "sbatch reads them up to the first command"
    )
    for directive in directives:
        name, _, value = directive.removeprefix("--").partition("=")
        assert directive.startswith("--") and name in SBATCH, directive
        assert re.fullmatch(FORMS.get(name, r".*"), value), directive
    assert subprocess.run(["bash", "-n", path], capture_output=True, text=True).stderr == ""


def test_command_lines_in_the_examples_are_ones_the_parser_takes():
    texts = {path.name: path.read_text() for path in EXAMPLES.glob("*.sbatch")}
    texts |= {
        name: document["spec"]["entrypoint"] for name, document in kubernetes() if "entrypoint" in document["spec"]
    }
    for name, text in texts.items():
        (command,) = re.findall(r"\bharness (run .*)", text.replace("\\\n", " "))
        assert complaint(shlex.split(command)) is None, name


@pytest.mark.process
@pytest.mark.slow
def test_the_two_commands_for_ray_work(tmp_path, machine_cache):
    """On a Ray that `ray start` leaves running, whose files lie in a folder of the test's: its processes are told by it."""
    pytest.importorskip("ray")
    (block,) = re.findall(r"^```text\n(ray start --head\n.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 2
    rays = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie in it
    environment = shell_environment(tmp_path, machine_cache, RAY_TMPDIR=str(rays), RAY_USAGE_STATS_ENABLED="0")
    try:
        with (tmp_path / "said").open("w") as said:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                cwd=tmp_path,
                env=environment,
                stdout=said,
                stderr=said,
                timeout=300,
            )
        assert done.returncode == 0, (tmp_path / "said").read_text()
        assert "| majority |" in re.sub(" +", " ", (tmp_path / "said").read_text())
        assert len(list(tmp_path.glob("results/cells/*/*/predictions.parquet"))) == 2
    finally:
        for process in psutil.process_iter():
            with_folder = False
            try:
                with_folder = str(rays) in " ".join(process.cmdline()) or process.environ().get("RAY_TMPDIR") == str(
                    rays
                )
            except psutil.Error:
                continue
            if with_folder and process.pid != os.getpid():
                process.kill()
        shutil.rmtree(rays, ignore_errors=True)
