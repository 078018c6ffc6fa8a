"""The network between the machines of a run: which one, whether all reach all, and who has gone.

Gloo listens at the address that a machine's own name has. Many systems keep that at 127.0.0.1 or
127.0.1.1, where no other machine finds it.
"""

import fcntl
import os
import socket
import stat
import struct
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address
from pathlib import Path

from torch.distributed.distributed_c10d import Store

from bertsmith.errors import WorkerError

__all__ = ["Machine", "choose_network", "notice_lost_machines"]

_CHOICE = "GLOO_SOCKET_IFNAME"
# All have come by then, and have nothing else to do.
_CONNECT_SECONDS = 20
_ANSWER = timedelta(minutes=5)
# The system answers for a process that is busy, or stopped.
_ASK_SECONDS = 10

_SIOCGIFADDR = 0x8915  # linux/sockios.h
# Addresses of a link alone say nothing without its name.
_IPV6, _LINK = Path("/proc/net/if_inet6"), "20"


@dataclass(frozen=True)
class Machine:
    """Where a process runs, as its launcher says.

    Attributes:
        number: of the machine, in [0, total). Where no launcher tells, every process is taken
            for a machine.
        total: number of machines.
        is_first: whether the process is the first one there.
    """

    number: int
    total: int
    is_first: bool

    @classmethod
    def of(cls, rank: int, world_size: int, local_rank: int) -> "Machine":
        """What torchrun says in the environment."""
        try:
            number, total = (int(os.environ[f"GROUP_{name}"]) for name in ("RANK", "WORLD_SIZE"))
        except (KeyError, ValueError):
            return cls(rank, world_size, is_first=True)
        return cls(number, total, is_first=local_rank == 0)


def choose_network(store: Store, machine: Machine) -> None:
    """Has Gloo use the network by which machines reach the first, and sees that all reach all.

    Called by all processes, before a group begins. A network that the user chose, by
    GLOO_SOCKET_IFNAME, stays. Of one machine alone nothing is asked.

    Args:
        store: one of this call alone, which all processes see.
        machine: of this process.

    Raises:
        WorkerError: two machines don't reach each other; on all processes.
        RuntimeError: another process didn't come.
    """
    if machine.total == 1:
        return
    address = _own_address(store, machine)
    interfaces = _interfaces()
    if address in interfaces:
        os.environ.setdefault(_CHOICE, interfaces[address])
    with closing(_listener(address)) as listener:
        if machine.is_first:
            port = listener.getsockname()[1]
            store.set(f"port/{machine.number}", f"{address} {port} {socket.gethostname()}")
            store.set(f"fault/{machine.number}", _fault(store, machine, address))
        faults = _of_all(store, "fault", machine.total, _ANSWER)
    for fault in filter(None, faults):
        raise WorkerError(
            fault,
            fix="every TCP port has to be open between the machines; where they have several "
            f"networks, set {_CHOICE} on each to its interface of the one to take "
            f"(here: {', '.join(dict.fromkeys(interfaces.values()))})",
        )


def notice_lost_machines(seconds: int) -> None:
    """Has the system close every TCP connection of this process whose other end is silent.

    Else nobody would notice a machine that lost its power or its network before PyTorch's own
    half an hour is over. To be called when connections are there; on Linux only.

    Args:
        seconds: how long the other end may be silent.
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


def _own_address(store: Store, machine: Machine) -> str:
    """The address at which the others find this machine."""
    chosen = os.environ.get(_CHOICE, "").split(",")[0]
    names = [name for _, name in socket.if_nameindex()]
    if chosen and chosen not in names:
        raise WorkerError(
            f"{_CHOICE}: this machine has no interface {chosen!r}", fix=f"it has {', '.join(names)}"
        )
    its_addresses = [address for address, name in _interfaces().items() if name == chosen]
    address = (its_addresses or [_address_towards(os.environ["MASTER_ADDR"])])[0]
    if machine.is_first:
        store.set(f"address/{machine.number}", address)
    others = _of_all(store, "address", machine.total)
    if _is_loopback(address) and not chosen:
        # The first machine calls itself so; the way to another shows what it is for them.
        elsewhere = [other for other in others if not _is_loopback(other)]
        if elsewhere:
            address = _address_towards(elsewhere[0])
    return address


def _fault(store: Store, machine: Machine, address: str) -> str:
    """What is wrong with the ways from this machine to the others; "" where nothing is."""
    for number, other in enumerate(_of_all(store, "port", machine.total)):
        host, port, name = other.split(" ", 2)
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            return (
                f"machine {machine.number} ({socket.gethostname()}, {address}) can't reach "
                f"machine {number} ({name}, {host}): {error.strerror or error}"
            )
    return ""


def _of_all(store: Store, kind: str, total: int, within: timedelta | None = None) -> list[str]:
    """What every machine's first process has set under a name."""
    keys = [f"{kind}/{number}" for number in range(total)]
    if within is not None:
        store.wait(keys, within)
    return [value.decode() for value in store.multi_get(keys)]


def _listener(address: str) -> socket.socket:
    """Takes connections that nobody looks at: they are tried, no more."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 0), family=family, backlog=socket.SOMAXCONN)


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
    raise WorkerError(f"this machine finds no way to {host} ({error})") from error


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _interfaces() -> dict[str, str]:
    """The addresses of this machine, and the interface of each."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                question = struct.pack("256s", name.encode()[:15])
                answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, question)
                found[socket.inet_ntoa(answer[20:24])] = name
    with suppress(OSError):  # this system knows no IPv6
        for line in _IPV6.read_text().splitlines():
            address, _, _, scope, _, name = line.split()
            if scope != _LINK:
                found[str(IPv6Address(int(address, 16)))] = name
    return found
