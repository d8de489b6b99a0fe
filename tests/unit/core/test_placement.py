"""What workers get on a cluster, as it is asked for: sizes, numbers, addresses, and one line for what makes no sense."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.placement import ResourceRequest
from harness.core.run_spec import RunSpec
from harness.core.strict_spec import parse


def run(**settings) -> RunSpec:
    return parse(RunSpec, {"task": ["sst2"], **settings}, "test")


@pytest.mark.parametrize(
    ("given", "request_made"),
    [
        ("cpu=4,gpu=1,memory=8G", ResourceRequest(4, 1.0, 8 * 2**30)),
        (["cpu=2", "memory = 512MiB"], ResourceRequest(2, None, 2**29)),
        ({"cpu": 4, "gpu": 0.5, "memory": "1.5g"}, ResourceRequest(4, 0.5, 3 * 2**29)),
        ("gpu=0", ResourceRequest(None, 0.0)),
        ("accelerator_type:A100=0.01", ResourceRequest(custom={"accelerator_type:A100": 0.01})),
        ([], ResourceRequest()),
    ],
)
def test_resources_of_an_option_and_of_a_file(given, request_made):
    assert run(resources=given).resource_request == request_made


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resources": "cpu"}, "no NAME=VALUE"),
        ({"resources": "cpu=0"}, "whole number of CPUs"),
        ({"resources": "cpu=1.5"}, "whole number of CPUs"),
        ({"resources": "cpu=nan"}, "cpu=nan"),
        ({"resources": "cpu=1,cpu=2"}, "cpu is given twice"),
        ({"resources": "gpu=1.5"}, "fraction of one"),
        ({"resources": "gpu=-1"}, "gpu=-1"),
        ({"resources": "memory=8"}, "512M or 8G"),
        ({"resources": "memory=lots"}, "512M or 8G"),
        ({"resources": "memory=9999999T"}, "512M or 8G"),
        ({"resources": "memroy=8G"}, "Did you mean 'memory'"),
        ({"resources": "CPU=4"}, "Did you mean 'cpu'"),
        ({"resources": "a b=4"}, "unknown resource"),
        ({"resources": 4}, "resources"),
        ({"address": "ray://host:10001"}, "ray job submit"),
        ({"address": "host"}, "HOST:PORT"),
        ({"address": ""}, "HOST:PORT"),
        ({"cluster": "pbs"}, "slurm"),
        ({"cluster_option": "partition"}, "no NAME=VALUE"),
        ({"cluster_option": ["a=1", "a=2"]}, "a is given twice"),
    ],
)
def test_what_makes_no_sense_is_one_line(settings, message):
    with pytest.raises(HarnessError, match=message) as refused:
        run(**settings)
    assert "\n" not in str(refused.value)


def test_an_option_of_the_cluster_may_hold_a_comma_and_a_sign_of_equality():
    spec = run(executor="submitit", cluster_option=["setup=export A=1,2", "timeout_min=5"])
    assert spec.cluster_option == ["setup=export A=1,2", "timeout_min=5"]
    assert run(cluster_option={"timeout_min": 5}).cluster_option == ["timeout_min=5"]
