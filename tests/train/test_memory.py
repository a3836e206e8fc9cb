"""Freed memory goes back to the system."""

import subprocess
import sys

import pytest

CODE = """
import sys
from foundry.train.memory import give_back_freed_memory

def resident_bytes():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

given = sys.argv[1] == "given" and give_back_freed_memory()
size, before = 2_000_000, resident_bytes()
for _ in range(3):  # glibc learns from blocks that are freed
    big = bytearray(20_000_000)
    del big
blocks = [bytearray(b"x") * size for _ in range(100)]
last = blocks[-1]
blocks.clear()
print(resident_bytes() - before)
"""


def kept(how: str) -> int:
    """Bytes that stay in a process after a hundred blocks of 2 MB but the last were freed."""
    command = [sys.executable, "-c", CODE, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_freed_blocks_go_back_though_a_later_one_is_held():
    assert kept("given") < 10_000_000
    assert kept("not given") > 100_000_000  # the control
