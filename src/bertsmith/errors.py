"""What a user can do wrong, as a small tree of exceptions.

Every message is one line that says what is wrong, where, and what to do about it. The command
line prints that line alone and exits with code 2. An exception that is not a `BertsmithError` is
a bug of ours: a traceback and exit code 1.
"""

import re
from pathlib import Path

__all__ = [
    "BertsmithError",
    "CheckpointError",
    "CorpusError",
    "DataError",
    "InputError",
    "ModelError",
    "RecipeError",
    "StoreError",
    "TrainingError",
    "VocabularyError",
    "WorkerError",
    "is_out_of_memory",
]

# What PyTorch says of memory, of a GPU's and of its own. It has one type of error for nearly all.
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory")


class BertsmithError(Exception):
    """A user's mistake, told in one line.

    Args:
        what: what is wrong, without a full stop.
        where: the file (with line or byte offset where known), setting or argument it is about.
        fix: what to do about it, as an imperative.

    Example:
        >>> print(BertsmithError("is empty", where="wiki.txt", fix="give a file with text"))
        wiki.txt: is empty; give a file with text
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str | Path | None = None, fix: str | None = None
    ) -> None:
        self.what, self.where, self.fix = what, where, fix
        line = f"{where}: {what}" if where is not None else what
        if fix is not None:
            line += f"; {fix}"
        super().__init__(" ".join(line.split()))


class CorpusError(BertsmithError):
    """Text that cannot be read: missing, empty, not UTF-8, a broken archive."""


class VocabularyError(BertsmithError):
    """A vocabulary without a special token, with duplicates, or unfit for the model."""


class StoreError(BertsmithError):
    """A token store that is missing, incomplete, damaged or of another vocabulary."""


class RecipeError(BertsmithError):
    """An unknown key or a bad value in a recipe or a setting."""


class ModelError(BertsmithError):
    """A model folder that is missing, incomplete or contradicts itself."""


class CheckpointError(BertsmithError):
    """A checkpoint that is damaged or belongs to another run."""


class DataError(BertsmithError):
    """A task's data: a row with too few columns, a label outside the label set."""


class InputError(BertsmithError):
    """Text or arguments handed to a model: too long, empty, without a `[MASK]`."""


class TrainingError(BertsmithError):
    """A run that cannot go on: the loss is no number, the run's folder is in use."""


class WorkerError(BertsmithError):
    """Worker processes or a cluster that die, or cannot be reached."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that Python or PyTorch can't get the memory that it wants.

    Args:
        error: any.

    Example:
        >>> is_out_of_memory(RuntimeError("CUDA out of memory")), is_out_of_memory(RuntimeError())
        (True, False)
    """
    is_of_pytorch = isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError) or is_of_pytorch
