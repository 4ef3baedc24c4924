# SPDX-License-Identifier: BSD-2-Clause
"""Much data, many connections, bad cables: what arrives is what was sent."""
from lib import Alone, BadCable, Limits, Pair, Tunnel, check, equal
from registry import test, test_each

FAMILIES = [("over IPv4", "v4"), ("over IPv6", "v6")]
# Port 7000 takes: it reads to the end. Port 7001 gives.
SERVER = """
    address, total = A[0], int(A[1])
    takes, gives = listen(address, 7000), listen(address, 7001)
    say("ready")
    for _ in range(2):
        for s in select.select([takes, gives], [], [])[0]:
            c, _ = s.accept()
            if s is takes:
                say("took", *read_all(c))
            else:
                say("gave", total, write_all(c, total, 2))
                c.shutdown(socket.SHUT_WR)
                assert c.recv(1) == b""
            c.close()
"""
CLIENT = """
    address, total, verb = A[0], int(A[1]), A[2]
    s = connect(address, 7000 if verb == "gave" else 7001, 300)
    if verb == "gave":
        say("gave", total, write_all(s, total, 3))
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    else:
        say("took", *read_all(s))
    s.close()
"""


def both_ways(server, client, address, total, wait=280):
    """Client to server, then server to client; the counts and checksums agree."""
    s = server(SERVER, address, total)
    s.expect("^ready")
    for verb in ("gave", "took"):
        client(CLIENT, address, total, verb, name="client").wait(wait)
    s.wait()


def agree(p, total):
    """What was given and taken, as all programs of this world said."""
    gave, took = [], []
    for process in p.processes:
        for line in process.out().splitlines():
            verb, *rest = line.split()
            if verb in ("gave", "took"):
                (gave if verb == "gave" else took).append((int(rest[0]), rest[1]))
    equal(len(gave), 2, "transfers")
    equal(sorted(took), sorted(gave), "bytes and sha256 that were taken")
    equal({n for n, _ in gave}, {total}, "bytes that were given")


@test_each(FAMILIES, seconds=600)
def bulk_each_way_with_a_server_in_tcpd(v):
    with Pair() as p:
        both_ways(p.python, p.kernel_python, getattr(p.host, v), Limits.bulk)
        agree(p, Limits.bulk)


@test_each(FAMILIES, seconds=600)
def bulk_each_way_with_a_client_in_tcpd(v):
    with Pair() as p:
        both_ways(p.kernel_python, p.python, getattr(p.peer, v), Limits.bulk)
        agree(p, Limits.bulk)


@test_each([("over 127.0.0.1", "127.0.0.1"), ("over ::1", "::1")], seconds=300)
def bulk_each_way_between_two_programs_of_one_tcpd(address):
    total = min(Limits.bulk, 128 << 20)
    with Alone() as p:
        both_ways(p.python, p.python, address, total)
        agree(p, total)


@test_each([("over 127.0.0.1", "127.0.0.1"), ("over ::1", "::1")], seconds=300)
def bulk_each_way_with_the_kernel_of_the_same_host(address):
    total = min(Limits.bulk, 64 << 20)
    with Alone() as p:
        both_ways(p.python, lambda *a, **m: p.kernel_python(*a, ns=p.host, **m), address, total)
        agree(p, total)


@test_each([("1280", 1280), ("9000", 9000), ("65535", 65535)], seconds=120)
def bulk_each_way_on_a_cable_with_an_MTU_of(mtu):
    with Pair(mtu=mtu) as p:
        both_ways(p.python, p.kernel_python, p.host.v4, 32 << 20)
        agree(p, 32 << 20)


@test_each(FAMILIES, seconds=120)
def bulk_each_way_by_a_device_that_is_no_Ethernet(v):
    with Tunnel() as p:
        both_ways(p.python, p.kernel_python, getattr(p.host, v), 8 << 20)
        agree(p, 8 << 20)


@test_each([("1", 1), ("2", 2)], seconds=240)
def loss_reordering_duplication_and_corruption_over_IPv4_change_no_byte_seed(seed):
    bad_cable("v4", seed)


