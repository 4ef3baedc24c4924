# SPDX-License-Identifier: BSD-2-Clause
"""What a program is told, and when: errors, ends of streams, readiness."""
import select
import socket
import struct

from lib import Pair, check, equal, wait_for
from registry import test, test_each
from sniff import FIN, RST, Sniffer

LINGER_0 = struct.pack("ii", 1, 0)


@test_each([("over IPv4", "v4"), ("over IPv6", "v6")])
def a_refused_connect_says_ECONNREFUSED(v):
    with Pair() as p:
        p.python("""
            s = socket.socket(family(A[0]))
            fails(errno.ECONNREFUSED, s.connect, (A[0], 7000))
            assert so_error(s) == 0, "the error is told twice"
            n = socket.socket(family(A[0])); n.setblocking(False)
            fails(errno.EINPROGRESS, n.connect, (A[0], 7000))
            poll = select.poll(); poll.register(n, select.POLLOUT)
            assert poll.poll(10000), "poll says nothing"
            assert so_error(n) == errno.ECONNREFUSED, so_error(n)
            assert so_error(n) == 0
        """, getattr(p.peer, v)).wait()


@test()
def a_nonblocking_connect_is_writable_once_it_is_established_and_not_before():
    with Pair() as p:
        p.peer.drop("input", "tcp dport 7000")
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = socket.socket(); s.setblocking(False)
            fails(errno.EINPROGRESS, s.connect, (A[0], 7000))
            fails(errno.EALREADY, s.connect, (A[0], 7000))
            poll = select.poll(); poll.register(s, select.POLLOUT | select.POLLIN)
            assert poll.poll(300) == [], "ready before it is established"
            fails(errno.ENOTCONN, s.getpeername)
            fails(errno.EAGAIN, s.send, b"too early")
            say("waits")
            assert [e for _, e in poll.poll(20000)] == [select.POLLOUT]
            assert so_error(s) == 0
            assert s.getpeername() == (A[0], 7000)
            assert s.connect_ex((A[0], 7000)) in (0, errno.EISCONN)  # the kernel's says 0 once
            fails(errno.EISCONN, s.connect, (A[0], 7000))
            s.setblocking(True); s.sendall(b"hello")
            s.close()
        """, p.peer.v4)
        c.expect("^waits")
        p.peer.run("nft", "flush", "ruleset")
        s, _ = server.accept()
        equal(s.recv(10), b"hello", "its data")
        c.wait()


@test()
def a_reset_says_ECONNRESET_to_a_reader_and_to_SO_ERROR_and_ends_poll():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            blocked = connect(A[0], 7000); polled = connect(A[0], 7000)
            asked = connect(A[0], 7000)
            say("connected")
            fails(errno.ECONNRESET, blocked.recv, 10)
            assert blocked.recv(10) == b"", "after the error comes the end"
            poll = select.poll(); poll.register(polled, select.POLLIN)
            (_, e), = poll.poll(10000)
            assert e & select.POLLIN and e & (select.POLLERR | select.POLLHUP), e
            fails(errno.ECONNRESET, polled.recv, 10)
            poll = select.poll(); poll.register(asked, select.POLLIN)
            assert poll.poll(10000)
            assert so_error(asked) == errno.ECONNRESET
            assert so_error(asked) == 0
        """, p.peer.v4)
        held = [server.accept()[0] for _ in range(3)]
        c.expect("^connected")
        for s in held:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
            s.close()
        c.wait()


@test()
def writing_after_a_reset_says_EPIPE_and_raises_SIGPIPE():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            import signal
            s = connect(A[0], 7000); say("connected")
            poll = select.poll(); poll.register(s, select.POLLIN); assert poll.poll(10000)
            fails(errno.ECONNRESET, s.recv, 1)
            fails(errno.EPIPE, s.send, b"x")
            came = []
            signal.signal(signal.SIGPIPE, lambda *a: came.append(1))
            fails(errno.EPIPE, s.send, b"x", socket.MSG_NOSIGNAL)
            assert not came
            fails(errno.EPIPE, os.write, s.fileno(), b"x")
            time.sleep(0.01)  # Python runs its handlers between two lines
            assert came
        """, p.peer.v4)
        s, _ = server.accept()
        c.expect("^connected")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        s.close()
        c.wait()


@test()
def data_before_an_orderly_end_is_all_read_and_then_the_end():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            poll = select.poll(); poll.register(s, select.POLLIN | select.POLLRDHUP)
            while not poll.poll(10000)[0][1] & select.POLLRDHUP: time.sleep(0.01)
            (_, e), = poll.poll(0)
            assert not e & (select.POLLHUP | select.POLLERR), e
            n, h = read_all(s)
            say(n)
            assert s.recv(1) == b""
            assert so_error(s) == 0
        """, p.peer.v4)
        s, _ = server.accept()
        s.sendall(b"x" * 50000)
        s.shutdown(socket.SHUT_WR)
        equal(c.wait(), "50000\n", "bytes read")


