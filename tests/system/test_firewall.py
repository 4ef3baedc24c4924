# SPDX-License-Identifier: BSD-2-Clause
"""Firewall rules and conntrack see tcpd's connections as they see the kernel's."""
import collections
import re
import socket

from lib import Pair, check, equal, wait_for
from registry import test, test_each
from test_bulk import agree, both_ways

TOTAL = 64 << 20
# The ruleset of many hosts. The last rule resets what conntrack calls INVALID.
RULES = """
table inet filter {
    chain input {
        type filter hook input priority 0;
        iif lo accept
        meta l4proto ipv6-icmp accept
        ct state established,related accept
        tcp dport 7000-7999 ct state new accept
        meta l4proto tcp counter reject with tcp reset
    }
}
"""


def invalid(ns):
    return sum(int(n) for n in re.findall(r"invalid=(\d+)", ns.run("conntrack", "-S")))


def rejected(ns):
    rules = ns.run("nft", "list", "chain", "inet", "filter", "input")
    return int(re.search(r"counter packets (\d+)", rules).group(1))


@test_each([("inbound over IPv4", ("v4", True)), ("inbound over IPv6", ("v6", True)),
            ("outbound over IPv4", ("v4", False)), ("outbound over IPv6", ("v6", False))],
           seconds=240)
def a_stateful_ruleset_disturbs_no_bulk(how):
    v, inbound = how
    with Pair() as p:
        p.host.nft(RULES)
        if inbound:
            both_ways(p.python, p.kernel_python, getattr(p.host, v), TOTAL)
        else:
            both_ways(p.kernel_python, p.python, getattr(p.peer, v), TOTAL)
        agree(p, TOTAL)
        equal(rejected(p.host), 0, "segments that the last rule reset")
        equal(invalid(p.host), 0, "segments that conntrack calls INVALID")


@test()
def a_ruleset_that_accepts_no_new_connection_keeps_them_out():
    with Pair() as p:
        p.host.nft(RULES.replace("7000-7999", "1"))
        p.python("s = listen('0.0.0.0', 7000); say('ready'); s.accept(); say('accepted')"
                 ).expect("^ready")
        try:
            p.peer.connect(p.host.v4, 7000)
            check(False, "the connection was accepted")
        except ConnectionRefusedError:
            pass  # that is the rule's own reset
        equal(rejected(p.host), 1, "segments that the last rule reset")


@test(seconds=60)
def a_rule_added_later_that_drops_a_peer_stops_that_peer():
    with Pair() as p:
        p.peer.ip("addr", "add", "10.77.0.9/24", "dev", "eth0")
        p.host.nft(RULES)
        p.python("""
            def echo(c):
                while (b := c.recv(100)): c.sendall(b)
            s = listen("0.0.0.0", 7000); say("ready")
            while True: threading.Thread(target=echo, args=(s.accept()[0],)).start()
        """).expect("^ready")
        good, bad = p.peer.socket(), p.peer.socket()
        bad.bind(("10.77.0.9", 0))
        for s in (good, bad):
            s.connect((p.host.v4, 7000))
            s.sendall(b"before")
            equal(s.recv(100), b"before", "the echo")
        p.host.nft("insert rule inet filter input ip saddr 10.77.0.9 counter drop")
        bad.sendall(b"after")
        bad.settimeout(2)
        try:
            check(False, f"the dropped peer still got {bad.recv(100)!r}")
        except socket.timeout:
            pass
        good.sendall(b"after")
        equal(good.recv(100), b"after", "the echo of the other peer")


@test()
def a_rule_that_drops_what_leaves_is_obeyed():
    with Pair() as p:
        p.host.drop("output", "tcp dport 7000")
        p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = socket.socket(); s.setblocking(False)
            assert s.connect_ex((A[0], 7000)) == errno.EINPROGRESS
            s2 = select.poll(); s2.register(s, select.POLLOUT)
            got = s2.poll(2500)
            say("connected" if got and so_error(s) == 0 else "not connected")
        """, p.peer.v4)
        equal(c.wait(), "not connected\n", "the client")


def states(ns, port):
    """How many conntrack entries of that port are in which state, TIME_WAIT set apart or not."""
    count = collections.Counter()
    for line in ns.run("conntrack", "-L", "-p", "tcp").splitlines():
        if f"dport={port} " in line:
            count[line.split()[3]] += 1
    return count


MANY = """
    s = listen(A[0], A[1], 128); say("ready")
    for i in range(1000):
        c, _ = s.accept()
        c.sendall(c.recv(10)); c.close()
    say("done")
"""
MANY_OUT = """
    for i in range(1000):
        s = connect(A[0], A[1]); s.sendall(b"0123456789")
        assert s.recv(10) == b"0123456789"
        s.close()
    say("done")
"""


@test(seconds=120)
def conntrack_after_1000_closed_inbound_connections_is_as_after_the_kernels():
    with Pair() as p:
        p.host.nft(RULES)
        p.python(MANY, p.host.v4, 7100).expect("^ready")
        p.kernel_python(MANY, p.host.v4, 7200, ns=p.host).expect("^ready")
        for port in (7100, 7200):
            for _ in range(1000):
                with p.peer.connect(p.host.v4, port) as s:
                    s.sendall(b"0123456789")
                    while s.recv(10):
                        pass
        wait_for(lambda: states(p.host, 7100) == states(p.host, 7200),
                 lambda: f"equal conntrack tables, tcpd's {dict(states(p.host, 7100))} "
                 f"and the kernel's {dict(states(p.host, 7200))}")
        equal(sum(states(p.host, 7100).values()), 1000, "entries")
        equal(invalid(p.host), 0, "segments that conntrack calls INVALID")


@test(seconds=120)
def conntrack_after_1000_closed_outbound_connections_is_as_after_the_kernels():
    with Pair() as p:
        p.host.nft(RULES)
        for port in (7100, 7200):
            p.kernel_python(MANY, p.peer.v4, port).expect("^ready")
        p.python(MANY_OUT, p.peer.v4, 7100).wait(90)
        p.kernel_python(MANY_OUT, p.peer.v4, 7200, ns=p.host).wait()
        # tcpd goes through its pool of ports in turn, so there are fewer entries, none of another kind
        wait_for(lambda: set(states(p.host, 7100)) == set(states(p.host, 7200)),
                 lambda: f"conntrack states alike, tcpd's {dict(states(p.host, 7100))} "
                 f"and the kernel's {dict(states(p.host, 7200))}", 30)
        check(sum(states(p.host, 7100).values()) <= 1000, "more entries than connections")
        equal(invalid(p.host), 0, "segments that conntrack calls INVALID")
