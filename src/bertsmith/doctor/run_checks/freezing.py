"""Layers that are frozen as they were drawn."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Finding
from bertsmith.doctor.run_measures import RunMeasures

__all__ = ["check"]


def check(measures: RunMeasures) -> Iterator[Finding]:
    """Finds fresh weights that aren't trained."""
    number = measures.run.setting("training.freeze_layers")
    if number is None or not measures.has_fresh_layers:
        return
    named = {0: "", 1: " and the lowest layer"}
    layers = named.get(number, f" and the lowest {number} layers")
    yield Finding(
        "frozen_noise",
        "problem",
        f"the embeddings{layers} are frozen, as they were drawn",
        number,
        0,
        effect="Whatever the text says has to get through weights that are chance and stay so. "
        "Freezing is for weights that another run has trained.",
        remedy="Train all layers, or start from a model that knows something.",
        command=measures.again(),
    )