@test(seconds=240)
def loss_reordering_duplication_and_corruption_over_IPv6_change_no_byte():
    bad_cable("v6", 3)


def bad_cable(v, seed):
    total = 4 << 20
    with BadCable("-l", "5", "-r", "5", "-d", "2", "-c", "1", seed=seed) as p:
        both_ways(p.python, p.kernel_python, getattr(p.host, v), total, 200)
        agree(p, total)
        if not Limits.reference:
            stats = p.d.stats()
        did = p.relay_counts()
        for what in ("lost", "doubled", "held", "corrupted"):
            check(did[what] > 10, f"the relay was too good: {did}")
        equal(did["too_long"], 0, "super-frames at the relay")
        if not Limits.reference:
            check(stats["tcpRetransSegs"] > 0, "tcpd retransmitted nothing")
            # of IPv6 the kernel checks the sums
            check(stats["tcpInErrs"] > 0 or v == "v6", "tcpd saw no bad checksum")


HOLD = """
    import selectors
    e, n, got = selectors.DefaultSelector(), int(A[1]), 0
    s = listen(A[0], 7100, 1024)
    say("ready")
    held = []
    while len(held) < n: held.append(s.accept()[0])
    say("held", n)
    for i, c in enumerate(held): e.register(c, selectors.EVENT_READ)
    while got < n:
        for key, _ in e.select(30):
            b = key.fileobj.recv(100)
            if b: key.fileobj.sendall(b); continue
            e.unregister(key.fileobj); key.fileobj.close(); got += 1
    say("all closed")
"""
CALL = """
    n = int(A[1])
    held = [connect(A[0], 7100) for _ in range(n)]
    for i, s in enumerate(held): s.sendall(b"number %d" % i)
    for i, s in enumerate(held): assert s.recv(100) == b"number %d" % i, i
    for i, s in enumerate(held): s.close()
    say("all equal")
"""


@test(seconds=120)
def five_hundred_connections_at_once_to_a_server_in_tcpd():
    with Pair() as p:
        s = p.python(HOLD, p.host.v4, 500)
        s.expect("^ready")
        c = p.kernel_python(CALL, p.host.v4, 500)
        s.expect("^held 500", 60)
        equal(c.wait(60), "all equal\n", "the clients")
        s.wait(60)


@test(seconds=120)
def five_hundred_connections_at_once_from_a_client_in_tcpd():
    with Pair() as p:
        s = p.kernel_python(HOLD, p.peer.v4, 500)
        s.expect("^ready")
        c = p.python(CALL, p.peer.v4, 500)
        s.expect("^held 500", 60)
        equal(c.wait(60), "all equal\n", "the client")
        s.wait(60)


@test(seconds=120)
def five_hundred_connections_at_once_with_both_ends_in_tcpd():
    with Alone() as p:
        s = p.python(HOLD, "127.0.0.1", 500)
        s.expect("^ready")
        c = p.python(CALL, "127.0.0.1", 500)
        equal(c.wait(90), "all equal\n", "the client")
        s.wait(60)


@test(seconds=120)
def twenty_transfers_at_once_are_all_whole():
    with Pair() as p:
        s = p.python("""
            def serve(c, seed):
                say("gave", seed, write_all(c, 4 << 20, seed)); c.close()
            s = listen(A[0], 7200)
            say("ready")
            threads = []
            for seed in range(20):
                t = threading.Thread(target=serve, args=(s.accept()[0], seed))
                t.start(); threads.append(t)
            for t in threads: t.join()
        """, p.host.v4)
        s.expect("^ready")
        c = p.kernel_python("""
            def take(s): say("took", *read_all(s))
            held = [connect(A[0], 7200, 100) for _ in range(20)]
            threads = [threading.Thread(target=take, args=(s,)) for s in held]
            for t in threads: t.start()
            for t in threads: t.join()
        """, p.host.v4)
        c.wait(100)
        s.wait(20)
        gave = sorted(x.split()[2] for x in s.out().splitlines() if x.startswith("gave"))
        took = sorted(x.split()[2] for x in c.out().splitlines() if x.startswith("took"))
        equal(took, gave, "sha256 of twenty streams")
