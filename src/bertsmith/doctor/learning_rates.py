"""Which peak learning rates training bears, by the kind of run and the size of its model."""

from bertsmith.model import SIZES
from bertsmith.training import RunLog

__all__ = ["hidden_size", "highest_adam_rate", "highest_rate", "sound_rate"]

# Peak rates of AdamW over which fresh models of a hidden size rarely train.
_HIGHEST = ((768, 4e-4), (512, 1.5e-3), (256, 4e-3), (0, 8e-3))
# LAMB's are shares of the weights themselves; its paper goes up to 0.007 for large.
_HIGHEST_OF_LAMB = 2e-2
# Fine-tuning, by the number of parameters: over which it rarely learns anything, and what the
# recipes default and small take. The paper's grid is 2e-5 to 5e-5, for base and large.
_OF_TUNING = ((30_000_000, 2e-4, 3e-5), (0, 5e-3, 3e-4))
_OF_TUNING_ANY = (5e-3, 3e-5)


def hidden_size(run: RunLog) -> int:
    """The hidden size that the recipe of a pre-training run gives."""
    size = SIZES.get(str(run.setting("model.size", "base")), SIZES["base"])
    return int(run.setting("model.hidden_size") or size[1])


def highest_adam_rate(hidden_size: int) -> float:
    """The peak rate of AdamW over which fresh models of a hidden size rarely train.

    Example:
        >>> highest_adam_rate(768), highest_adam_rate(128)
        (0.0004, 0.008)
    """
    return next(rate for least, rate in _HIGHEST if hidden_size >= least)


def highest_rate(run: RunLog) -> float:
    """The peak learning rate over which such a run rarely learns anything."""
    if not run.is_pretraining:
        return _of_tuning(run)[0]
    if run.setting("training.optimizer") == "lamb":
        return _HIGHEST_OF_LAMB
    return highest_adam_rate(hidden_size(run))


def sound_rate(run: RunLog) -> float:
    """A peak learning rate with which such a run mostly learns, whatever it has now."""
    return highest_rate(run) / 4 if run.is_pretraining else _of_tuning(run)[1]


def _of_tuning(run: RunLog) -> tuple[float, float]:
    """The highest rate and a sound one, for a model of the size that the log tells."""
    size = run.facts.get("num_parameters")
    if size is None:
        return _OF_TUNING_ANY
    return next((highest, sound) for least, highest, sound in _OF_TUNING if size >= least)
