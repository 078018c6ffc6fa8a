"""Whole or absent, whatever happens in between."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bertsmith._files import atomic_file, atomic_folder, is_store, tidy
from unprivileged import unprivileged


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "data").write_text("old")
    return folder


def test_a_new_folder_takes_the_place_of_the_old_one(old):
    with atomic_folder(old) as temporary:
        (temporary / "data").write_text("new")
        assert (old / "data").read_text() == "old"
    assert (old / "data").read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_body_changes_nothing(old, error):
    with pytest.raises(error), atomic_folder(old) as temporary:  # noqa: PT012
        (temporary / "data").write_text("half")
        raise error
    with pytest.raises(error), atomic_file(old / "data") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert (old / "data").read_text() == "old"
    assert [path.name for path in old.parent.rglob("*")] == ["store", "data"]


def test_an_interruption_between_the_two_renames_brings_the_old_folder_back(old, monkeypatch):
    original = Path.replace

    def stop_at_the_new_one(self, target):
        if self.suffix == ".tmp":
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(Path, "replace", stop_at_the_new_one)
    with pytest.raises(KeyboardInterrupt), atomic_folder(old) as temporary:
        (temporary / "data").write_text("new")
    assert (old / "data").read_text() == "old"


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from bertsmith import _files

where, path = sys.argv[1], Path(sys.argv[2])
replace = Path.replace

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def replace_or_kill(self, target):
    kill() if self.suffix == ".tmp" else replace(self, target)

if where == "between":
    Path.replace = replace_or_kill
else:
    _files.shutil.rmtree = kill
with _files.atomic_folder(path) as temporary:
    (temporary / "data").write_text("new")
"""


@pytest.mark.parametrize(("where", "content"), [("between", "old"), ("behind", "new")])
def test_killed_where_the_folder_is_replaced(old, where, content):
    script = [sys.executable, "-c", KILLED, where, str(old)]
    assert subprocess.run(script, check=False).returncode == -signal.SIGKILL
    assert any(path.suffix == ".old" for path in old.parent.iterdir())
    assert old.exists() == (where == "behind")
    tidy(old.parent)
    assert (old / "data").read_text() == content
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it without setting it")
def test_nobody_elses_files_get_other_permissions_meanwhile(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "umask", asked.append)
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("text")
    assert not asked


def test_a_file_has_the_usual_permissions(tmp_path):
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("text")
    (tmp_path / "b").write_text("text")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("named", [None, "other"])
def test_an_error_without_a_name_names_the_file(old, named):
    """As a full disk's: `write` knows no names."""
    full = OSError(errno.ENOSPC, "No space left on device", named)
    with pytest.raises(OSError, match="No space left") as caught, atomic_file(old / "data"):
        raise full
    assert caught.value.filename == (named or str(old / "data"))
    assert list(old.iterdir()) == [old / "data"]


def test_a_folder_that_may_not_be_looked_into_is_no_store(tmp_path):
    (tmp_path / "closed").mkdir(0o000)
    with unprivileged(tmp_path):
        assert not is_store(Path("closed"))
