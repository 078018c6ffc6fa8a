"""Worker processes that start before the command, where there will be work for them."""

import multiprocessing

import pytest

from bertsmith._parallel import LITTLE_BYTES, num_processors
from bertsmith.cli.early_workers import starts_workers_early


@starts_workers_early("time")
def command(**values):
    values["seen"].append(len(multiprocessing.active_children()))


def num_started(corpus, workers=None, dask=None):
    seen = []
    command(corpus=corpus, workers=workers, dask=dask, seen=seen)
    assert not multiprocessing.active_children()
    return seen[0]


def test_as_many_start_as_were_asked_for(tmp_path):
    numbers = [num_started([str(tmp_path)], workers=number) for number in (-1, 0, 1, 2, 3)]
    assert numbers == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("corpus", ["-", "hf://owner/name", "no\0file", "absent.txt", "*.txt"])
def test_none_start_unasked_where_there_may_be_little_text(corpus):
    assert num_started([corpus]) == 0


def test_they_start_unasked_for_a_large_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(bytes(LITTLE_BYTES - 1))
    assert num_started([str(tmp_path / "a.txt")]) == 0
    (tmp_path / "a.txt").write_bytes(bytes(LITTLE_BYTES))
    assert num_started(["absent.txt", str(tmp_path / "a.txt")]) == num_processors() - 1


def test_none_start_here_for_a_cluster(tmp_path):
    assert num_started([str(tmp_path)], workers=2, dask="tcp://localhost:1") == 0
