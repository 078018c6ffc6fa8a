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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from bertsmith._parallel import Workers, ordered_map
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


class _Files(NamedTuple):
    """Some source files of one package."""

    package: str
    root: Path
    paths: tuple[Path, ...]


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
    by_package: Counter[str] = Counter()
    total = 0

    def has_enough(package: str) -> bool:
        return by_package[package] > max_bytes // 4

    files = _source_files(has_enough)
    with progress("reading documentation", max_bytes, "bytes") as bar:
        for docstring in chain.from_iterable(ordered_map(_read, files, Workers(num_workers))):
            text = docstring.text.encode()
            digest = hashlib.sha256(text).digest()
            if digest in seen or has_enough(docstring.package):
                continue
            seen.add(digest)
            kept.append(docstring)
            by_package[docstring.package] += len(text)
            total = by_package.total()
            bar.reach(total)
            if total >= max_bytes:
                break
    if total < 200_000:
        raise CorpusError(
            f"only {total:,} bytes of documentation are installed here",
            fix="use your own text with bertsmith vocab, prepare and pretrain",
        )
    return kept


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


def _source_files(has_enough: Callable[[str], bool]) -> Iterator[_Files]:
    """All files, some at a time; a package that has given enough by then gives no more."""
    for package, root in _packages():
        files = _files_below(root)
        while chunk := tuple(islice(files, 20)):
            if has_enough(package):
                break
            yield _Files(package, root, chunk)


def _files_below(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith("test_"):
                yield Path(folder) / name


def _read(files: _Files) -> list[Docstring]:
    """The docstrings of some files; files that don't parse are passed over."""
    found = []
    for path in files.paths:
        try:
            if path.stat().st_size > _MAX_SOURCE_BYTES:
                continue
            source = path.read_text(encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        relative = os.path.relpath(path, files.root.parent)
        for name, docstring in _docstrings(tree, ""):
            prose = _prose(docstring)
            if len(prose) >= _MIN_CHARACTERS:
                found.append(Docstring(files.package, f"{relative}:{name}", prose))
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
