"""The statistics of the ablation: intervals as in scipy's tests, Holm's correction, pairs by seed, runs kept."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    # Not by the search path: benchmarks/coverage.py would hide a package that others import.
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


table = load("ablation_table")
training = load("ablation_runs")


def result(variant, seed, accuracy, data="trec", **values):
    scores = {} if accuracy is None else {"accuracy": accuracy, "f1_macro": accuracy, "log_loss": 1 - accuracy}
    usual = {"best_epoch": 1, "seconds": 2.0, "processor": 3.0, "degenerate": False}
    return table.Result(variant, data, seed, scores, **{**usual, **values})


def test_on_one_set_the_interval_is_that_of_the_paired_t_test():
    differences = [0.5, -0.2, 0.9, 0.4, 0.1]
    found = table.paired_difference([differences])
    expected = stats.ttest_1samp(differences, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.value, found.p) == pytest.approx((np.mean(differences), expected.pvalue))
    assert (found.low, found.high, found.seeds) == pytest.approx((interval.low, interval.high, 5))


def test_on_two_sets_it_is_welchs_with_as_many_seeds_as_each_has():
    first, second = [0.5, -0.2, 0.9, 0.4, 0.1], [3.0, -1.0, 2.5]
    found = table.paired_difference([first, second])
    expected = stats.ttest_ind(first, [-value for value in second], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (found.value, found.p) == pytest.approx(((np.mean(first) + np.mean(second)) / 2, expected.pvalue))
    assert (found.low, found.high, found.seeds) == pytest.approx((interval.low / 2, interval.high / 2, 3))


@pytest.mark.parametrize("differences", [[[0.4]], [[0.2, 0.2, 0.2]], [[0.1, 0.3], [0.2]]])
def test_where_the_spread_is_unknown_there_is_no_interval(differences):
    found = table.paired_difference(differences)
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, 1.0)


def test_no_pairs_no_difference():
    assert table.paired_difference([[0.1, 0.2], []]) is None


def test_holms_correction_of_a_known_example():
    assert table.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert table.holm([0.6, 0.9]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("low", "high", "adjusted", "sign", "words"),
    [
        (0.1, 0.5, 0.01, 1, "better"),
        (0.1, 0.5, 0.01, -1, "worse"),
        (0.1, 0.5, 0.2, 1, "perhaps better"),
        (-0.5, -0.1, 0.01, 1, "worse"),
        (-0.1, 0.5, 0.3, 1, "undecided at 5 seeds"),
    ],
)
def test_a_verdict_needs_the_interval_and_the_correction(low, high, adjusted, sign, words):
    assert table.verdict(table.Difference((low + high) / 2, low, high, 0.01, 5), adjusted, sign) == words


def test_runs_are_paired_by_seed_and_set_and_diverged_ones_leave_their_pair_out():
    runs = [result("base", seed, 0.8 + 0.01 * seed) for seed in range(4)]
    runs.append(result("base", 4, None))
    # In another order than the base's, one without its base, one diverged, one whose base diverged.
    runs += [result("new", 2, 0.83), result("new", 0, 0.82), result("new", 9, 0.1), result("new", 3, None)]
    runs.append(result("new", 4, 0.9))
    runs += [result("base", 0, 0.5, "sst2"), result("new", 0, 0.9, "sst2")]
    base, new = table.compare(runs, ["base", "new"], ["trec"], "accuracy")
    assert base.difference is None
    assert new.difference.seeds == 2
    assert new.difference.value == pytest.approx((0.02 + 0.01) / 2)


def test_the_undecided_go_on_and_the_decided_do_not():
    noise = np.random.default_rng(0).normal(0, 0.001, (3, 5))
    runs = [result("base", seed, 0.8) for seed in range(5)]
    runs += [result("worse", seed, 0.7 + noise[0, seed]) for seed in range(5)]
    runs += [result("same", seed, 0.8 + noise[1, seed] - noise[1].mean()) for seed in range(5)]
    assert table.undecided(runs, ["base", "worse", "same", "never run"], ["trec"]) == ["same", "never run"]


def test_the_table_shows_what_was_measured():
    runs = [result("base", seed, 0.8, data, processor=2.0) for seed in range(3) for data in ("trec", "sst2")]
    runs += [result("new", seed, 0.81 + 0.01 * seed, "trec", processor=5.0) for seed in range(3)]
    runs += [result("new", 0, None, "sst2"), result("new", 1, 0.5, "sst2", degenerate=True)]
    lines = table.render(runs, ["base", "new", "absent"], ["trec", "sst2"], "").splitlines()
    assert "### trec and sst2" in lines
    accuracy = lines[lines.index("### trec") :]
    (shown,) = [line for line in accuracy[:8] if line.startswith("| new")]
    assert shown.split(" | ")[1:5] == ["3", "82.0", "1.0", "+2.0 [-0.5, +4.5]"]
    assert "2.50 ×" in shown
    accuracy = lines[lines.index("### sst2") :]
    (shown,) = [line for line in accuracy[:8] if line.startswith("| new")]
    assert shown.endswith("1 of 2 learned nothing, 1 of 2 diverged |")
    assert "absent" not in "".join(lines)


def test_kept_runs_come_back_unless_half_written_or_of_other_settings(tmp_path):
    path, size = tmp_path / "ablation.jsonl", training.Size(500, 200, 10)
    kept = training.Results(path, size)
    kept.add(result("base", 0, 0.8))
    kept.add(result("no warm-up", 0, 0.7))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    again = training.Results(path, size)
    assert again.all() == kept.all()
    assert path.read_bytes() == whole
    assert training.Results(path, training.Size(500, 200, 3)).others == 2
    lines = [json.loads(line) for line in whole.decode().splitlines()]
    lines[0]["settings"]["train.weight_decay"] = 0.5
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changed = training.Results(path, size)
    assert ([run.variant for run in changed.all()], changed.others) == (["no warm-up"], 1)


def test_a_seed_draws_stratified_rows_of_which_none_stands_anywhere_else(tmp_path):
    texts = [{"text": f"text {number % 90}", "label": "ab"[number % 3 == 0]} for number in range(100)]
    for name, rows in {"train": texts, "test": texts[:10]}.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    size = training.Size(30, 15, 1)
    splits = training.draw(tmp_path, 3, size)
    texts = [row["text"] for rows in splits.values() for row in rows]
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 30, "validation": 15, "test": 10}
    assert len(set(texts)) == len(texts)
    assert [sum(row["label"] == "b" for row in splits[split]) for split in ("train", "validation")] == [10, 5]
    assert training.draw(tmp_path, 3, size) == splits
    assert training.draw(tmp_path, 4, size)["train"] != splits["train"]


def test_every_variant_is_a_valid_configuration_of_its_own():
    size = training.Size(500, 200, 10)
    configurations = [training.configuration(name, 0, size).model_dump_json() for name in training.VARIANTS]
    assert len(set(configurations)) == len(configurations)
