# SPDX-License-Identifier: BSD-2-Clause
"""One host, two TCPs: ports are shared one by one, and the kernel's never answers for tcpd."""
import errno
import socket
import threading

from lib import Alone, Pair, check, equal, wait_for
from registry import test, test_each
from sniff import ACK, FIN, RST, SYN, Sniffer, injector, tcp_packet


def kernel_resets(ns):
    """How many resets the kernel's TCP has sent there (raw sockets do not count)."""
    with ns, open("/proc/thread-self/net/snmp", encoding="ascii") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["OutRsts"])


def refused(call, *args):
    try:
        call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


@test_each([("0.0.0.0", "0.0.0.0"), ("its own address", None), ("127.0.0.1", "127.0.0.1"),
            ("::", "::"), ("::1", "::1")])
def a_kernel_program_gets_EADDRINUSE_for_a_port_of_tcpd_at(address):
    with Pair() as p:
        p.python("s = listen('0.0.0.0', 7000); say('ready'); time.sleep(60)").expect("^ready")
        address = address or p.host.v4
        s = p.host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        equal(refused(s.bind, (address, 7000)), "EADDRINUSE", "the kernel's bind")


@test_each([("a listener of the kernel", "listen"), ("a bound socket of the kernel", "bind"),
            ("a connection of the kernel", "connect"),
            ("an accepted connection of the kernel whose listener is gone", "accept")])
def a_tcpd_program_gets_EADDRINUSE_for_the_port_of(what):
    with Pair() as p:
        s = p.host.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(what == "accept"))
        s.bind((p.host.v4, 7000))
        if what == "accept":
            s.listen()
            c = p.peer.connect(p.host.v4, 7000)
            listener, (s, _) = s, s.accept()
            listener.close()
        if what == "listen":
            s.listen()
        if what == "connect":
            p.peer_listener = p.peer.listen(p.peer.v4, 7001)
            s.connect((p.peer.v4, 7001))
        p.python("""
            for a in (A[0], "0.0.0.0", "::"):
                s = socket.socket(family(a))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                fails(errno.EADDRINUSE, s.bind, (a, 7000))
                s.bind((a, 0))
        """, p.host.v4).wait()
        if what == "connect":
            c, _ = p.peer_listener.accept()
        if what in ("connect", "accept"):
            s.sendall(b"still here")
            equal(c.recv(100), b"still here", "what the kernel's connection carries")


@test()
def a_port_is_the_kernels_again_after_tcpd_lets_go():
    with Pair() as p:
        p.python("""
            s = listen(A[0], 7000)
            s.close()
        """, p.host.v4).wait()

        def free():
            s = p.host.socket()
            try:
                s.bind((p.host.v4, 7000))
                return True
            except OSError:
                return False
            finally:
                s.close()
        wait_for(free, "port 7000 to be free")


@test()
def the_kernels_own_TCP_on_other_ports_is_undisturbed():
    with Pair() as p:
        p.python("""
            s = listen("0.0.0.0", 7000); say("ready")
            while True:
                c, _ = s.accept(); c.sendall(b"tcpd"); c.close()
        """).expect("^ready")
        k = p.host.listen(p.host.v4, 7001)
        for _ in range(50):
            a = p.peer.connect(p.host.v4, 7001)
            b, _ = k.accept()
            t = p.peer.connect(p.host.v4, 7000)
            b.sendall(b"kernel")
            equal((a.recv(100), t.recv(100)), (b"kernel", b"tcpd"), "answers")
            for s in (a, b, t):
                s.close()
        equal(kernel_resets(p.host), 0, "resets of the kernel")
        equal(refused(p.peer.connect, p.host.v4, 7002), "ECONNREFUSED",
              "a port that neither has")
        equal(kernel_resets(p.host), 1, "resets of the kernel, now with one for that port")


@test()
def a_kernel_client_of_the_same_host_reaches_a_tcpd_server_and_the_other_way_round():
    with Alone() as p:
        p.python("""
            s = listen("::", 7000); say("ready")
            while True:
                c, _ = s.accept(); c.sendall(b"tcpd"); c.close()
        """).expect("^ready")
        for a in ("127.0.0.1", "::1"):
            equal(p.host.connect(a, 7000).recv(100), b"tcpd", f"from {a}")
        for a in ("127.0.0.1", "::1"):
            k = p.host.listen(a, 7001)
            c = p.python("s = connect(A[0], 7001); say(s.recv(100).decode())", a)
            s, _ = k.accept()
            s.sendall(b"kernel")
            equal(c.wait(), "kernel\n", f"from {a}")
            s.close()
            k.close()


@test()
def a_bound_port_that_does_not_listen_is_answered_with_a_reset_of_tcpd():
    with Pair() as p:
        p.python("""
            s = socket.socket(); s.bind((A[0], 7000)); say("ready"); time.sleep(60)
        """, p.host.v4).expect("^ready")
        equal(refused(p.peer.connect, p.host.v4, 7000), "ECONNREFUSED", "connect")
        equal(kernel_resets(p.host), 0, "resets of the kernel")