@test()
def half_close_lets_the_other_direction_go_on_when_tcpd_closes_first():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            s.sendall(b"question"); s.shutdown(socket.SHUT_WR)
            fails(errno.EPIPE, s.send, b"x")
            say(*read_all(s))
        """, p.peer.v4)
        s, _ = server.accept()
        equal(s.makefile("rb").read(), b"question", "until the end")
        for _ in range(100):
            s.sendall(b"a" * 10000)
        s.close()
        equal(c.wait().split()[0], "1000000", "bytes after the half-close")


@test()
def half_close_lets_the_other_direction_go_on_when_the_peer_closes_first():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            assert read_all(s)[0] == 8
            say("gave", write_all(s, 1000000))
            s.close()
        """, p.peer.v4)
        s, _ = server.accept()
        s.sendall(b"question")
        s.shutdown(socket.SHUT_WR)
        equal(len(s.makefile("rb").read()), 1000000, "bytes after the half-close")
        c.wait()


@test()
def close_with_unread_data_resets_the_peer():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            poll = select.poll(); poll.register(s, select.POLLIN); assert poll.poll(10000)
            assert s.recv(1) == b"u"
            s.close()
        """, p.peer.v4)
        s, _ = server.accept()
        s.sendall(b"unread")
        c.wait()
        try:
            got = s.recv(10)
            check(False, f"no reset but {got!r}")
        except ConnectionResetError:
            pass


@test()
def close_with_linger_0_resets_the_peer():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        """, p.peer.v4)
        s, _ = server.accept()
        c.wait()
        try:
            check(False, f"no reset but {s.recv(10)!r}")
        except ConnectionResetError:
            pass


@test()
def close_with_all_data_read_ends_in_good_order():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        sniffer = Sniffer(p, p.peer)
        c = p.python("""
            s = connect(A[0], 7000)
            assert s.recv(10) == b"read"
            s.close()
        """, p.peer.v4)
        s, _ = server.accept()
        s.sendall(b"read")
        equal(s.recv(10), b"", "the end")
        s.close()
        c.wait()
        check(not any(g.flags & RST for g in sniffer.stop()), "a reset was seen")
        check(any(g.flags & FIN and not g.out for g in sniffer.segments), "no FIN was seen")


@test()
def close_with_linger_waits_until_the_data_are_acknowledged():
    with Pair() as p:
        server = p.peer.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        server.bind((p.peer.v4, 7000))
        server.listen()
        c = p.python("""
            s = connect(A[0], 7000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
            s.sendall(b"x" * 60000)
            say("written")
            s.close()
            say("closed")
        """, p.peer.v4)
        s, _ = server.accept()
        c.expect("^written")
        check("closed" not in c.out(), "close() did not wait")
        equal(len(s.makefile("rb").read()), 60000, "bytes")
        s.close()
        c.expect("^closed")
        c.wait()


@test()
def a_program_that_exits_leaves_its_last_data_to_arrive():
    with Pair() as p:
        server = p.peer.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        server.bind((p.peer.v4, 7000))
        server.listen()
        c = p.python("""
            s = connect(A[0], 7000); s.sendall(b"x" * 60000); os._exit(0)
        """, p.peer.v4)
        s, _ = server.accept()
        c.wait()
        equal(len(s.makefile("rb").read()), 60000, "bytes")


