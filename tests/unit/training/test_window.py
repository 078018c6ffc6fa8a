"""What the log's means are taken over."""

import pytest
import torch

from bertsmith.objectives import LossSum, Measure
from bertsmith.training.guard import Verdict
from bertsmith.training.window import Window


def add(window, total, count, num_correct=0, *, is_skipped=False, is_counted=True):
    loss = LossSum(torch.tensor(total), count)
    verdict = Verdict(torch.tensor(is_skipped), loss.total, loss.total)
    window.is_counted = is_counted
    window.add([{"mlm": Measure(loss, torch.tensor(num_correct))}], verdict)


def test_means_are_per_item():
    window = Window()
    assert window.means() == {}
    add(window, 6.0, 2, 1)
    add(window, 10.0, 6, 3)
    assert window.means() == {"mlm_loss": 2.0, "mlm_accuracy": 0.5}


@pytest.mark.parametrize("way", [{"is_skipped": True}, {"is_counted": False}])
def test_what_was_skipped_or_counts_elsewhere_is_in_no_mean(way):
    window = Window()
    add(window, torch.nan, 100, 100, **way)
    add(window, 6.0, 2, 1)
    add(window, 1e30, 7, 7, **way)
    assert window.means() == {"mlm_loss": 3.0, "mlm_accuracy": 0.5}
