"""Whom this process speaks to outside its machine, and how well that is known.

Two ways of knowing, and a record says which was used:

- `kernel`: the process has no route but that to itself, as under `unshare --net`. Then nothing in
  it, nor in the processes it starts, can reach anyone, whatever it is written in.
- `python`: Python's own sockets tell (https://docs.python.org/3/library/audit_events.html). The
  sockets of compiled libraries and of other processes do not.
"""

import ipaddress
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# proc(5): a route's interface stands first in one table, last in the other; the first has a head.
ROUTES, ROUTES_6 = Path("/proc/self/net/route"), Path("/proc/self/net/ipv6_route")
LOOPBACK = "lo"
KERNEL, PYTHON = "kernel", "python"
# Audit events of a socket, and where the address or the name stands among their arguments.
ASKED = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
LOOKED_UP = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0}


@dataclass(eq=False)
class Watch:
    """What was seen while it was open: `hosts` are names and addresses, not this machine's own."""

    was_cut_off: bool
    seen: set[str] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a stage's stamp; a process that got a route since is not cut off."""
        how = KERNEL if self.was_cut_off and is_cut_off() else PYTHON
        return {"measured_by": how, "hosts": sorted(self.seen)}


_open: list[Watch] = []
_is_hooked = False


@contextmanager
def watched() -> Iterator[Watch]:
    """Note whom the process asks for while the block runs."""
    _hook()
    watch = Watch(is_cut_off())
    _open.append(watch)
    try:
        yield watch
    finally:
        _open.remove(watch)


def now() -> dict[str, Any] | None:
    """What the innermost open watch has seen so far; None where nobody watches."""
    return _open[-1].as_dict() if _open else None


def is_cut_off() -> bool:
    """Whether the kernel knows no way out of this machine; False where it does not say."""
    try:
        return leads_nowhere(ROUTES.read_text(), ROUTES_6.read_text() if ROUTES_6.exists() else "")
    except OSError:
        return False


def leads_nowhere(routes: str, routes_6: str) -> bool:
    """Whether both tables name no interface but the loopback one.

    Args:
        routes: As in `/proc/net/route`, with its head.
        routes_6: As in `/proc/net/ipv6_route`.
    """
    used = {line.split()[0] for line in routes.splitlines()[1:] if line.strip()}
    used_6 = {line.split()[-1] for line in routes_6.splitlines() if line.strip()}
    return used | used_6 <= {LOOPBACK}


def _hook() -> None:
    """Hear of every socket; a hook stays for the life of the process."""
    global _is_hooked
    if not _is_hooked:
        sys.addaudithook(_heard)
        _is_hooked = True


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _open or not event.startswith("socket."):
        return
    host: Any = None
    if event in LOOKED_UP:
        host = arguments[LOOKED_UP[event]]
    elif event in ASKED:
        address = arguments[ASKED[event]]
        host = address[0] if isinstance(address, tuple) and address else None
    if isinstance(host, bytes):
        host = host.decode("ascii", errors="replace")
    if isinstance(host, str) and host and not _is_here(host):
        for watch in _open:
            watch.seen.add(host)


def _is_here(host: str) -> bool:
    if host in ("localhost", platform.node()):  # the latter is in no record that leaves (C43)
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
