"""Which files a scoring reads, and which it writes predictions into."""

from pathlib import Path
from typing import Any

from bertsmith.tasks.base import Task
from bertsmith.tasks.data.splits import files_of_split

__all__ = ["data_files", "prediction_files"]


def prediction_files(
    task: Task[Any, Any, Any], data: Path, split: str, path: Path | None
) -> dict[str, Path | None]:
    """The splits that are scored, and the file that the predictions of each go into.

    Args:
        task: whose data it is.
        data: a folder, or a file.
        split: what the user asked for; "dev" is every dev set that there is.
        path: the first one's file; those of the others have the split behind the name. None where
            predictions aren't written.

    Example:
        >>> from bertsmith.tasks import get_task
        >>> prediction_files(get_task("sst2"), Path("SST-2"), "dev", Path("out.jsonl"))
        {'dev': PosixPath('out.jsonl')}
    """
    splits = task.dev_splits_in(data) if split == "dev" else (split,)
    if path is None:
        return dict.fromkeys(splits)
    further = {name: path.with_stem(f"{path.stem}-{name}") for name in splits[1:]}
    return {splits[0]: path, **further}


def data_files(task: Task[Any, Any, Any], data: Path, split: str) -> list[Path]:
    """The files that a split is read from; none where reading it is refused.

    Args:
        task: whose data it is.
        data: a folder, or a file.
        split: one of the task's, or "all".
    """
    if data.is_file():
        return [data]
    known = {"train", "dev", "test", *task.dev_splits, *task.test_splits}
    if split not in known or not data.is_dir():
        return []
    if split in ("dev", "test"):
        split = (task.dev_splits if split == "dev" else task.test_splits)[0]
    found = _files(task, data, split)
    # Where a folder has no dev file, dev is a part of train.
    return found or (_files(task, data, "train") if split == task.dev_splits[0] else [])


def _files(task: Task[Any, Any, Any], folder: Path, split: str) -> list[Path]:
    return files_of_split(folder, split, task.extensions, task.extra_stems.get(split, ()))
