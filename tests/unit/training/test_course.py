"""When a run is evaluated."""

import pytest

from bertsmith.training import LoopSettings
from bertsmith.training.course import Course
from bertsmith.training.schedule import ClockHorizon, StepHorizon
from bertsmith.training.snapshot import TrainingState


@pytest.mark.parametrize("horizon", [StepHorizon(100), ClockHorizon(100.0)])
def test_evenly_over_the_run(horizon):
    course = Course(LoopSettings(), horizon, 4)
    found = [n for n in range(1, 101) if course.is_evaluation_between((n - 1) / 100, n / 100)]
    assert found == [25, 50, 75, 100]


@pytest.mark.parametrize(
    ("seconds", "spent", "takes", "can"),
    [
        (40, 0, 10, True),
        (39, 0, 10, False),
        (40, 0.5, 10, False),
        (80, 10, 10, True),
        (99, 90, 1e6, False),
        (100, 90, 1e6, True),  # that at the end is done
    ],
)
def test_a_run_by_the_clock_trains_for_three_quarters_of_its_time(seconds, spent, takes, can):
    state = TrainingState(step=5, seconds=seconds, evaluating_seconds=spent)
    course = Course(LoopSettings(), ClockHorizon(100.0), 10)
    assert course.can_afford_evaluation(state, takes) == can


def test_a_run_of_steps_is_evaluated_as_often_as_was_asked():
    state = TrainingState(step=5, seconds=1.0, evaluating_seconds=0.9)
    assert Course(LoopSettings(), StepHorizon(100), 10).can_afford_evaluation(state, 1e6)
