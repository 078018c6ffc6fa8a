"""A held-out set too small for what is read off it."""

import math
import shlex
from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]

# Half the width of the 95 % interval of an accuracy.
NOISE_LIMITS = Limits(warning=0.02, problem=0.05)
# Documents to hold out where there are few, and the largest share of them.
_FEWEST_DOCUMENTS, _MOST = 4, 0.5


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds scores that are mostly chance."""
    scores, pretraining = measures.run.scores, measures.is_pretraining
    if not pretraining and measures.run.main_metric not in (None, "accuracy"):
        return  # what is chosen by is no share of the examples
    accuracy = scores.get("mlm_accuracy" if pretraining else "accuracy")
    number = measures.fact("evaluation_predictions" if pretraining else "evaluation_examples")
    if pretraining:  # of the phase of that evaluation; logs of older versions have the first's
        number = measures.run.num_predictions or number
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
    """Four times the examples: more of those that are held out, or more held out.

    Of few documents a larger share may be the same ones: about four, or else more text.
    """
    fraction = measures.run.setting("training.held_out_fraction", 0.01)
    most = measures.run.setting("training.num_evaluation_examples", 2000)
    if (measures.fact("evaluation_examples") or 0) >= most:
        return measures.again(f"training.num_evaluation_examples={4 * most}")
    documents = measures.fact("num_documents")
    few = _FEWEST_DOCUMENTS / documents if documents else 0.0
    larger = min(max(4 * fraction, few), _MOST)
    if larger <= fraction:
        return f"bertsmith doctor store {shlex.quote(measures.store)}"
    return measures.again(f"training.held_out_fraction={larger:.2g}")
