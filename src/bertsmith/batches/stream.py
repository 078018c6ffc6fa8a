"""The endless row of examples: epoch after epoch, each in its own order."""

import hashlib
from collections import OrderedDict
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import CheckpointError
from bertsmith.examples import (
    ExampleSettings,
    PackedExamples,
    PairPlan,
    TokenSource,
    build_examples,
    epoch_order,
    plan_epoch,
)

__all__ = ["ExampleStream"]

# The current epoch and the one that a batch may run on into.
_PLANS_KEPT = 2


class ExampleStream:
    """Example number `n` of the stream, for any n: a pure function of store, settings and seed.

    Epoch 0 comes first, in its shuffled order, then epoch 1, and so on. Cut anew, an epoch has a
    few examples more or fewer than epoch 0 (some tenths of a percent). In the stream all have as
    many as epoch 0: what is left over at the end of the shuffled order is dropped, what is missing
    is taken from its start again. So where an epoch begins is known without planning those before
    it, and any step is found at once.

    Args:
        source: the token store.
        documents: ids of the documents to use.
        settings: how examples are made.
        seed: the run's seed.
    """

    def __init__(
        self,
        source: TokenSource,
        documents: NDArray[np.int64],
        settings: ExampleSettings,
        seed: int,
    ) -> None:
        self.source, self.documents = source, np.asarray(documents, dtype=np.int64)
        self.settings, self.seed = settings, seed
        self._epoch_length: int | None = None
        self._plans: OrderedDict[int, tuple[PairPlan, NDArray[np.int64]]] = OrderedDict()
        self._lock = Lock()

    def locate(self, first: int, count: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Returns where examples `first` up to `first + count` come from.

        Returns:
            (epoch, indices into that epoch's plan), for each epoch that the range touches.
        """
        parts = []
        with self._lock:
            length = self._length()
            while count > 0:
                epoch, offset = divmod(first, length)
                taken = min(count, length - offset)
                _, order = self._plan(epoch)
                parts.append((epoch, order[np.arange(offset, offset + taken) % len(order)]))
                first, count = first + taken, count - taken
        return parts

    @property
    def epoch_length(self) -> int:
        """Examples of an epoch."""
        with self._lock:
            return self._length()

    def build(self, first: int, count: int) -> PackedExamples:
        """Builds examples `first` up to `first + count`, at least one."""
        parts = []
        for epoch, indices in self.locate(first, count):
            with self._lock:
                plan, _ = self._plan(epoch)
            parts.append(build_examples(self.source, plan, indices))
        return PackedExamples.concatenate(parts)

    def state(self) -> dict[str, Any]:
        """What a run that goes on later need not compute again; plain JSON values."""
        with self._lock:
            return {"fingerprint": self._fingerprint, "epoch_length": self._length()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` returned.

        Raises:
            CheckpointError: it comes from other documents, settings or another seed.
        """
        if state.get("fingerprint") != self._fingerprint or "epoch_length" not in state:
            raise CheckpointError(
                "the position is of other data, example settings or another seed",
                fix="resume with the store and recipe that the run was started with",
            )
        with self._lock:
            self._epoch_length = int(state["epoch_length"])

    def _length(self) -> int:
        """Examples of an epoch."""
        if self._epoch_length is None:
            self._epoch_length = len(self._plan(0)[0])
        return self._epoch_length

    def _plan(self, epoch: int) -> tuple[PairPlan, NDArray[np.int64]]:
        if epoch not in self._plans:
            plan = plan_epoch(self.source, self.documents, self.settings, self.seed, epoch)
            self._plans[epoch] = plan, epoch_order(len(plan), self.seed, epoch)
            while len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        self._plans.move_to_end(epoch)
        return self._plans[epoch]

    @cached_property
    def _fingerprint(self) -> str:
        """Hash of everything that epoch lengths follow from."""
        digest = hashlib.sha256(self.settings.model_dump_json().encode())
        digest.update(f" {self.seed} {len(self.source.vocabulary)} ".encode())
        for array in (self.documents, self.source.document_offsets, self.source.sentence_offsets):
            digest.update(np.asarray(array, dtype=np.int64).tobytes())
        return digest.hexdigest()
