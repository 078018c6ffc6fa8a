"""What training asks of the C library's malloc, in a process of its own."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bertsmith.training import cpu

pytestmark = [
    pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc"
        or not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(),
        reason="glibc on Linux alone",
    ),
    pytest.mark.skipif(not cpu._address_space_is_free(), reason="addresses are limited here"),
]

# Flags of the heap that the kernel knows, and how many GiB of addresses it has.
SCRIPT = """
import resource
{before}
from bertsmith.training.cpu import keep_freed_memory
keep_freed_memory()
lines = open("/proc/self/smaps").read().splitlines()
flags, size, inside = set(), 0, False
for line in lines:
    if "-" in line.split()[0] and not line.split()[0].endswith(":"):
        inside = "[heap]" in line
    elif inside and line.startswith("Size:"):
        size += int(line.split()[1])
    elif inside and line.startswith("VmFlags:"):
        flags.update(line.split()[1:])
# Of this process alone: getrusage's figure starts at that of the process that started it.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("hg" in flags, size > 2**18, int(status["VmHWM"].split()[0]) < 2**20)
"""


def asked(before: str = "") -> str:
    command = [sys.executable, "-c", SCRIPT.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_heap_is_asked_for_in_huge_pages_and_nothing_of_it_is_taken():
    assert asked() == "True True True"


def test_where_addresses_are_limited_none_are_set_aside():
    limit = "resource.setrlimit(resource.RLIMIT_AS, (2**36, resource.RLIM_INFINITY))"
    assert asked(limit).startswith("False False")
