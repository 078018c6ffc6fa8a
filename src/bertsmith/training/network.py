"""The network between the machines of a run: which one, whether all reach all, and who has gone.

Gloo listens at the address that a machine's own name has. Many systems keep that at 127.0.0.1 or
127.0.1.1, where no other machine finds it.
"""

import array
import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address
from pathlib import Path
from threading import Thread

from torch.distributed.distributed_c10d import Store

from bertsmith.errors import WorkerError

__all__ = ["Machine", "choose_network", "is_here", "notice_lost_machines"]

_CHOICE = "GLOO_SOCKET_IFNAME"
# All have come by then, and have nothing else to do.
_CONNECT_SECONDS = 20
_ANSWER = timedelta(minutes=5)
_ASK_SECONDS = 10

_SIOCGIFCONF = 0x8912  # linux/sockios.h; in the list an address stands 20 bytes behind a name of 16
_ENTRY_BYTES, _MOST_ENTRIES = 40, 512
# Addresses of a link alone say nothing without its name.
_IPV6, _LINK = Path("/proc/net/if_inet6"), "20"


@dataclass(frozen=True)
class Machine:
    """Where a process runs, as its launcher says.

    Attributes:
        number: of the machine, in [0, total). Where no launcher tells, every process is taken
            for a machine.
        total: number of machines.
    """

    number: int
    total: int

    @classmethod
    def of(cls, rank: int, world_size: int) -> "Machine":
        """What torchrun says in the environment."""
        try:
            return cls(int(os.environ["GROUP_RANK"]), int(os.environ["GROUP_WORLD_SIZE"]))
        except (KeyError, ValueError):
            return cls(rank, world_size)


def choose_network(store: Store, machine: Machine) -> None:
    """Has Gloo use the network by which machines reach the first, and sees that all reach all.

    Called by all processes, before a group begins. A network that the user chose, by
    GLOO_SOCKET_IFNAME, stays. Of one machine alone nothing is asked.

    Args:
        store: one of this call alone, which all processes see.
        machine: of this process.

    Raises:
        WorkerError: two machines don't reach each other, or one has no such network; on all
            processes.
        RuntimeError: another process didn't come.
    """
    if machine.total == 1:
        return
    is_first = store.add(f"first/{machine.number}", 1) == 1
    fault, listener = "", None
    try:
        address = _own_address(store, machine, is_first)
        if is_first:
            listener = _listener(address)
            port = listener.getsockname()[1]
            store.set(f"port/{machine.number}", f"{address} {port} {socket.gethostname()}")
            fault = _unreached(store, machine, address)
    except (WorkerError, OSError) as error:
        fault = f"machine {machine.number} ({socket.gethostname()}): {error}"
        if is_first:  # the others wait for it
            store.set(f"address/{machine.number}", "")
            store.set(f"port/{machine.number}", "")
    if is_first:
        store.set(f"fault/{machine.number}", fault)
    faults = _of_all(store, "fault", machine.total, _ANSWER)
    if listener is not None:
        listener.shutdown(socket.SHUT_RDWR)  # which ends the thread that accepts
        listener.close()
    for told in filter(None, [*faults, fault]):
        raise WorkerError(told)