@test(seconds=120)
def the_kernel_never_resets_a_port_of_tcpd_from_bind_to_stop():
    """Segments of every kind hit the port all the time; after bind() no reset is the kernel's."""
    with Pair() as p:
        server = p.python("""
            s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((A[0], 7000)); say("bound")
            await_line()
            s.listen(); say("ready")
            while True:
                c, _ = s.accept()
                say("took", read_all(c)[0]); c.close()
        """, p.host.v4, stdin=-1)
        server.expect("^bound")
        stop = threading.Event()

        def hammer():
            raw, n = injector(p.peer), 0
            while not stop.wait(0.002):
                n += 1
                flags = (ACK, SYN | ACK, FIN | ACK, RST, ACK | 8)[n % 5]
                raw.sendto(tcp_packet("10.77.0.99", p.host.v4, 1024 + n % 60000, 7000, flags,
                                      seq=n * 7919, ack=n * 104729, payload=b"x" * (n % 3)),
                           (p.host.v4, 0))
        t = threading.Thread(target=hammer)
        t.start()
        try:
            server.popen.stdin.write(b"listen\n")
            server.popen.stdin.flush()
            server.expect("^ready")
            for _ in range(20):
                with p.peer.connect(p.host.v4, 7000) as s:
                    s.sendall(b"x" * 100000)
            wait_for(lambda: server.out().count("took 100000") == 20, "twenty uploads")
            equal(kernel_resets(p.host), 0, "resets of the kernel")
            if p.d:
                drops = p.d.stats()
                check(drops["tcpOutRsts"] > 0, "the hammer hit nothing")
        finally:
            stop.set()
            t.join()


@test(seconds=120)
def the_kernel_never_resets_an_outgoing_connection_of_tcpd():
    with Pair() as p:
        p.kernel_python("""
            s = listen(A[0], 7000, 256); say("ready")
            while True:
                c, _ = s.accept(); c.sendall(b"x"); c.close()
        """, p.peer.v4).expect("^ready")
        sniffer = Sniffer(p, p.peer, only_flags=RST)
        p.python("""
            for _ in range(300):
                s = connect(A[0], 7000)
                assert read_all(s)[0] == 1
                s.close()
        """, p.peer.v4).wait()
        equal(kernel_resets(p.host), 0, "resets of the kernel")
        equal(len(sniffer.stop()), 0, "resets on the cable")


@test()
def at_its_end_tcpd_ends_its_connections_first_and_the_kernel_resets_none():
    with Pair() as p:
        p.python("""
            s = listen(A[0], 7000); say("ready")
            held = [s.accept()[0] for _ in range(20)]
            say("held"); time.sleep(60)
        """, p.host.v4).expect("^ready")
        held = [p.peer.connect(p.host.v4, 7000) for _ in range(20)]
        wait_for(lambda: p.states(7000).count("ESTABLISHED") == 20, "twenty connections")
        closers = [threading.Thread(target=lambda s=s: (s.recv(1) == b"" and None, s.close()))
                   for s in held]
        for t in closers:
            t.start()
        p.d.stop()
        for t in closers:
            t.join()
        equal(kernel_resets(p.host), 0, "resets of the kernel")


@test()
def a_peer_that_does_not_close_gets_a_reset_of_tcpd_at_its_end():
    with Pair() as p:
        p.python("""
            s = listen(A[0], 7000); say("ready"); c, _ = s.accept(); time.sleep(60)
        """, p.host.v4).expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        wait_for(lambda: "ESTABLISHED" in p.states(7000), "the connection")
        sniffer = Sniffer(p, p.peer)
        p.d.stop()
        last = [g.flags for g in sniffer.stop() if g.sport == 7000 and not g.out]
        check(any(f & FIN for f in last), "no FIN came")
        check(last[-1] & RST, "the peer kept its half open and was not reset")
        s.close()


@test(seconds=120)
def one_claim_serves_many_outgoing_connections():
    with Pair() as p:
        p.kernel_python("""
            held, all = [], [listen(A[0], 7000 + i, 256) for i in range(4)]
            say("ready")
            while True:
                for s in select.select(all, [], [])[0]: held.append(s.accept()[0])
        """, p.peer.v4).expect("^ready")
        p.python("""
            held = [connect(A[0], 7000 + i % 4) for i in range(400)]
            say("connected")
            await_line()
        """, p.peer.v4, stdin=-1).expect("^connected", 60)
        status = p.d.status()
        equal(status["connections"], 400, "connections")
        check(status["port_claims"] <= 200, f"{status['port_claims']} claims for 400 connections")


@test(seconds=60)
def a_device_that_appears_later_carries_connections():
    with Pair() as p:
        new = p.namespace("new")
        p.cable(p.host, new, "eth1", "eth0", net=78)
        server = new.listen(new.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000); say(s.recv(100).decode())
        """, new.v4)
        s, _ = server.accept()
        s.sendall(b"found")
        equal(c.wait(), "found\n", "the client")
