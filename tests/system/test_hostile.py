# SPDX-License-Identifier: BSD-2-Clause
"""Bad input of every kind: dropped, counted, answered; and tcpd goes on."""
import os
import random
import socket
import struct
import subprocess

from lib import Limits, Pair, check, equal, wait_for
from registry import test, test_each
from sniff import ACK, FIN, PSH, RST, SYN, checksum, injector, ip_packet, tcp_packet

SERVER = """
    s = listen("::", 7000, 128); say("ready")
    while True:
        c, _ = s.accept()
        def one(c=c):
            while (b := c.recv(65536)): c.sendall(b)
            c.close()
        threading.Thread(target=one).start()
"""


def serves(p):
    with p.peer.connect(p.host.v4, 7000) as s:
        s.sendall(b"still there?")
        equal(s.recv(100), b"still there?", "the echo")


def drops(d):
    """Counters of discarded segments: all that are no counters of the RFC."""
    return {k: v for k, v in d.stats().items() if not k.startswith("tcp")}


@test(seconds=120)
def random_bytes_as_TCP_are_counted_and_harm_nobody():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        before, raw, rnd = p.d.stats(), injector(p.peer), random.Random(4)
        for i in range(5000):
            ports = struct.pack("!HH", rnd.randrange(65536), 7000)
            raw.sendto(ip_packet(p.peer.v4, p.host.v4, 6, ports + rnd.randbytes(
                rnd.randrange(0, 200))), (p.host.v4, 0))
            if i % 500 == 0:
                s.sendall(b"x")
                equal(s.recv(10), b"x", "the echo amid the flood")
        after = p.d.stats()
        check(after["tcpInErrs"] > before["tcpInErrs"], "tcpInErrs does not count them")
        check(sum(drops(p.d).values()) >= 4000, f"drops by reason: {drops(p.d)}")
        serves(p)


@test(seconds=120)
def segments_with_good_checksums_and_mad_contents_harm_nobody():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        mine, raw, rnd = s.getsockname()[1], injector(p.peer), random.Random(5)
        for i in range(5000):
            raw.sendto(tcp_packet(
                p.peer.v4, p.host.v4, rnd.choice((mine, rnd.randrange(65536), 0)), 7000,
                # no RST: one in a million would be at its place and end the connection
                rnd.choice((SYN, ACK, FIN, SYN | FIN, SYN | ACK, 0, PSH | ACK, 0xfb, FIN | ACK)),
                seq=rnd.randrange(1 << 32), ack=rnd.randrange(1 << 32),
                window=rnd.randrange(65536), payload=rnd.randbytes(rnd.randrange(0, 100)),
                options=rnd.randbytes(rnd.randrange(0, 40))), (p.host.v4, 0))
            if i % 500 == 0:
                s.sendall(b"x")
                equal(s.recv(10), b"x", "the echo amid the flood")
        check(sum(drops(p.d).values()) >= 2500, f"drops by reason: {drops(p.d)}")
        serves(p)


@test_each([("truncated header", lambda h: h[:12]),
            ("data offset below 5", lambda h: h[:12] + b"\x40" + h[13:]),
            ("data offset beyond the segment", lambda h: h[:12] + b"\xf0" + h[13:]),
            ("nothing at all", lambda h: h[:4])])
def a_malformed_segment_is_dropped_and_counted(change):
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        whole = tcp_packet(p.peer.v4, p.host.v4, 5555, 7000, SYN)
        before = sum(drops(p.d).values()), p.d.stats()["tcpOutRsts"]
        injector(p.peer).sendto(ip_packet(p.peer.v4, p.host.v4, 6, change(whole[20:])),
                                (p.host.v4, 0))
        wait_for(lambda: sum(drops(p.d).values()) > before[0], "its counter to go up")
        equal(p.d.stats()["tcpOutRsts"], before[1], "resets sent")


