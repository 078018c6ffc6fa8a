"""A store in the making: finished shards and a journal of them, so that a stopped run goes on."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bertsmith._files import atomic_file, locked, sha256_of_file, sync
from bertsmith._words import counted
from bertsmith.corpus import CorpusPosition
from bertsmith.errors import StoreError
from bertsmith.store.job import FinishedShard, StoreJob
from bertsmith.store.manifest import Shard

__all__ = ["WorkFolder", "open_work_folder"]


@dataclass
class WorkFolder:
    """The folder beside a store in which it is made.

    Attributes:
        path: `.NAME.partial`, with the journal and the lock.
        finished: the shards that are done, in order.
        is_in_store: whether an earlier run of the job was stopped after it had added its shards to
            the store, so that there is nothing to do.
    """

    path: Path
    finished: list[FinishedShard] = field(default_factory=list)
    is_in_store: bool = False

    @property
    def content(self) -> Path:
        """The folder that becomes the store."""
        return self.path / "content"

    @property
    def findings(self) -> Path:
        """The file for what a survey of the corpus found."""
        return self.path / "findings"

    @property
    def replaced(self) -> Path:
        """The store that stood there before, while the new one takes its place."""
        return self.path / "replaced"

    @property
    def shards(self) -> list[Shard]:
        """The finished shards that hold something."""
        return [entry.shard for entry in self.finished if entry.shard is not None]

    @property
    def is_complete(self) -> bool:
        """Whether the corpus was read to its end."""
        return bool(self.finished) and self.finished[-1].is_last

    @property
    def end(self) -> CorpusPosition | None:
        """Where the corpus goes on."""
        return self.finished[-1].end if self.finished else None

    @property
    def totals(self) -> Counter[str]:
        """Sums over all documents that are done."""
        return Counter(self.finished[-1].totals if self.finished else {})

    @property
    def counts(self) -> Counter[str]:
        """What was taken out of the documents that are done."""
        return Counter(self.finished[-1].counts if self.finished else {})

    def add(self, entry: FinishedShard) -> None:
        """Writes down that a shard is done; from then on it is never made again."""
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(entry.to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.finished.append(entry)

    def start(self, job: StoreJob, *, discard: bool = False) -> None:
        """Takes up what an earlier run of the same job finished, and clears away the rest.

        Args:
            job: what is to be made.
            discard: whether finished shards of another job may be cleared away.

        Raises:
            StoreError: there are some, and they may not.
        """
        before = self._job_before()
        if before is not None and self._was_added(before, job):
            self.is_in_store = True
            return
        if before is not None and before.goes_on_in(job):
            self.finished = self._usable(before, job)
        if not self.finished:
            if before is not None and before.files is not None and not discard:
                self._refuse_to_clear(before, job)
            self._clear()
        self.content.mkdir(exist_ok=True)
        kept = {shard.name for shard in self.shards}
        for file in self.content.iterdir():
            if file.name not in kept:
                file.unlink()
        _write(self._journal, "".join(f"{entry.to_json()}\n" for entry in self.finished))
        _write(self._job, json.dumps(asdict(job)))
        sync(self.path)

    @property
    def _journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def _job(self) -> Path:
        return self.path / "job.json"

    def _job_before(self) -> StoreJob | None:
        try:
            return StoreJob(**json.loads(self._job.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _refuse_to_clear(self, before: StoreJob, job: StoreJob) -> None:
        """Finished shards are work that isn't thrown away because an option was mistyped."""
        done = [entry.shard for entry in self._entries() if entry.shard is not None]
        if any(self._is_whole(shard) for shard in done):
            # Beside --append there is no --overwrite: it would mean the store.
            is_new = job.settings["append_to"] is None
            anew = "give --overwrite" if is_new else "remove the folder"
            shards = counted(len(done), "finished shard")
            raise StoreError(
                f"holds {shards} of a run with {before.difference(job)}",
                where=self.path,
                fix=f"run that command again to go on, or {anew} to begin anew",
            )

    def _clear(self) -> None:
        shutil.rmtree(self.content, ignore_errors=True)
        self.findings.unlink(missing_ok=True)
        self.finished = []

    def _usable(self, before: StoreJob, job: StoreJob) -> list[FinishedShard]:
        """The shards of the journal that the job would make again just so."""
        usable = list[FinishedShard]()
        for entry in self._entries():
            # The file at which the corpus goes on counts only if some of it was read.
            num_files = entry.end.file + (entry.end.document > 0)
            same_files = before.has_same_files(job, None if entry.is_last else num_files)
            if not same_files or not self._is_whole(entry.shard):
                break
            usable.append(entry)
        return usable

    def _entries(self) -> Iterator[FinishedShard]:
        """The lines of the journal, up to one that isn't whole."""
        try:
            lines = self._journal.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return
        for line in lines:
            try:
                yield FinishedShard.from_json(line)
            except ValueError:
                return

    def _was_added(self, before: StoreJob, job: StoreJob) -> bool:
        """Whether the store now is the one before and all that the same job finished."""
        state, state_before = job.settings["append_to"], before.settings.get("append_to")
        entries = list(self._entries())
        if state is None or state_before is None or not entries or not entries[-1].is_last:
            return False
        added = [entry.shard.sha256 for entry in entries if entry.shard is not None]
        same = replace(job, settings={**job.settings, "append_to": state_before})
        same_text = before.goes_on_in(same) and before.has_same_files(job, None)
        return same_text and state == [*state_before, *added]

    def _is_whole(self, shard: Shard | None) -> bool:
        if shard is None:
            return True
        path = self.content / shard.name
        return path.is_file() and sha256_of_file(path) == shard.sha256


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def open_work_folder(store: Path, job: StoreJob, *, discard: bool = False) -> Iterator[WorkFolder]:
    """Opens the work folder of a store, for this process alone.

    It stays where the body raises and something was finished, so that the next run goes on; where
    the body has moved its content away and returns, it is removed. A run that was killed between
    moving the old store away and the new one in left none: the old one is put back.

    Args:
        store: the folder that the store will have.
        job: what is to be made.
        discard: whether finished shards of another job may be cleared away.

    Raises:
        StoreError: another process is making this store, or another job has begun one here.
    """
    path = store.parent / f".{store.name}.partial"
    path.mkdir(parents=True, exist_ok=True)
    with locked(path / "lock") as is_ours:
        if not is_ours:
            raise StoreError(
                "another process is making this store",
                where=store,
                fix="wait for it, or name another folder",
            )
        folder = WorkFolder(path)
        if folder.replaced.exists() and not store.exists():
            folder.replaced.replace(store)
        shutil.rmtree(folder.replaced, ignore_errors=True)
        folder.start(job, discard=discard)
        try:
            yield folder
        except BaseException:
            if job.files is not None and (folder.shards or folder.findings.exists()):
                raise
            shutil.rmtree(path, ignore_errors=True)
            raise
        shutil.rmtree(path, ignore_errors=True)
