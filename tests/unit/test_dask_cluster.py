"""The same work on a Dask cluster of this machine's own, with a worker killed on the way."""

import importlib
import json
import logging
import os
import signal
from contextlib import suppress

import pytest

from bertsmith._parallel import Workers, ordered_map
from bertsmith.cli.corpora import choose_workers
from bertsmith.corpus import open_corpus
from bertsmith.errors import WorkerError
from bertsmith.store import StoreSettings, write_store
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from store_content import content

distributed = pytest.importorskip("distributed")

# The cluster's processes leave sockets and event loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster():
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


class KillOnce:
    """Kills the worker that has the seventh task, once."""

    def __init__(self, life):
        self.life = life

    def __call__(self, number):
        if number == 7 and self.life.exists():
            self.life.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number


def test_results_come_in_order_though_a_worker_is_killed(cluster, tmp_path):
    (tmp_path / "life").touch()
    job = KillOnce(tmp_path / "life")
    results = ordered_map(job, range(40), Workers(dask=cluster.scheduler_address))
    assert list(results) == [number * number for number in range(40)]
    assert not (tmp_path / "life").exists()


def test_a_cluster_with_a_killed_worker_makes_the_same_store(cluster, tmp_path, monkeypatch):
    texts = [f"Rain fell on day {n}. It stopped at {n % 7}." for n in range(4000)]
    lines = (json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "a.jsonl").write_text("".join(lines))
    tokenizer = Tokenizer(learn_vocabulary(texts, size=100))
    settings = StoreSettings(shard_tokens=10_000, chunk_chars=5_000)
    write_store(open_corpus(tmp_path / "a.jsonl"), tokenizer, tmp_path / "one", settings=settings)

    pids = [worker.pid for worker in cluster.workers.values()]
    corpus = open_corpus(tmp_path / "a.jsonl")
    whole = corpus.read

    def read_and_kill(start=None):
        for number, document in enumerate(whole(start)):
            if number == 1500:
                os.kill(pids[0], signal.SIGKILL)
            yield document

    monkeypatch.setattr(corpus, "read", read_and_kill)
    workers = Workers(dask=cluster.scheduler_address)
    write_store(corpus, tokenizer, tmp_path / "two", settings=settings, workers=workers)
    assert len(content(tmp_path / "one")) > 5
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert pids[0] not in [worker.pid for worker in cluster.workers.values()]


def test_an_unknown_kind_of_address_is_told_before_a_client_is_made(monkeypatch):
    """One that fails would tell of it again, in a traceback, when it is freed."""
    from bertsmith import _dask

    monkeypatch.setattr(_dask, "Client", None)
    with pytest.raises(WorkerError, match="unknown address scheme 'nonsense'"):
        _dask.connect("nonsense://1:2")


def test_an_address_where_nobody_answers_is_told():
    with pytest.raises(WorkerError, match="--dask nonsense://1: no Dask scheduler answers"):
        list(ordered_map(abs, [1], Workers(dask="nonsense://1")))


class Foreign:
    """Cannot be unpickled, as where bertsmith isn't installed."""

    def __call__(self, number):
        return number

    def __reduce__(self):
        return importlib.import_module, ("no_such_module",)


def test_workers_that_lack_what_the_job_needs_are_told(cluster):
    with pytest.raises(
        WorkerError,
        match=r"the workers cannot take the job \(.*no_such_module.*\); install the same",
    ):
        list(ordered_map(Foreign(), [1], Workers(dask=cluster.scheduler_address)))


def test_workers_of_another_version_are_refused(cluster, monkeypatch):
    from bertsmith import _dask

    here = _dask.versions()
    monkeypatch.setattr(_dask, "versions", lambda: {**here, "sentencex": "0.0"})
    with pytest.raises(WorkerError, match=r"has sentencex .+, and this machine 0\.0; install"):
        list(ordered_map(abs, [-1], Workers(dask=cluster.scheduler_address)))


@pytest.mark.parametrize("job", [abs, Foreign()])
def test_nothing_stays_in_the_workers(cluster, job):
    with suppress(WorkerError):
        list(ordered_map(job, [-1, 2], Workers(dask=cluster.scheduler_address)))
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        plugins = client.run(lambda dask_worker: list(dask_worker.plugins))
    assert not [name for names in plugins.values() for name in names if "bertsmith" in name]


def test_a_command_lets_dask_log_no_lost_connections():
    """They come with tracebacks, beside the one line that tells what happened."""
    names = [n for n in logging.root.manager.loggerDict if n.startswith(("distributed", "tornado"))]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        choose_workers(None, "tcp://localhost:1")
        for name in ("distributed.client", "distributed.comm.tcp", "tornado.application"):
            assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