@test()
def a_reset_in_the_window_but_not_at_its_edge_ends_nothing():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        s.sendall(b"x")
        equal(s.recv(10), b"x", "the echo")
        c = [c for c in p.d.list() if c["state"] == "ESTABLISHED"][0]
        check(c["rcv_wnd"] > 1000, "no window")
        raw = injector(p.peer)
        for seq in range(0, 1 << 32, max(4096, c["rcv_wnd"] // 2)):
            raw.sendto(tcp_packet(p.peer.v4, p.host.v4, s.getsockname()[1], 7000, RST, seq=seq),
                       (p.host.v4, 0))
            if seq > 4096 * 20000:
                break
        s.sendall(b"y")
        equal(s.recv(10), b"y", "the echo after the resets")


@test()
def a_forged_fragmentation_needed_changes_nobodys_path_mtu():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        raw = injector(p.peer)
        for sport, dport in ((7000, s.getsockname()[1]), (7000, 1), (22, 22)):
            quoted = tcp_packet(p.host.v4, p.peer.v4, sport, dport, ACK, seq=0x12345678)[:28]
            icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quoted
            icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
            raw.sendto(ip_packet(p.peer.v4, p.host.v4, 1, icmp), (p.host.v4, 0))
        s.sendall(b"x" * 60000)
        got = 0
        while got < 60000:
            got += len(s.recv(65536))
        check("mtu" not in p.host.ip("route", "get", p.peer.v4),
              "the host's PMTU cache was poisoned: " + p.host.ip("route", "get", p.peer.v4))
        c = [c for c in p.d.list() if c["state"] == "ESTABLISHED"][0]
        check(c["mss"] > 1300, f"the MSS fell to {c['mss']}")


# ---- requests --------------------------------------------------------------------------------


def session(d):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect(d.socket)
    return s


@test()
def a_garbage_request_closes_its_session_and_nothing_else():
    with Pair() as p:
        c = p.python(SERVER)
        c.expect("^ready")
        held = p.peer.connect(p.host.v4, 7000)
        rnd = random.Random(6)
        for n in (1, 2, 3, 10, 100, 1000, 60000):
            for first in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f"):
                with session(p.d) as s:
                    s.send(first + rnd.randbytes(n))
                    try:
                        while s.recv(65536):  # an answer may come first
                            pass
                    except (ConnectionResetError, BrokenPipeError):
                        pass  # closed with our bytes unread
        held.sendall(b"x")
        equal(held.recv(10), b"x", "the echo")
        serves(p)
        p.d.ctl("status")


@test(seconds=120)
def random_requests_and_sessions_that_do_not_read_harm_nobody():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        rnd, deaf = random.Random(7), []
        for i in range(300):
            s = session(p.d)
            s.setblocking(False)
            for _ in range(20):
                # id, and a call of a known number with random contents
                body = rnd.randbytes(rnd.randrange(0, 30))
                tag = rnd.choice((2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20, 21, 22, 23, 25))
                key = tag << 3 | 2
                head = bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])
                try:
                    s.send(b"\x08\x01" + head + bytes([len(body)]) + body)
                except OSError:
                    break
            if i % 10 == 0:
                deaf.append(s)
            else:
                s.close()
        serves(p)
        p.d.ctl("status")


@test()
def a_request_with_too_many_or_foreign_descriptors_harms_nobody_and_leaks_none():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        serves(p)
        before = p.d.status()["fds_used"]
        null = os.open("/dev/null", os.O_RDONLY)
        a, b = socket.socketpair()
        for fds in ([null] * 1, [null] * 2, [null] * 250, [a.fileno()], [a.fileno(), b.fileno()]):
            for _ in range(20):
                with session(p.d) as s:
                    # name { }, as if it were a socket of tcpd
                    socket.send_fds(s, [b"\x08\x01\x42\x00"], fds)
                    try:
                        s.recv(65536)
                    except OSError:
                        pass
        os.close(null)
        serves(p)
        wait_for(lambda: p.d.status()["fds_used"] <= before + 4,
                 lambda: f"no fds to be left: {before} before, {p.d.status()['fds_used']} now")


@test(seconds=120)
def sessions_of_processes_that_vanish_leave_nothing():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        before = p.d.status()
        for _ in range(200):
            session(p.d).close()
        wait_for(lambda: p.d.status()["sessions"] <= before["sessions"] + 1, "sessions to go")


# ---- limits ----------------------------------------------------------------------------------


