"""Two machines with a network between them: namespaces of the kernel's, which root can make."""

import json
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from ranks_runs import (
    NUM_STEPS,
    assert_close,
    command_line,
    job,
    outcome,
    said,
    torchrun,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.whole_machine,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare"))),
        reason="needs root, ip (iproute2) and unshare",
    ),
]
NAMES = ("nodea", "nodeb")
ADDRESSES = {4: ("10.77.0.1/24", "10.77.0.2/24"), 6: ("fd77::1/64", "fd77::2/64")}
RENDEZVOUS = {
    "c10d": ["--rdzv-backend", "c10d", "--rdzv-id", "7", "--rdzv-endpoint", "nodea:29500"],
    "static": ["--master-addr", "nodea", "--master-port", "29500"],
}
# A name of its own, and a table of names as Debian's installer leaves it: one's own is 127.0.1.1.
AS_MACHINE = 'mount --bind "$0" /etc/hosts && hostname "$1" && shift && exec "$@"'
# Containers keep it from their root; a kernel without cables of this kind is rare.
FORBIDDEN = re.compile("not permitted|permission denied|not supported|unknown device type", re.I)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def addresses(request):
    return ADDRESSES[getattr(request, "param", 4)]


@pytest.fixture
def machines(addresses, tmp_path):
    """The commands that run others on the first machine, and on the second."""
    spaces = [f"bertsmith-{os.getpid()}-{name}" for name in NAMES]
    ends = [word for space in spaces for word in ("name", "net0", "netns", space)]
    try:
        try:
            for space in spaces:
                ip("netns", "add", space)
            ip("link", "add", *ends[:4], "type", "veth", "peer", *ends[4:])
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode().strip()
            if not FORBIDDEN.search(told):
                raise
            pytest.skip(f"this system lets nobody make network namespaces: {told}")
        within = []
        for number, space in enumerate(spaces):
            # IPv6 else waits a second, to see whether somebody has that address already.
            at_once = ["nodad"] if ":" in addresses[number] else []
            ip("-n", space, "address", "add", addresses[number], "dev", "net0", *at_once)
            for device in ("lo", "net0"):
                ip("-n", space, "link", "set", device, "up")
            hosts = tmp_path / f"hosts-{number}"
            own, other = NAMES[number], f"{_host(addresses[1 - number])} {NAMES[1 - number]}"
            hosts.write_text(f"127.0.0.1 localhost\n127.0.1.1 {own}\n{other}\n")
            within.append(
                ["ip", "netns", "exec", space, "unshare", "--uts", "--mount",
                 "sh", "-c", AS_MACHINE, str(hosts), own]
            )  # fmt: skip
        yield within
    finally:
        for space in spaces:
            left = subprocess.run(["ip", "netns", "pids", space], check=False, capture_output=True)
            for process in left.stdout.split():  # where the test failed
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


def _host(address):
    return address.split("/")[0]


def start(machines, backend, *arguments):
    return [
        torchrun(
            *arguments,
            processes=1,
            rendezvous=["--nnodes", "2", "--node-rank", str(rank), *RENDEZVOUS[backend]],
            within=within,
        )
        for rank, within in enumerate(machines)
    ]


@pytest.mark.parametrize(
    ("backend", "addresses"), [("c10d", 4), ("static", 6)], indirect=["addresses"]
)
def test_machines_whose_own_name_is_127_0_1_1(store, alone, machines, tmp_path, backend):
    """Gloo would listen there, where no other machine finds it."""
    steps = f"training.num_steps={NUM_STEPS}"
    running = start(machines, backend, *command_line(store, tmp_path / "run", steps))
    results = [outcome(machine) for machine in running]
    assert [code for code, _, _ in results] == [0, 0], results
    assert_close(alone, tmp_path / "run")


def test_a_machine_that_vanishes_is_noticed_and_the_run_goes_on(
    store, addresses, machines, tmp_path
):
    """Without power or network it closes no connection, and nobody would hear of it."""
    changes = ["training.num_steps=100000", "training.checkpoint_every_seconds=0.5"]
    lost = job(store, tmp_path / "run", silent=6)
    lost["changes"] += changes
    script = Path(__file__).parents[2] / "ranks_job.py"
    first, second = start(machines, "static", script, json.dumps([lost]))
    checkpoints = tmp_path / "run" / "checkpoints"
    wait_until(lambda: list(checkpoints.glob("step-*")), first)
    ip("-n", machines[1][3], "link", "set", "net0", "down")
    for rank, machine in enumerate((first, second)):
        code, _, err = outcome(machine, seconds=60)
        assert code != 0
        other = f"another process of this run at {_host(addresses[1 - rank])}"
        assert f"WorkerError: rank {rank}: {other} no longer answers" in err
    last = max(int(path.name[5:]) for path in checkpoints.glob("step-*"))
    ip("-n", machines[1][3], "link", "set", "net0", "up")
    again = job(store, tmp_path / "run", stop_at=1, by=0)
    again["changes"] += changes
    done = [outcome(machine) for machine in start(machines, "static", script, json.dumps([again]))]
    assert json.loads(done[0][1]) == {"stopped": last + 1}
    assert said(done[0][2]) == []
