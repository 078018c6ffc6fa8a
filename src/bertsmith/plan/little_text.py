"""What little text allows: batches that an epoch has several of."""

import math

from bertsmith._words import counted
from bertsmith.errors import RecipeError
from bertsmith.plan.corpus import PlannedCorpus

__all__ = ["batch_of_little", "epoch_examples", "require_text"]

# Updates of an epoch, at least: with fewer, batches are so alike that they teach the same.
_FEWEST_AN_EPOCH = 8


def batch_of_little(batch: int, num_examples: int, num_devices: int) -> int:
    """The batch, halved while an epoch would have too few updates.

    Args:
        batch: what it would be with more text, in sequences.
        num_examples: examples of an epoch.
        num_devices: what the batch is rounded up to a multiple of.

    Example:
        >>> batch_of_little(256, 26, num_devices=1), batch_of_little(256, 26, num_devices=3)
        (2, 3)
    """
    while batch > 1 and batch * _FEWEST_AN_EPOCH > num_examples:
        batch //= 2
    return math.ceil(batch / num_devices) * num_devices


def epoch_examples(corpus: PlannedCorpus, length: int) -> int:
    """Examples of an epoch at a length of 128 or 512."""
    return int(corpus.epoch_tokens / corpus.mean_lengths[length])


def require_text(corpus: PlannedCorpus, length: int, num_devices: int) -> None:
    """Refuses a text that hasn't an example for each device.

    Raises:
        RecipeError: it is so little.
    """
    examples = epoch_examples(corpus, length)
    if examples < num_devices:
        devices = f"fewer than the {num_devices} devices" if num_devices > 1 else "not even one"
        raise RecipeError(
            f"so little text is {counted(examples, 'example')} an epoch, {devices}",
            where=corpus.name,
            fix="give more text" if num_devices == 1 else "give more text, or fewer --gpus",
        )
