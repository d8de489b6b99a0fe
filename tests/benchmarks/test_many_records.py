"""A leaderboard and a page of ten thousand scores and the trainings behind them, and of two and four times as many.

pytest tests/benchmarks/test_many_records.py --benchmark-enable      # half a minute
HARNESS_BENCHMARK=full pytest tests/benchmarks/test_many_records.py --benchmark-enable      # 40,000 as well
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from harness.core.record_index import INDEX
from harness.core.store import Store
from harness.report.text.page import write_page
from harness.report.text.runs import leaderboard_text
from tests.benchmarks.record_store import make_store

RECORDS = 10_000
TIMES = (1, 2, 4) if os.environ.get("HARNESS_BENCHMARK") == "full" else (1, 2)
ROUNDS = 5
SETTLE = 2.5
"""Seconds after which a record may be indexed."""


@pytest.fixture(scope="module")
def enabled(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("needs --benchmark-enable")


@pytest.fixture(scope="module")
def stores(enabled, tmp_path_factory) -> dict[int, Store]:
    found = {times: make_store(tmp_path_factory.mktemp(f"records-{times}"), times * RECORDS) for times in TIMES}
    time.sleep(SETTLE)
    return found


def seconds(store: Store) -> float:
    """Of the processor, so that what else runs on the machine counts less."""
    start = time.process_time()
    leaderboard_text(store, [], "markdown")
    return time.process_time() - start


def page_seconds(store: Store) -> float:
    start = time.process_time()
    write_page(store, [], store.root / "page.html")
    return time.process_time() - start


def peak(store: Store) -> int:
    """Peak memory of a process that makes the table, in bytes."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom harness.core.store import Store\n"
        "from harness.report.text.runs import leaderboard_text\n"
        "leaderboard_text(Store(Path(sys.argv[1])), [], 'markdown')\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    done = subprocess.run([sys.executable, "-c", code, store.root], capture_output=True, text=True, check=True)
    return 1024 * int(done.stdout)


def test_the_index_makes_a_table_of_ten_thousand_records_several_times_as_fast(stores, benchmark):
    store = stores[1]
    without = []
    for _ in range(2):
        (store.root / INDEX).unlink(missing_ok=True)
        without.append(seconds(store))
    seconds(store)
    benchmark.pedantic(leaderboard_text, (store, [], "markdown"), rounds=ROUNDS)
    within = min(seconds(store) for _ in range(ROUNDS))
    benchmark.extra_info |= {"seconds_of_cpu": within, "without_index": min(without)}
    print(f"\n{RECORDS} records: {within:.2f} s of CPU with the index, {min(without):.2f} s that make it")
    assert min(without) > 2 * within


def test_time_and_memory_grow_no_faster_than_the_number_of_records(stores, benchmark):
    took, peaks = {}, {}
    for times, store in stores.items():
        seconds(store)
        took[times] = min(seconds(store) for _ in range(ROUNDS))
        peaks[times] = peak(store)
    benchmark.pedantic(leaderboard_text, (stores[TIMES[-1]], [], "markdown"), rounds=1)
    benchmark.extra_info |= {"seconds_of_cpu": took, "peak_bytes": peaks}
    for times in TIMES:
        print(f"\n{times * RECORDS} records: {took[times]:.2f} s of CPU, peak {peaks[times] / 2**20:.0f} MiB")
    assert all(took[times] < 1.3 * times * took[1] for times in TIMES)
    assert all(peaks[times] < 1.1 * times * peaks[1] for times in TIMES)


def test_a_page_is_made_several_times_as_fast_where_index_and_calibration_are_kept(stores, benchmark):
    store = stores[1]
    (store.root / INDEX).unlink(missing_ok=True)
    for fact in (store.root / "cache").iterdir():
        fact.unlink()
    without = page_seconds(store)
    page_seconds(store)
    benchmark.pedantic(page_seconds, (store,), rounds=ROUNDS)
    within = min(page_seconds(store) for _ in range(ROUNDS))
    size = (store.root / "page.html").stat().st_size
    benchmark.extra_info |= {"seconds_of_cpu": within, "first_time": without, "bytes": size}
    print(f"\n{RECORDS} scores: page of {size / 1e6:.1f} MB in {within:.2f} s of CPU, {without:.2f} s the first time")
    assert without > 2 * within


def test_the_time_of_a_page_grows_no_faster_than_the_number_of_records(stores, benchmark):
    took = {}
    for times, store in stores.items():
        page_seconds(store)
        took[times] = min(page_seconds(store) for _ in range(ROUNDS))
    benchmark.pedantic(page_seconds, (stores[TIMES[-1]],), rounds=1)
    benchmark.extra_info |= {"seconds_of_cpu": took}
    for times in TIMES:
        print(f"\n{times * RECORDS} scores: page in {took[times]:.2f} s of CPU")
    assert all(took[times] < 1.3 * times * took[1] for times in TIMES)
