"""Data efficiency: fractions of the training examples, and what pretraining bought."""

from __future__ import annotations

import pytest

from tests.conftest import read_json


def test_a_run_on_shares_gives_a_table_a_plot_and_no_mixed_leaderboard(harness, tmp_path):
    command = ("run", "--task", "sst2", "--model", "tfidf", "--train-fractions", "0.02,1", "--seeds", "2", "--json")
    result = read_json(harness(*command).stdout)
    cells = [(cell["kind"], cell["fraction"], cell["seed"]) for cell in result["cells"]]
    assert cells == [(kind, *one) for one in [(0.02, 0), (0.02, 1), (1.0, 0)] for kind in ("finetune", "score")]
    shares = {
        (score["data"]["train_fraction"], score["seed"]): score["scores"]["accuracy"]["value"]
        for score in result["scores"]
    }
    assert shares[0.02, 0] < shares[1.0, 0]
    titles = [table["title"] for table in read_json(harness("leaderboard", "--format", "json").stdout)["tables"]]
    assert sorted("trained on 2 %" in title for title in titles) == [False, True]
    pytest.importorskip("matplotlib")
    shown = harness("leaderboard", "--by-fraction", "--plot", "curve.svg").stdout
    assert "| seeds | 2 % | 100 % |" in shown
    assert f"{100 * shares[1.0, 0]:.1f}" in shown
    assert (tmp_path / "curve.svg").read_text().count("<svg") == 1
    (found,) = read_json(harness("leaderboard", "--by-fraction", "--format", "json").stdout)
    assert found["curves"][0]["by_fraction"]["0.02"]["value"] == pytest.approx((shares[0.02, 0] + shares[0.02, 1]) / 2)
    assert "must be .png" in harness("leaderboard", "--by-fraction", "--plot", "curve.bmp", code=2).stderr
    assert "--by-fraction" in harness("leaderboard", "--plot", "curve.svg", code=2).stderr


@pytest.mark.parametrize("value", ["0", "1.5", "0.1,many"])
def test_a_share_outside_0_to_1_is_refused(value, harness):
    assert "train_fractions" in harness("run", "--task", "sst2", "--train-fractions", value, code=2).stderr


def test_twins_without_a_pretrained_recipe_are_refused(harness):
    done = harness("run", "--task", "sst2", "--model", "tfidf", "--from-scratch", code=2)
    assert "none of tfidf has a pretraining section" in done.stderr