@test(seconds=180)
def at_the_limit_of_descriptors_socket_fails_alone_and_recovers():
    with Pair(daemon=False) as p:
        p.d = p.tcpd(p.host, max_fds=200)
        equal(p.d.status()["fds_limit"], 200, "the limit that tcpctl status shows")
        p.python(SERVER).expect("^ready")
        c = p.python("""
            full = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
            for _ in range(3):
                held = []
                try:
                    while len(held) < 1000:
                        held.append(socket.socket())
                        held[-1].bind(("0.0.0.0", 0)); held[-1].listen()
                except OSError as e: assert e.errno in full, e
                assert 20 < len(held) < 200, len(held)
                say("full with", len(held)); await_line()
                for s in held: s.close()
                say("empty"); await_line()
        """, stdin=-1)
        for i in range(1, 4):
            wait_for(lambda: c.out().count("full with") == i or c.ended(), "the limit")
            check(p.d.status()["fds_used"] > 150, "the limit is not near")
            c.popen.stdin.write(b"\n")
            c.popen.stdin.flush()
            wait_for(lambda: c.out().count("empty") == i or c.ended(), "the sockets to close")
            wait_for(lambda: p.d.status()["fds_used"] < 100, "their descriptors to be free")
            serves(p)
            c.popen.stdin.write(b"\n")
            c.popen.stdin.flush()
        c.wait()


@test(seconds=120)
def a_program_at_its_own_limit_of_descriptors_gets_EMFILE_and_recovers():
    with Pair() as p:
        p.python("""
            import resource
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            held = []
            for _ in range(3):
                try:
                    while True: held.append(socket.socket())
                except OSError as e: assert e.errno == errno.EMFILE, e
                assert len(held) > 40, len(held)
                for s in held: s.close()
                held = []
            l = listen("127.0.0.1", 7001)
        """).wait()


@test()
def a_full_port_range_fails_with_EADDRNOTAVAIL_or_EADDRINUSE_and_recovers():
    with Pair() as p:
        p.d.set("tcp_smallest_anon_port", 40000)
        p.d.set("tcp_largest_anon_port", 40009)
        p.python("""
            held = []
            try:
                while len(held) < 100:
                    s = socket.socket(); s.bind(("0.0.0.0", 0)); held.append(s)
                    assert 40000 <= s.getsockname()[1] <= 40009, s.getsockname()
            except OSError as e: assert e.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE), e
            assert len(held) == 10, len(held)
            held.pop().close()
            s = socket.socket(); s.bind(("0.0.0.0", 0))
        """).wait()


# ---- command lines ---------------------------------------------------------------------------


@test_each([(" ".join(argv), argv) for argv in (
    ["daemon/tcpd", "--no-such-option"], ["daemon/tcpd", "extra"], ["daemon/tcpd", "--socket"],
    ["daemon/tcpd", "--log-level", "loud"], ["cli/tcpctl"], ["cli/tcpctl", "no-such-command"],
    ["cli/tcpctl", "--no-such-option"], ["cli/tcpctl", "drop"], ["cli/tcpctl", "drop", "x"],
    ["cli/tcpctl", "show"], ["cli/tcpctl", "list", "-z"], ["cli/tcpctl", "ndd", "-set", "/dev/tcp"],
    ["cli/tcprun"], ["cli/tcprun", "--no-such-option"],
    ["cli/tcprun", "--mode=magic", "true"], ["cli/tcprun", "--socket"])])
def a_wrong_command_line_gives_one_clear_line_and_exit_2(argv):
    done = subprocess.run([os.path.join(Limits.build, argv[0]), *argv[1:]], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=20)
    equal(done.returncode, 2, "the exit status")
    equal(len(done.stderr.splitlines()), 1, f"lines on stderr ({done.stderr!r})")
    equal(done.stdout, "", "stdout")


@test_each([("status", ["status"]), ("list", ["list"]), ("stats", ["stats"])])
def tcpctl_without_a_daemon_gives_one_clear_line_and_exit_1_for(argv):
    done = subprocess.run([os.path.join(Limits.build, "cli/tcpctl"), "--socket", "/nowhere/sock",
                           *argv], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 1, "the exit status")
    equal(len(done.stderr.splitlines()), 1, f"lines on stderr ({done.stderr!r})")
    check("/nowhere/sock" in done.stderr, "it does not say where it looked")


@test_each([("a socket below what is no directory", ["--socket", "/dev/null/nowhere/sock"]),
            ("a configuration that is not there", ["--config", "/nowhere/conf"])])
def tcpd_that_cannot_start_says_why_and_exits_1_for(argv):
    with Pair(daemon=False) as p:
        c = p.spawn(p.host, os.path.join(Limits.daemon_build or Limits.build, "daemon/tcpd"),
                    "--state-dir", p.tmp + "/state", *argv)
        c.wait(20, status=1)
        check("/nowhere" in c.err(), f"it does not say what: {c.err()!r}")
