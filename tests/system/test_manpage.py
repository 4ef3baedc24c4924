# SPDX-License-Identifier: BSD-2-Clause
"""The two example programs of tcp(4P), sources unmodified, under tcprun."""
import os
import re

from lib import Alone, HERE, Pair, check, equal, tool
from registry import test, test_each

FLAGS = ("-std=c99", "-Wall", "-Werror")
V6_FIRST = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/gai.conf && exec "$@"',
            os.path.join(HERE, "gai.conf")]


def client():
    return tool("tests/system/programs/client.c", *FLAGS)


def server():
    return tool("tests/system/programs/server.c", *FLAGS)


def greet(start_server, start_client, addresses, listening):
    """Five clients, as many as the server takes; all are greeted. Returns the server's lines."""
    s = start_server(server(), "8080", "hello\n")
    listening()  # its first line may still be in its buffer
    for i in range(5):
        c = start_client(client(), addresses[i % len(addresses)], "8080")
        equal(c.wait(), "hello\n", "what the client printed")
        equal(c.err(), "", "complaints of the client")
    text = s.wait()
    lines = text.splitlines()
    equal(lines[0], "waiting for clients...", "the server's first line")
    equal(lines[-1], "finished.", "the server's last line")
    equal(len(lines), 7, "lines of the server")
    return lines[1:-1]


@test()
def client_and_server_meet_over_127_0_0_1_with_both_ends_in_tcpd():
    with Alone() as p:
        lines = greet(p.tcprun, p.tcprun, ["127.0.0.1"], lambda: p.listening(8080))
        for line in lines:
            check(re.fullmatch(r"sent 6 bytes to 127\.0\.0\.1:\d+", line), line)


@test()
def dual_stack_server_serves_both_loopbacks_and_prints_v4_mapped_peers():
    with Alone() as p:
        def serve(*argv):
            return p.tcprun(*argv, under=V6_FIRST)
        lines = greet(serve, p.tcprun, ["127.0.0.1", "::1"], lambda: p.listening(8080))
        for i, line in enumerate(lines):
            shape = r"\[::1\]" if i % 2 else r"\[::ffff:127\.0\.0\.1\]"
            check(re.fullmatch(rf"sent 6 bytes to {shape}:\d+", line), line)


@test_each([("over IPv4", "v4"), ("over IPv6", "v6")])
def server_greets_kernel_clients(v):
    with Pair() as p:
        def serve(*argv):
            return p.tcprun(*argv, under=V6_FIRST)
        lines = greet(serve, p.kernel, [getattr(p.host, v)], lambda: p.listening(8080))
        peer = re.escape("::ffff:" + p.peer.v4 if v == "v4" else p.peer.v6)
        for line in lines:
            check(re.fullmatch(rf"sent 6 bytes to \[{peer}\]:\d+", line), line)


@test_each([("over IPv4", "v4"), ("over IPv6", "v6")])
def client_is_greeted_by_a_kernel_server(v):
    with Pair() as p:
        def serve(*argv):
            return p.spawn(p.peer, *V6_FIRST, *argv, name="server")
        greet(serve, p.tcprun, [getattr(p.peer, v)], lambda: p.kernel_listening(8080))


@test()
def client_says_connection_refused_and_fails():
    with Pair() as p:
        c = p.tcprun(client(), p.peer.v4, "8080")
        c.wait(status=1)
        equal(c.err().splitlines(), ["connect() failed: Connection refused",
                                     "failed to connect to server"], "what it says")
