"""A held-out set too small for what is read off it."""

import math
from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# Half the width of the 95 % interval of an accuracy.
NOISE_LIMITS = Limits(warning=0.02, problem=0.05)


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds scores that are mostly chance."""
    scores, pretraining = measures.run.scores, measures.is_pretraining
    accuracy = scores.get("mlm_accuracy" if pretraining else "accuracy")
    number = measures.fact("evaluation_predictions" if pretraining else "evaluation_examples")
    if accuracy is None or not number:
        return
    noise = 1.96 * math.sqrt(max(accuracy * (1 - accuracy), 1 / number) / number)
    if (crossed := NOISE_LIMITS.crossed(noise)) is not None:
        # The dev set of a task is as large as it is, and says nothing about the run.
        severity = crossed[0] if pretraining else "warning"
        what = "masked tokens" if pretraining else "examples"
        yield Finding(
            "small_evaluation",
            severity,
            f"the accuracy is known to ± {100 * noise:.1f} points, from {number:,} {what}",
            noise,
            crossed[1],
            effect="Two runs, or two moments of one, differ by so much through chance alone. "
            "Whatever is chosen by such a score (the best checkpoint, a learning rate, a recipe) "
            "is chosen by luck.",
            remedy="Hold more out, or compare the means of several seeds."
            if pretraining
            else "Compare the means of several seeds, or hold more examples out.",
            command=_larger(measures) if pretraining else measures.with_other_seed(),
        )


def _larger(measures: RunMeasures) -> str:
    """Four times the examples: more of those that are held out, or more held out."""
    fraction = measures.run.setting("training.held_out_fraction", 0.01)
    most = measures.run.setting("training.num_evaluation_examples", 2000)
    if measures.fact("evaluation_examples") >= most:
        return measures.again(f"training.num_evaluation_examples={4 * most}")
    return measures.again(f"training.held_out_fraction={min(4 * fraction, 0.5):g}")
