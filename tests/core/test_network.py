"""What is written of the network is what the kernel or Python's sockets say, and no more."""

import json
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from foundry.core import environment, network
from foundry.core.errors import RecipeError
from tests.cases import case, change

HEAD = "Iface\tDestination\tGateway\tFlags\n"
OUT = "eth0\t00000000\t010200C0\t0003\n"
INSIDE = "lo\t0000007F\t00000000\t0001\n"
LO_6 = "0" * 32 + " 00 " + "0" * 32 + " 00 " + "0" * 32 + " ffffffff 00000001 0 00200200       lo\n"
CUT_OFF = """
import json, socket
from foundry.core import network
with network.watched() as watch:
    client = socket.socket()
    try:
        client.connect(("192.0.2.1", 9))  # TEST-NET-1: nobody's (RFC 5737)
    except OSError:
        pass
    print(json.dumps(watch.as_dict()))
"""


@case("network", {"cut off": change(network, "leads_nowhere", lambda routes, routes_6: True)})
@pytest.mark.parametrize(
    ("routes", "routes_6"),
    [(HEAD + OUT, LO_6), (HEAD + INSIDE + OUT, ""), (HEAD, LO_6 + LO_6.replace("lo", "eth0"))],
    ids=["four", "beside the loopback", "six"],
)
def test_route_out_of_the_machine_is_seen(routes, routes_6):
    assert not network.leads_nowhere(routes, routes_6)


@pytest.mark.parametrize("routes", [HEAD, HEAD + INSIDE], ids=["none", "loopback"])
def test_no_route_but_the_loopback_leads_nowhere(routes):
    assert network.leads_nowhere(routes, "") and network.leads_nowhere(routes, LO_6)


def test_process_without_a_network_is_measured_by_the_kernel():
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", CUT_OFF]
    done = subprocess.run(
        command,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip("this kernel gives no namespaces")

    assert json.loads(done.stdout) == {"measured_by": "kernel", "hosts": ["192.0.2.1"]}


@case("network", {"deaf": change(network, "LOOKED_UP", {})})
def test_hosts_that_sockets_ask_for_are_noted_and_this_machine_is_not(monkeypatch):
    monkeypatch.setattr(network, "is_cut_off", lambda: False)

    with network.watched() as watch:
        sys.audit("socket.getaddrinfo", "huggingface.co", 443, 0, 0, 0)
        sys.audit("socket.getaddrinfo", b"example.com", 443, 0, 0, 0)
        sys.audit("socket.connect", None, ("2001:db8::1", 443, 0, 0))
        sys.audit("socket.connect", None, "/run/some.sock")
        sys.audit("socket.getaddrinfo", platform.node(), 443, 0, 0, 0)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()

    expected = ["2001:db8::1", "example.com", "huggingface.co"]
    assert watch.as_dict() == {"measured_by": "python", "hosts": expected}


def test_nothing_is_noted_once_the_watch_is_over():
    with network.watched() as watch:
        assert network.now() == watch.as_dict()
    sys.audit("socket.getaddrinfo", "example.com", 443, 0, 0, 0)

    assert (watch.seen, network.now()) == (set(), None)


@pytest.mark.parametrize("told", ["Taiwan", "tw", "TWN"])
def test_country_that_is_no_code_is_refused(monkeypatch, told):
    monkeypatch.setenv("FOUNDRY_COUNTRY", told)

    with pytest.raises(RecipeError, match="FOUNDRY_COUNTRY: not a code of ISO 3166-1"):
        environment.country()


def test_country_is_what_is_declared_and_never_guessed(monkeypatch):
    monkeypatch.delenv("FOUNDRY_COUNTRY", raising=False)
    assert environment.country() is None

    monkeypatch.setenv("FOUNDRY_COUNTRY", "TW")
    assert environment.country() == "TW"
