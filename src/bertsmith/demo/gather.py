"""A corpus from documentation that is on the machine: docstrings, read without running code.

Every module, class and function with a docstring of some length is one document; its package is
its label in the demo's classification task.
"""

import ast
import hashlib
import inspect
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from bertsmith._progress import progress
from bertsmith.errors import CorpusError

__all__ = ["Docstring", "gather_docstrings"]

# Big, well-written packages first, so that the same text is taken wherever they are installed.
_PREFERRED = ("python", "numpy", "torch", "scipy", "sklearn", "pandas", "matplotlib", "pyarrow")
_MAX_SOURCE_BYTES = 1_500_000
_MIN_CHARACTERS = 160
_SKIPPED_FOLDERS = {"tests", "test", "testing", "__pycache__", "_vendor", "vendor", "site-packages"}
_DOC_CALLS = {"add_newdoc", "add_docstr", "add_docstr_all", "_add_docstr"}


@dataclass(frozen=True)
class Docstring:
    """One object's documentation.

    Attributes:
        package: the top-level package, "python" for the standard library.
        name: file and object, as in `json/decoder.py:JSONDecoder.decode`.
        text: prose alone; paragraphs are separated by blank lines.
    """

    package: str
    name: str
    text: str


def gather_docstrings(max_bytes: int, *, num_workers: int | None = None) -> list[Docstring]:
    """Collects documentation of the standard library and of installed packages.

    No package gives more than a quarter of the whole, so that no single style rules. The same
    machine gives the same text in the same order, for any number of workers.

    Args:
        max_bytes: UTF-8 bytes of text to stop at.
        num_workers: processes that parse; default: one a core.

    Raises:
        CorpusError: there is too little documentation on this machine.
    """
    kept: list[Docstring] = []
    seen: set[bytes] = set()
    by_package: dict[str, int] = {}
    total = 0
    with (
        _pool(num_workers or os.cpu_count() or 1) as pool,
        progress("reading documentation", max_bytes, "bytes") as bar,
    ):
        for docstring in _all_docstrings(pool):
            bar.reach(total)
            digest = hashlib.sha256(docstring.text.encode()).digest()
            used = by_package.get(docstring.package, 0)
            if digest in seen or used > max_bytes // 4:
                continue
            seen.add(digest)
            size = len(docstring.text.encode())
            by_package[docstring.package] = used + size
            kept.append(docstring)
            total += size
            if total >= max_bytes:
                break
    if total < 200_000:
        raise CorpusError(
            f"only {total:,} bytes of documentation are installed here",
            fix="use your own text with bertsmith vocab, prepare and pretrain",
        )
    return kept


@contextmanager
def _pool(num_workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that do no more than they have begun when nobody wants the rest, or at a stop."""
    with ProcessPoolExecutor(num_workers, get_context("forkserver")) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _all_docstrings(pool: ProcessPoolExecutor) -> Iterator[Docstring]:
    for package, root in _packages():
        files = [str(file) for file in _source_files(root)]
        chunks = [files[start : start + 40] for start in range(0, len(files), 40)]
        for found in pool.map(_read_files, chunks):
            for name, text in found:
                relative = os.path.relpath(name.rpartition(":")[0], root.parent)
                yield Docstring(package, f"{relative}:{name.rpartition(':')[2]}", text)


def _packages() -> list[tuple[str, Path]]:
    """The standard library and every installed package, preferred ones first."""
    paths = sysconfig.get_paths()
    packages = {"python": Path(paths["stdlib"])}
    for site in sorted({paths["purelib"], paths["platlib"]}):
        for folder in sorted(Path(site).iterdir()):
            if (folder / "__init__.py").is_file() and not folder.name.startswith("_"):
                packages.setdefault(folder.name, folder)
    first = [name for name in _PREFERRED if name in packages]
    rest = [name for name in packages if name not in first and name != "bertsmith"]
    return [(name, packages[name]) for name in [*first, *rest]]


def _source_files(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith("test_"):
                yield Path(folder) / name


def _read_files(files: Sequence[str]) -> list[tuple[str, str]]:
    """Docstrings of some files as (file:object, prose); files that don't parse are passed over."""
    found = []
    for file in files:
        try:
            if Path(file).stat().st_size > _MAX_SOURCE_BYTES:
                continue
            source = Path(file).read_text(encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for name, docstring in _docstrings(tree, ""):
            prose = _prose(docstring)
            if len(prose) >= _MIN_CHARACTERS:
                found.append((f"{file}:{name}", prose))
    return found


def _docstrings(node: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node, clean=True)
        if docstring:
            yield prefix or "module", docstring
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(child, f"{prefix}.{child.name}" if prefix else child.name)
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _docs_given_by_call(child.value)


def _docs_given_by_call(call: ast.Call) -> Iterator[tuple[str, str]]:
    """Extension types get their docstrings through calls such as numpy's `add_newdoc`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _DOC_CALLS:
        return
    for node in ast.walk(call):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield f"{name}-{node.lineno}", inspect.cleandoc(node.value)


_NOT_PROSE = re.compile(r"^\s*(>>>|\.\.\.|\.\. |:[a-z]+:|[-=~^*`#+|]{3,}|\$|@|%|\{|\})")
_MARKUP = re.compile(r":[a-zA-Z:+_-]+:`~?\.?([^`<]*)(?:<[^`>]*>)?`")


def _prose(docstring: str) -> str:
    """Drops code, prompts, rules and table lines; keeps paragraphs of words."""
    paragraphs: list[str] = []
    lines: list[str] = []
    in_example = False
    for line in [*docstring.expandtabs().splitlines(), ""]:
        text = _MARKUP.sub(r"\1", line).replace("``", "").replace("`", "").strip()
        in_example = (in_example or line.lstrip().startswith(">>>")) and bool(text)
        if text and not in_example and not _NOT_PROSE.match(line):
            lines.append(text)
        elif lines:
            paragraphs.append(" ".join(lines))
            lines = []
    return "\n\n".join(p for p in paragraphs if _is_prose(p))


def _is_prose(paragraph: str) -> bool:
    words = paragraph.split()
    letters = sum(character.isalpha() or character == " " for character in paragraph)
    return len(words) >= 4 and letters / len(paragraph) > 0.8
