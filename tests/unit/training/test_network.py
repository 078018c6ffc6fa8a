"""Which network the machines of a run use, and whether all reach all."""

import os
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import HashStore

from bertsmith.errors import WorkerError
from bertsmith.training.network import Machine, choose_network, notice_lost_machines
from ranks_runs import free_port

LOOPBACK = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("GLOO_SOCKET_IFNAME", "GROUP_RANK", "GROUP_WORLD_SIZE"):
        monkeypatch.setenv(name, "")  # so that what is set meanwhile is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    return monkeypatch


@pytest.fixture
def store():
    store = HashStore()
    store.set_timeout(timedelta(seconds=20))
    return store


def machines(total):
    return [Machine(number, total) for number in range(total)]


def tell(store, number, port, fault=""):
    """What another machine would tell."""
    store.set(f"address/{number}", "127.0.0.1")
    store.set(f"port/{number}", f"127.0.0.1 {port} node{number}")
    store.set(f"fault/{number}", fault)


def test_torchrun_says_which_machine_it_is(environment):
    assert Machine.of(5, 8) == Machine(5, 8)
    environment.setenv("GROUP_RANK", "1")
    environment.setenv("GROUP_WORLD_SIZE", "2")
    assert Machine.of(5, 8) == Machine(1, 2)


def test_one_machine_asks_nobody(store):
    choose_network(store, Machine(0, 1))
    assert store.num_keys() == 0
    assert "GLOO_SOCKET_IFNAME" not in os.environ


def test_machines_agree(store):
    together = [*machines(3), Machine(2, 3), Machine(0, 3)]
    with ThreadPoolExecutor(len(together)) as threads:
        list(threads.map(choose_network, [store] * len(together), together))
    assert os.environ["GLOO_SOCKET_IFNAME"] == LOOPBACK


def test_who_does_not_reach_another_names_it(store):
    tell(store, 1, free_port())
    with pytest.raises(WorkerError) as failed:
        choose_network(store, machines(2)[0])
    words = (
        f"machine 0 ({socket.gethostname()}, 127.0.0.1) can't reach machine 1 (node1, 127.0.0.1)"
    )
    assert str(failed.value).startswith(
        f"{words}: Connection refused; every TCP port has to be open"
    )
    assert f"(there: {LOOPBACK}" in str(failed.value)


@pytest.mark.parametrize("is_first", [True, False])
def test_all_hear_of_it(store, is_first):
    fault = "machine 1 (node1, 127.0.0.1) can't reach machine 0 (node0, 127.0.0.1): timed out"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tell(store, 1, port, fault)
        if not is_first:
            store.add("first/0", 1)
            tell(store, 0, port)
        with pytest.raises(WorkerError, match=re.escape(fault)):
            choose_network(store, Machine(0, 2))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("GLOO_SOCKET_IFNAME", "eth77", f".* no interface 'eth77'; it has .*{LOOPBACK}"),
     ("MASTER_ADDR", "no-such-machine.invalid", r"finds no way to no-such-machine\.invalid")],
)  # fmt: skip
def test_what_one_machine_lacks_is_told_on_all(store, environment, name, value, told):
    """The others would wait for what it doesn't tell them."""
    store.set("fault/0", "")
    with environment.context() as machine_1:
        machine_1.setenv(name, value)
        with pytest.raises(WorkerError, match=f"^machine 1 .*: {told}"):
            choose_network(store, Machine(1, 2))
    with pytest.raises(WorkerError, match=f"^machine 1 .*: {told}"):
        choose_network(store, Machine(0, 2))


def test_what_the_user_chose_stays(store, environment):
    environment.setenv("GLOO_SOCKET_IFNAME", LOOPBACK)
    environment.setenv("MASTER_ADDR", "no-such-machine.invalid")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(choose_network, [store] * 2, machines(2)))
    assert os.environ["GLOO_SOCKET_IFNAME"] == LOOPBACK


def test_all_reach_a_machine_whose_queue_is_short(store, monkeypatch):
    """As many may come at once as there are machines."""
    monkeypatch.setattr(socket, "SOMAXCONN", 1)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(choose_network, [store] * 12, machines(12)))


@pytest.mark.skipif(sys.platform != "linux", reason="the options are Linux's")
def test_the_system_watches_connections_and_nothing_else(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
        socket.socket(socket.AF_UNIX) as local,
        Path(tmp_path / "file").open("w") as file,
    ):
        notice_lost_machines(120)
        asked = {
            name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        }
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert local.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        file.write("still open")
        connection.sendall(b"still open")
    assert asked["TCP_USER_TIMEOUT"] == 120_000
    assert asked["TCP_KEEPIDLE"] + asked["TCP_KEEPINTVL"] * asked["TCP_KEEPCNT"] in range(110, 140)