@test()
def names_and_wrong_calls_are_answered_as_the_kernel_does():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = socket.socket()
            fails(errno.ENOTCONN, s.getpeername)
            fails(errno.ENOTCONN, socket.socket().shutdown, socket.SHUT_RDWR)
            fails(errno.ENOTCONN, s.recv, 1)
            fails(errno.EPIPE, s.send, b"x", socket.MSG_NOSIGNAL)
            fails(errno.EINVAL, s.accept)
            fails(errno.EADDRNOTAVAIL, s.bind, ("192.0.2.1", 0))
            assert s.getsockname() == ("0.0.0.0", 0), s.getsockname()
            s.bind((A[0], 0))
            name = s.getsockname()
            assert name[0] == A[0] and name[1] > 0, name
            fails(errno.EINVAL, s.bind, (A[0], 0))
            t = socket.socket()
            fails(errno.EADDRINUSE, t.bind, name)
            s.connect((A[1], 7000))
            assert s.getsockname() == name and s.getpeername() == (A[1], 7000)
            fails(errno.EISCONN, s.connect, (A[1], 7000))
            fails(errno.EINVAL, s.listen)
            fails(errno.ENETUNREACH, t.connect, ("192.0.2.1", 1))
            fails(errno.ENOPROTOOPT, s.setsockopt, socket.IPPROTO_TCP, 999, 1)
            fails(errno.ENOPROTOOPT, s.getsockopt, socket.IPPROTO_TCP, 999)
            say("done")
        """, p.host.v4, p.peer.v4)
        held, _ = server.accept()  # not to be closed yet
        equal(c.wait(), "done\n", "the program")


@test()
def listen_and_accept_have_the_kernels_options_and_errors():
    with Pair() as p:
        c = p.python("""
            s = listen("0.0.0.0", 7000)
            s.setblocking(False)
            fails(errno.EAGAIN, s.accept)
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
            assert s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_TCP
            say("ready")
            poll = select.poll(); poll.register(s, select.POLLIN)
            assert poll.poll(10000) == [(s.fileno(), select.POLLIN)]
            c, peer = s.accept()
            import fcntl
            assert not fcntl.fcntl(c, fcntl.F_GETFL) & os.O_NONBLOCK or c.gettimeout() == 0.0
            assert peer[0] == A[0], peer
            assert c.getpeername() == peer and c.getsockname()[1] == 7000
            assert c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            assert c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert 500 < c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1460
            fails(errno.EAGAIN, s.accept)
        """, p.peer.v4)
        c.expect("^ready")
        with p.peer.connect(p.host.v4, 7000):
            c.wait()


@test()
def a_full_backlog_lets_no_more_connections_in_and_accept_makes_room():
    with Pair() as p:
        c = p.python("""
            s = listen("0.0.0.0", 7000, 2); say("ready"); await_line()
            for _ in range(3): s.accept()[0].sendall(b"in")
            say("accepted"); await_line()
        """, stdin=-1)
        c.expect("^ready")
        calls = []
        while len(calls) < 40:  # one after the other, until one is kept waiting
            s = p.peer.socket(timeout=0.5)
            calls.append(s)
            try:
                s.connect((p.host.v4, 7000))
            except socket.timeout:
                break
        # 2 * 3/2 + 1, as illumos counts; those on their way to the program included
        check(2 <= len(calls) - 1 <= 4, f"{len(calls) - 1} connections with a backlog of 2")
        c.popen.stdin.write(b"go on\n")
        c.popen.stdin.flush()
        c.expect("^accepted")
        wait_for(lambda: len(select.select(calls, [], [], 0)[0]) == 3, "three that are served")


@test(seconds=60)
def timeouts_on_the_socket_are_obeyed():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
            s.connect((A[0], 7000))
            start = time.monotonic()
            fails(errno.EAGAIN, s.recv, 1)
            assert 0.15 < time.monotonic() - start < 5
            l = listen("0.0.0.0", 7001)
            l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
            fails(errno.EAGAIN, l.accept)
        """, p.peer.v4)
        held, _ = server.accept()  # not to be closed yet
        c.wait()


@test(seconds=60)
def an_unreachable_neighbour_is_why_the_connect_failed():
    """RFC 9293 MUST-56: such an ICMP error ends nothing; it is told when the time is over."""
    with Pair() as p:
        p.d.set("tcp_ip_abort_cinterval", 6000)
        c = p.python("""
            s = socket.socket(); s.settimeout(40)
            try: s.connect((A[0], 7000))
            except OSError as e: say(errno.errorcode.get(e.errno, e))
        """, "10.77.0.200")
        equal(c.wait(50), "EHOSTUNREACH\n", "connect")


@test(seconds=60)
def a_dead_peer_times_the_connection_out():
    with Pair() as p:
        p.d.set("tcp_ip_abort_interval", 3000)
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000); say("connected"); await_line()
            s.sendall(b"into the void")
            fails(errno.ETIMEDOUT, s.recv, 1)
            say("timed out")
        """, p.peer.v4, stdin=-1)
        held, _ = server.accept()  # not to be closed yet
        c.expect("^connected")
        p.peer.drop("input", "meta l4proto tcp")
        c.popen.stdin.write(b"go on\n")
        c.popen.stdin.flush()
        c.expect("^timed out", 40)


@test(seconds=60)
def peek_waitall_and_dontwait_work():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)
            fails(errno.EAGAIN, s.recv, 1, socket.MSG_DONTWAIT)
            say("waits")
            assert s.recv(10, socket.MSG_PEEK | socket.MSG_WAITALL) in (b"0123456789", b"01234")
            got = s.recv(10, socket.MSG_WAITALL)
            assert got == b"0123456789", got
            import fcntl, termios
            while (n := struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, b"1234"))[0]) < 7:
                time.sleep(0.01)
            assert n == 7, n
        """, p.peer.v4)
        s, _ = server.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.expect("^waits")
        s.sendall(b"01234")
        s.sendall(b"56789")
        s.sendall(b"the end")
        c.wait()
