import sys

import pytest

from bertsmith.demo import gather
from bertsmith.demo.gather import gather_docstrings
from bertsmith.errors import CorpusError

MODULE = '''"""Reads the configuration of a server from a file, and checks all values that it finds.

Values that are missing take their defaults; see :func:`~server.config.load` and ``load`` for more.

Example
-------
>>> load("server.toml")
Config(port=80)

The file is looked for in the current folder first, and then in the home folder of the user.
"""


class Config:
    """One configuration with all of its values, which can be compared, copied and written again.

    Two configurations are equal when all of their values are equal, defaults among them.
    """

    def short(self):
        """Too short."""


add_newdoc("array", """Makes an array from any object that has a shape, and copies what it holds.

    The array takes the type that the values need, and it owns the memory that it lies in.
    """)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "__init__.py").write_text(MODULE)
    (folder / "broken.py").write_text("def (:\n")
    (folder / "latin.py").write_bytes(b'"""caf\xe9"""\n')
    monkeypatch.setattr(gather, "_packages", lambda: [("server", folder)])
    return folder


def test_docstrings_become_prose(package):
    found = gather._read(gather._Files("server", package, (package / "__init__.py",)))
    assert {docstring.package for docstring in found} == {"server"}
    assert found[0].name == "server/__init__.py:module"
    texts = {docstring.name.rpartition(":")[2]: docstring.text for docstring in found}
    assert set(texts) == {"module", "Config", "add_newdoc-24"}
    assert ">>>" not in texts["module"]
    assert "port=80" not in texts["module"]
    assert "----" not in texts["module"]
    assert "see server.config.load and load for more" in texts["module"]
    assert texts["module"].count("\n\n") == 2
    assert texts["add_newdoc-24"].startswith("Makes an array")


def test_files_that_do_not_parse_are_passed_over(package):
    paths = (package / "broken.py", package / "latin.py")
    assert gather._read(gather._Files("server", package, paths)) == []


def test_a_package_that_has_given_enough_is_not_read_on(package):
    assert [len(files.paths) for files in gather._source_files(lambda name: False)] == [3]
    assert not list(gather._source_files(lambda name: name == "server"))


def test_too_little_text_is_told(package):
    with pytest.raises(CorpusError, match="bytes of documentation"):
        gather_docstrings(1_000_000, num_workers=1)


def test_this_machine_has_enough_and_gives_the_same_twice():
    first = gather_docstrings(400_000, num_workers=1)
    assert first == gather_docstrings(400_000, num_workers=2)
    assert len({document.text for document in first}) == len(first)
    by_package = {}
    for document in first:
        size = len(document.text.encode())
        by_package[document.package] = by_package.get(document.package, 0) + size
    assert sum(by_package.values()) >= 400_000
    assert len(by_package) >= 4
    assert not any(name.startswith("bertsmith") for name in sys.modules if name in by_package)
