"""The network guard of conftest.py stops what leaves the machine and nothing else."""

import socket
import threading

import pytest

OUTSIDE = ("192.0.2.1", 9)  # TEST-NET-1: assigned to nobody (RFC 5737)


def test_connecting_outside_is_refused():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client,
        pytest.raises(RuntimeError, match=r"tried to reach '192\.0\.2\.1'"),
    ):
        client.connect(OUTSIDE)


def test_sending_a_datagram_outside_is_refused():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        pytest.raises(RuntimeError, match="tried to reach"),
    ):
        client.sendto(b"x", OUTSIDE)


def test_looking_up_a_name_is_refused():
    with pytest.raises(RuntimeError, match=r"tried to reach 'example\.com'"):
        socket.getaddrinfo("example.com", 443)


def test_create_connection_outside_is_refused():
    with pytest.raises(RuntimeError, match="tried to reach"):
        socket.create_connection(("example.com", 443), timeout=1)


def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()

        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.recv(1) == b""

        thread.join(timeout=5)