def notice_lost_machines(seconds: int) -> None:
    """Has the system close every TCP connection of this process whose other end is silent.

    Else nobody would notice a machine that lost its power or its network before PyTorch's own
    half an hour is over. To be called when connections are there; on Linux only.

    Args:
        seconds: how long the other end may be silent, or take nothing that is sent.
    """
    options = {
        "TCP_KEEPIDLE": min(_ASK_SECONDS, seconds),
        "TCP_KEEPINTVL": min(_ASK_SECONDS, seconds),
        "TCP_KEEPCNT": max(1, seconds // _ASK_SECONDS),
        "TCP_USER_TIMEOUT": 1000 * seconds,
    }
    for path in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # it has been closed since
            if not stat.S_ISSOCK(path.stat().st_mode):
                continue
            with socket.socket(fileno=os.dup(int(path.name))) as connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                    for name, value in options.items():
                        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_here(address: str) -> bool:
    """Whether an address is one of this machine's."""
    return _is_loopback(address) or address in _interfaces()


def _own_address(store: Store, machine: Machine, is_first: bool) -> str:
    """The address at which Gloo listens here, and the others find this machine."""
    chosen = os.environ.get(_CHOICE, "").split(",")[0]
    names = [name for _, name in socket.if_nameindex()]
    if chosen and chosen not in names:
        raise WorkerError(f"{_CHOICE}: there is no interface {chosen!r}; it has {', '.join(names)}")
    address = _first_address(chosen) or _address_towards(os.environ["MASTER_ADDR"])
    if is_first:
        store.set(f"address/{machine.number}", address)
    others = _of_all(store, "address", machine.total)
    if chosen:
        return address
    if _is_loopback(address):
        # The first machine calls itself so; the way to another shows what it is for them.
        elsewhere = [other for other in others if other and not _is_loopback(other)]
        if elsewhere:
            address = _address_towards(elsewhere[0])
    interface = _interfaces().get(address, "")
    # Gloo takes an interface's first address, whichever was meant.
    first = _first_address(interface)
    if not first or _is_loopback(first) != _is_loopback(address):
        return address
    os.environ.setdefault(_CHOICE, interface)
    return first


def _unreached(store: Store, machine: Machine, address: str) -> str:
    """What is wrong with the ways from this machine to the others; "" where nothing is."""
    others = _of_all(store, "port", machine.total, _ANSWER)
    for number in range(machine.number, machine.number + machine.total):  # not all the same first
        other = others[number % machine.total]
        if not other:
            continue
        host, port, name = other.split(" ", 2)
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            return (
                f"machine {machine.number} ({socket.gethostname()}, {address}) can't reach machine "
                f"{number % machine.total} ({name}, {host}): {error.strerror or error}; every TCP "
                "port has to be open between the machines; where they have several networks, set "
                f"{_CHOICE} on each to its interface of the one to take (there: "
                f"{', '.join(dict.fromkeys(_interfaces().values()))})"
            )
    return ""


def _of_all(store: Store, kind: str, total: int, within: timedelta | None = None) -> list[str]:
    """What every machine's first process has set under a name."""
    keys = [f"{kind}/{number}" for number in range(total)]
    if within is not None:
        store.wait(keys, within)
    return [value.decode() for value in store.multi_get(keys)]


def _listener(address: str) -> socket.socket:
    """Takes connections, and closes them at once: they are tried, no more."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family, backlog=socket.SOMAXCONN)

    def accept() -> None:
        with suppress(OSError):  # it is shut
            while True:
                listener.accept()[0].close()

    Thread(target=accept, daemon=True).start()
    return listener


def _address_towards(host: str) -> str:
    """The address from which this machine reaches another; nothing is sent."""
    error: OSError | None = None
    try:
        for family, kind, _, _, place in socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as way:
                    way.connect(place)
                    return str(way.getsockname()[0])
            except OSError as raised:
                error = raised
    except OSError as raised:
        error = raised
    raise WorkerError(f"finds no way to {host} ({error})") from error


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _first_address(interface: str) -> str:
    """The address that Gloo takes of an interface; "" where there is none."""
    return next((address for address, name in _interfaces().items() if name == interface), "")


def _interfaces() -> dict[str, str]:
    """The addresses of this machine, and the interface of each: IPv4 first."""
    found = {}
    entries = array.array("B", bytes(_ENTRY_BYTES * _MOST_ENTRIES))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        question = struct.pack("iL", len(entries), entries.buffer_info()[0])
        answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFCONF, question)
        used = struct.unpack("iL", answer)[0]
        for start in range(0, used, _ENTRY_BYTES):
            entry = entries[start : start + _ENTRY_BYTES].tobytes()
            name = entry[:16].split(b"\0")[0].decode().split(":")[0]  # eth0:1 is another of eth0
            found[socket.inet_ntoa(entry[20:24])] = name
    with suppress(OSError):  # this system knows no IPv6
        for line in _IPV6.read_text().splitlines():
            address, _, _, scope, _, name = line.split()
            if scope != _LINK:
                found[str(IPv6Address(int(address, 16)))] = name
    return found
