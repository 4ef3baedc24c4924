# SPDX-License-Identifier: BSD-2-Clause
"""tcpd's processes come and go; programs get clean errors and can go on."""
import os
import signal
import socket

from lib import Pair, check, equal, wait_for
from registry import test

CLEAN = "(errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENETDOWN, errno.ETIMEDOUT)"


def kill_worker(d):
    before = d.status()
    os.kill(before["worker_pid"], signal.SIGKILL)
    d.worker_starts += 1

    def another():
        done = d.ctl("--json", "status", status=None)
        return done.returncode == 0 and d.status()["worker_pid"] != before["worker_pid"]
    wait_for(another, "another worker")
    now = d.status()
    equal(now["supervisor_pid"], before["supervisor_pid"], "the supervisor")
    equal(now["worker_starts"], before["worker_starts"] + 1, "starts of the worker")


SERVE = """
    s = listen("0.0.0.0", A[0]); say("ready")
    c, _ = s.accept()
    c.sendall(c.recv(100))
    say("served")
"""


def serves(p, port):
    server = p.python(SERVE, port, name=f"server{port}")
    server.expect("^ready")
    with p.peer.connect(p.host.v4, port) as s:
        s.sendall(b"hello")
        equal(s.recv(100), b"hello", "the echo")
    server.wait()


@test(seconds=120)
def after_kill_9_of_the_worker_new_sockets_work_at_once():
    with Pair() as p:
        serves(p, 7000)
        for i in range(1, 4):
            kill_worker(p.d)
            serves(p, 7000 + i)


@test(seconds=120)
def after_kill_9_of_the_worker_the_same_port_can_be_served_again():
    with Pair() as p:
        old = p.python("s = listen('0.0.0.0', 7000); say('ready'); await_line()", stdin=-1)
        old.expect("^ready")
        kill_worker(p.d)
        old.kill()
        serves(p, 7000)


@test(seconds=120)
def after_kill_9_of_the_worker_old_clients_get_clean_errors_and_the_process_goes_on():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python(f"""
            def outcome(call, *args):
                try: return "end" if call(*args) in (b"", 1) else "data"
                except OSError as e:
                    assert e.errno in {CLEAN}, e
                    return "error"
            reader, writer = connect(A[0], 7000, None), connect(A[0], 7000, None)
            polled = connect(A[0], 7000, None)
            say("connected")
            assert outcome(reader.recv, 10) in ("end", "error")
            poll = select.poll(); poll.register(polled, select.POLLIN)
            assert poll.poll(10000), "poll does not see the end"
            def write():
                while True: writer.send(b"x")
            assert outcome(write) == "error"
            say("ended")
            s = connect(A[0], 7000)
            s.sendall(b"new")
            say(s.recv(100).decode())
        """, p.peer.v4)
        held = [server.accept()[0] for _ in range(3)]
        c.expect("^connected")
        kill_worker(p.d)
        c.expect("^ended", 30)
        s, _ = server.accept()
        equal(s.recv(100), b"new", "from the new socket")
        s.sendall(b"works")
        check(c.wait().endswith("works\n"), "the new socket gets no answer")
        del held


@test(seconds=120)
def after_kill_9_of_the_worker_a_listener_does_not_wait_for_ever():
    with Pair() as p:
        c = p.python("""
            s = listen("0.0.0.0", 7000); say("ready")
            poll = select.poll(); poll.register(s, select.POLLIN)
            assert poll.poll(20000), "the listener's end is not seen"
            try: s.accept(); say("accepted")
            except OSError as e: say("error", errno.errorcode[e.errno])
        """)
        c.expect("^ready")
        kill_worker(p.d)
        check(c.wait(30).splitlines()[-1].startswith("error"), f"accept says {c.out()!r}")


@test(seconds=120)
def when_tcpd_stops_clients_get_clean_errors():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python(f"""
            reader, writer = connect(A[0], 7000, None), connect(A[0], 7000, None)
            waits = listen("0.0.0.0", 7001)
            say("connected")
            try: assert reader.recv(10) == b""
            except OSError as e: assert e.errno in {CLEAN}, e
            try:
                while True: writer.send(b"x")
            except OSError as e: assert e.errno in {CLEAN}, e
            try: waits.accept(); raise AssertionError("accepted")
            except OSError: pass
            say("ended")
            fails(errno.ENETDOWN, socket.socket)
            say("socket() says so")
            await_line()
            waits.close()
            s = connect(A[0], 7000); s.sendall(b"again"); say(s.recv(100).decode())
        """, p.peer.v4, stdin=-1)
        held = [server.accept()[0] for _ in range(2)]
        c.expect("^connected")
        p.d.stop()
        c.expect("^ended", 30)
        c.expect("^socket.. says so")
        p.d.start()
        c.popen.stdin.write(b"go on\n")
        c.popen.stdin.flush()
        s, _ = server.accept()
        equal(s.recv(100), b"again", "from the same process, with the new tcpd")
        s.sendall(b"welcome")
        check(c.wait().endswith("welcome\n"), "no answer")
        equal(len(c.err().splitlines()), 1, f"lines on stderr ({c.err()!r})")
        del held


@test()
def without_tcpd_socket_fails_with_ENETDOWN_and_one_line_and_nothing_reaches_the_kernel():
    with Pair() as p:
        p.d.stop()
        k = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            for _ in range(5): fails(errno.ENETDOWN, socket.socket)
            fails(errno.ENETDOWN, socket.socket, socket.AF_INET6)
            socket.socket(type=socket.SOCK_DGRAM)
            socket.socketpair()
        """)
        c.wait()
        lines = c.err().splitlines()
        equal(len(lines), 1, f"lines on stderr ({lines})")
        check(p.d.socket in lines[0], f"it does not say where it looked: {lines[0]}")
        curl = p.tcprun("curl", "-sS", f"http://{p.peer.v4}:7000/")
        curl.wait(status=None)
        check(curl.popen.returncode != 0, "curl had success without tcpd")
        k.settimeout(0.2)
        try:
            k.accept()
            check(False, "a connection reached the peer")
        except socket.timeout:
            pass


@test()
def a_second_tcpd_on_the_same_socket_refuses_to_start():
    with Pair() as p:
        second = p.spawn(p.host, *p.d.process.argv, name="second")
        second.wait(20, status=1)
        check(second.err().strip(), "it says nothing")
        serves(p, 7000)


@test()
def sigterm_ends_tcpd_with_0_and_takes_its_socket_away():
    with Pair() as p:
        serves(p, 7000)
        p.d.stop()
        check(not os.path.exists(p.d.socket), "the socket file is still there")
        equal(p.host.pids(), [], "processes left in the namespace")


@test(seconds=60)
def a_process_that_dies_has_its_connections_closed():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("s = connect(A[0], 7000); s.sendall(b'x'); say('up'); time.sleep(60)",
                     p.peer.v4)
        s, _ = server.accept()
        equal(s.recv(10), b"x", "its data")
        c.expect("^up")
        c.signal(signal.SIGKILL)
        equal(s.recv(10), b"", "the end of the stream")
        s.close()
        wait_for(lambda: "ESTABLISHED" not in p.states(), "the connection to be gone")
