"""A run's log as those read it who look at the run."""

import json

import pytest

from bertsmith.training import read_run


def logged(folder, lines):
    (folder / "recipe.yaml").write_text("training: {}\n")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_run(folder)


@pytest.mark.parametrize("start", [{}, {"matmul_flops_per_second": None}])
def test_a_log_without_a_rate_is_taken_as_it_is(tmp_path, start):
    lines = [
        {"kind": "start", "step": 0, **start},
        {"kind": "train", "step": 1, "mfu": 0.8},
        {"kind": "train", "step": 2, "mfu": None},
        {"kind": "train", "step": 3, "mfu": 0.3, "matmul_flops_per_second": 2e11},
        {"kind": "train", "step": 4, "mfu": 0.4, "matmul_flops_per_second": 1e11},
    ]
    assert logged(tmp_path, lines).series("train", "mfu") == ([1, 3, 4], [0.8, 0.3, 0.4])


def test_shares_of_the_limit_are_against_the_best_rate_of_their_sitting(tmp_path):
    """Other jobs may have held the machine back at first; another sitting may be elsewhere."""
    lines = [
        {"kind": "start", "step": 0, "matmul_flops_per_second": 1e11},
        {"kind": "train", "step": 1, "mfu": 0.8},
        {"kind": "train", "step": 2, "mfu": 0.3, "matmul_flops_per_second": 2e11},
        {"kind": "train", "step": 3, "mfu": 0.4},
        {"kind": "start", "step": 3, "matmul_flops_per_second": 5e11},
        {"kind": "train", "step": 4, "mfu": 0.1},
        {"kind": "end", "step": 4},
    ]
    run = logged(tmp_path, lines)
    assert run.series("train", "mfu") == ([1, 2, 3, 4], pytest.approx([0.4, 0.3, 0.4, 0.1]))
    assert [start["matmul_flops_per_second"] for start in run.of_kind("start")] == [2e11, 5e11]


def test_medians_leave_out_what_starts_up(tmp_path):
    def lines(*values):
        return [
            {"kind": "start", "step": 0} if value == "start" else {"kind": "train", "mfu": value}
            for value in values
        ]

    started = lines("start", 0.9, 0.1, None, 0.3, "start", 0.8, 0.2)
    numbered = [{**line, "step": step} for step, line in enumerate(started)]
    run = logged(tmp_path, numbered)
    assert run.median("mfu") == 0.2
    assert run.median("waiting_share") is None
    assert logged(tmp_path, numbered[:2]).median("mfu") == 0.9
