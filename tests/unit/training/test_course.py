"""When a run is evaluated."""

import pytest

from bertsmith.training import LoopSettings
from bertsmith.training.course import Course
from bertsmith.training.schedule import ClockHorizon, StepHorizon


def evaluated_at(course, seconds, seconds_of_update=1.0, total=100.0):
    """At which seconds a run by the clock is evaluated, where each evaluation takes so many."""
    now, found = 0.0, []
    while now < total:
        before = now / total
        now += seconds_of_update
        if course.is_evaluation_between(before, min(1.0, now / total)):
            found.append(now)
            now += seconds
            course.note_evaluation(seconds)
    return found


@pytest.mark.parametrize("horizon", [StepHorizon(100), ClockHorizon(100.0)])
def test_evenly_over_the_run(horizon):
    assert evaluated_at(Course(LoopSettings(), horizon, 4), seconds=0.0) == [25, 50, 75, 100]


def test_a_run_by_the_clock_trains_for_most_of_it():
    # The first one shows how long they take: 9 s, so that the next waits for 72 s to be over.
    found = evaluated_at(Course(LoopSettings(), ClockHorizon(100.0), 10), seconds=9.0)
    assert found == [10, 80, 100]
    # One that takes a quarter of the run is done once before the end.
    assert evaluated_at(Course(LoopSettings(), ClockHorizon(100.0), 10), 25.0) == [10, 100]
    # And those that take little are all done.
    assert len(evaluated_at(Course(LoopSettings(), ClockHorizon(100.0), 10), 1.0)) == 10


def test_a_run_of_steps_is_evaluated_as_often_as_was_asked():
    course = Course(LoopSettings(), StepHorizon(100), 10)
    for _ in range(9):
        course.note_evaluation(1e6)
    assert course.is_evaluation_between(0.1, 0.2)
