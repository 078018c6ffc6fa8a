"""What held-out scores are called on a page."""

from collections.abc import Sequence

from bertsmith.training import RunLog

__all__ = ["pairs_title", "score_label"]

_LABELS = {
    "mlm_loss": "held-out MLM loss, nats",
    "mlm_accuracy": "held-out MLM accuracy",
    "nsp_loss": "held-out {pairs} loss, nats",
    "nsp_accuracy": "held-out {pairs} accuracy",
    "ltr_loss": "held-out left-to-right loss, nats",
    "ltr_accuracy": "held-out left-to-right accuracy",
    "unigram_loss": "loss without context, nats",
    "unigram_accuracy": "accuracy without context",
    "majority_accuracy": "the more frequent label of pairs",
}


def score_label(name: str, runs: Sequence[RunLog]) -> str:
    """What a score is called beside its number.

    Args:
        name: its name in the log, such as "mlm_loss".
        runs: those whose score it is.
    """
    pairs = {"random": "NSP", "order": "sentence order"}
    return _LABELS.get(name, name).format(pairs=" or ".join(pairs[kind] for kind in _kinds(runs)))


def pairs_title(runs: Sequence[RunLog]) -> str:
    """What the pairs of runs are about, as a title."""
    titles = {"random": "Next sentence", "order": "Sentence order"}
    return " or ".join(titles[kind] for kind in _kinds(runs))


def _kinds(runs: Sequence[RunLog]) -> list[str]:
    """What label 1 of a pair means in each run; the log's names are the same for both."""
    told = {run.setting("examples.pair_labels", "random") for run in runs if run.is_pretraining}
    return [kind for kind in ("random", "order") if kind in (told or {"random"})]
