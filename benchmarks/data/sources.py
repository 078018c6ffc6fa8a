"""The texts that the benchmarks run on, and the reference implementations."""

import importlib.util
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import zstandard

__all__ = ["Sources", "google_module", "lines_of", "records_of"]


@dataclass(frozen=True)
class Sources:
    """Where things are.

    Attributes:
        data: folder with `pretrain/*.jsonl.zst`, `pretrain/*.xml.bz2` and `vocab/*.txt`.
        google: a checkout of google-research/bert, or None.
        work: a folder for what is made on the way.
        rounds: how often speeds are measured; the median counts.
    """

    data: Path
    google: Path | None
    work: Path
    rounds: int

    def text(self, name: str) -> Path:
        """A corpus."""
        return self.data / "pretrain" / f"{name}.jsonl.zst"

    def vocabulary(self, name: str) -> Path:
        """One of Google's vocabularies: uncased_en, cased_en, zh."""
        return self.data / "vocab" / f"google_{name}_vocab.txt"


def records_of(path: Path) -> Iterator[str]:
    """The texts of a `.jsonl.zst`."""
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            yield json.loads(line)["text"]


def lines_of(path: Path, num_bytes: int) -> list[str]:
    """The first paragraphs of a corpus, about so many bytes."""
    lines, size = list[str](), 0
    for text in records_of(path):
        for line in text.splitlines():
            if line.strip():
                lines.append(line)
                size += len(line.encode())
        if size >= num_bytes:
            break
    return lines


def google_module(checkout: Path, name: str) -> ModuleType:
    """Imports one of google-research/bert's modules.

    TensorFlow and six are stood in for: what is timed is plain Python, and uses them for flags,
    files and the version of Python alone.
    """
    tensorflow = ModuleType("tensorflow")

    def ignore(*_: object) -> None: ...

    names = ("string", "bool", "integer", "float")
    flags = SimpleNamespace(FLAGS=SimpleNamespace(do_whole_word_mask=False))
    vars(flags).update({f"DEFINE_{name}": ignore for name in names})
    vars(tensorflow).update(
        flags=flags,
        logging=SimpleNamespace(info=ignore),
        gfile=SimpleNamespace(GFile=open),
    )
    six = ModuleType("six")
    vars(six).update(PY2=False, PY3=True)
    sys.modules.setdefault("tensorflow", tensorflow)
    sys.modules.setdefault("six", six)
    if name != "tokenization":
        google_module(checkout, "tokenization")
    spec = importlib.util.spec_from_file_location(name, checkout / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(checkout / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
