# SPDX-License-Identifier: BSD-2-Clause
"""Programs do odd things with descriptors, processes and threads, and keep working."""
import os


from lib import Pair, equal, sh
from registry import test, test_each


def echo(ns, address, port=7000, count=1):
    """An echo server of the kernel, in threads of this process."""
    import threading
    server = ns.listen(address, port)

    def one(s):
        with s:
            while (b := s.recv(65536)):
                s.sendall(b)

    def accept():
        for _ in range(count):
            try:
                threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()
            except OSError:
                return
    threading.Thread(target=accept, daemon=True).start()


TALK = """
def talk(s, n=1):
    for i in range(n):
        s.sendall(b"%d" % i)
        assert s.recv(100) == b"%d" % i
"""


def runs(text, count=1, expect=None, **more):
    """@text under tcprun, with an echo server of the kernel at A[0] port 7000."""
    import textwrap
    with Pair() as p:
        echo(p.peer, p.peer.v4, count=count)
        c = p.python(TALK + textwrap.dedent(text), p.peer.v4, **more)
        out = c.wait()
        if expect is not None:
            equal(out, expect, "its output")
        return p


@test()
def threads_make_sockets_at_the_same_time():
    runs("""
        failed = []
        def one():
            try:
                for _ in range(10):
                    s = connect(A[0], 7000); talk(s, 5); s.close()
            except BaseException as e: failed.append(e)
        threads = [threading.Thread(target=one) for _ in range(16)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert not failed, failed
    """, 160)


@test()
def a_forked_child_uses_its_parents_sockets_and_makes_its_own():
    runs("""
        s = connect(A[0], 7000); talk(s)
        if os.fork() == 0:
            talk(s)
            t = connect(A[0], 7000); talk(t)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
        talk(s)
        t = connect(A[0], 7000); talk(t)
    """, 3)


@test()
def a_fork_while_other_threads_make_sockets_hangs_nobody():
    runs("""
        stop = []
        def churn():
            while not stop: socket.socket().close()
        threads = [threading.Thread(target=churn) for _ in range(3)]
        for t in threads: t.start()
        for _ in range(30):
            if os.fork() == 0:
                socket.socket().close()
                os._exit(0)
            assert os.wait()[1] == 0
        stop.append(1)
        for t in threads: t.join()
    """)


@test()
def an_executed_program_goes_on_with_the_socket_it_inherits():
    runs("""
        import subprocess
        s = connect(A[0], 7000); talk(s)
        for way in ({}, {"close_fds": False}):   # vfork, and fork
            code = f'''if True:
                import socket, sys
                s = socket.socket(fileno={s.fileno()})
                s.sendall(b"from exec"); assert s.recv(100) == b"from exec"
                assert s.getpeername()[1] == 7000 and s.family == socket.AF_INET, s
                assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
                s.detach()
            '''
            subprocess.run([sys.executable, "-c", code], pass_fds=[s.fileno()], check=True)
        talk(s)
    """)


@test()
def an_executed_program_makes_its_own_sockets_through_tcpd():
    runs("""
        import subprocess
        code = "import socket; s = socket.create_connection(('%s', 7000)); " \\
               "s.sendall(b'x'); assert s.recv(1) == b'x'; " \\
               "print(socket.socket().getsockname())" % A[0]
        subprocess.run([sys.executable, "-c", code], check=True)
        subprocess.run(["sh", "-c", f"{sys.executable} -c \\"{code}\\""], check=True)
    """, 2)


@test()
def close_on_exec_sockets_do_not_reach_an_executed_program():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000)          # Python's sockets are close-on-exec
            say("connected"); await_line()
            os.execvp("sleep", ["sleep", "60"])
        """, p.peer.v4, stdin=-1)
        s, _ = server.accept()
        c.expect("^connected")
        c.popen.stdin.write(b"go on\n")
        c.popen.stdin.flush()
        equal(s.recv(1), b"", "the end, when the descriptor is closed by exec")


@test()
def flags_of_socket_and_accept4_are_honoured():
    runs("""
        import ctypes, fcntl
        libc = ctypes.CDLL(None, use_errno=True)
        for kind in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC,
                     socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
            fd = libc.socket(socket.AF_INET, socket.SOCK_STREAM | kind, 0)
            assert bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK) == \\
                bool(kind & socket.SOCK_NONBLOCK)
            assert bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC) == \\
                bool(kind & socket.SOCK_CLOEXEC)
            os.close(fd)
        l = listen("127.0.0.1", 7001)
        for kind in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
            s = connect("127.0.0.1", 7001)
            fd = libc.accept4(l.fileno(), None, None, kind)
            assert fd >= 0, ctypes.get_errno()
            assert bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK) == \\
                bool(kind & socket.SOCK_NONBLOCK)
            assert bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC) == \\
                bool(kind & socket.SOCK_CLOEXEC)
            os.close(fd)
    """)


@test_each([("close_range", "os.closerange(3, 1 << 16)"),
            ("a loop of close", "for fd in range(3, 1024):\n"
             "                try: os.close(fd)\n                except OSError: pass")])
def a_program_that_closes_all_descriptors_goes_on_with(way):
    with Pair() as p:
        echo(p.peer, p.peer.v4, count=2)
        p.python(f"""
            s = connect(A[0], 7000); s.sendall(b"x"); assert s.recv(1) == b"x"
            s.detach()
            {way}
            t = connect(A[0], 7000); t.sendall(b"y"); assert t.recv(1) == b"y"
        """, p.peer.v4).wait()


@test()
def dup2_over_every_descriptor_that_a_program_does_not_know_breaks_nothing():
    runs("""
        s = connect(A[0], 7000); talk(s)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3, 64):
            if fd not in (null, s.fileno()): os.dup2(null, fd)
        t = connect(A[0], 7000); talk(t)
        talk(s)
        os.write(null, b"x")
    """, 2)


@test()
def dup_dup2_dup3_and_fcntl_copies_are_the_same_socket():
    runs("""
        import fcntl
        s = connect(A[0], 7000)
        a = socket.socket(fileno=os.dup(s.fileno()))
        b = socket.socket(fileno=os.dup2(s.fileno(), 100))
        c = socket.socket(fileno=fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 50))
        name = s.getsockname()
        s.close()
        for x in (a, b, c):
            assert x.getsockname() == name and x.getpeername()[1] == 7000
            talk(x)
        a.close(); b.close()
        talk(c)
    """)


@test()
def descriptors_0_to_2_are_never_occupied():
    runs("""
        os.close(0)
        s = connect(A[0], 7000)
        talk(s)
        assert s.fileno() == 0, "the program's own socket is the lowest free one"
        os.close(0); s.detach()
        assert os.open("/dev/null", os.O_RDONLY) == 0, "something else took 0"
    """)


@test()
def a_daemonized_server_keeps_serving():
    with Pair() as p:
        p.python("""
            import ctypes
            s = listen("0.0.0.0", 7000)
            assert ctypes.CDLL(None).daemon(0, 0) == 0
            for _ in range(2):
                c, _ = s.accept(); c.sendall(b"from a daemon"); c.close()
            t = listen("0.0.0.0", 7001)
            c, _ = t.accept(); c.sendall(b"new"); c.close()
        """).wait()
        for _ in range(2):
            equal(p.peer.connect(p.host.v4, 7000).recv(100), b"from a daemon", "the daemon")
        p.listening(7001)
        equal(p.peer.connect(p.host.v4, 7001).recv(100), b"new", "its new socket")


@test()
def a_program_that_changes_its_directory_and_environment_still_reaches_tcpd():
    runs("""
        os.chdir("/"); os.environ.clear(); os.unsetenv("TCPD_SOCKET")
        s = connect(A[0], 7000); talk(s)
    """)


@test()
def a_program_without_privileges_is_served():
    runs("""
        os.setgid(65534); os.setuid(65534)
        s = connect(A[0], 7000); talk(s)
        fails(errno.EACCES, socket.socket().bind, ("0.0.0.0", 80))
        listen("0.0.0.0", 8080)
    """)


@test()
def udp_and_local_sockets_pass_through():
    runs("""
        a, b = socket.socketpair()
        a.sendall(b"x"); assert b.recv(1) == b"x"
        u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
        v = socket.socket(type=socket.SOCK_DGRAM); v.connect(u.getsockname())
        v.send(b"datagram")
        assert u.recvfrom(100) == (b"datagram", v.getsockname())
        l = socket.socket(socket.AF_UNIX); l.bind("\\0tcpd-test-%d" % os.getpid()); l.listen()
        c = socket.socket(socket.AF_UNIX); c.connect(l.getsockname())
        s, _ = l.accept()
        c.sendall(b"y"); assert s.recv(1) == b"y"
        n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        assert n.getsockname()[0] is not None
        p = os.pipe(); os.write(p[1], b"z"); assert os.read(p[0], 1) == b"z"
    """)


@test()
def a_socket_sent_to_another_process_over_a_local_socket_works_there():
    runs("""
        a, b = socket.socketpair()
        s = connect(A[0], 7000)
        if os.fork() == 0:
            s.close()
            _, fds, _, _ = socket.recv_fds(b, 10, 1)
            t = socket.socket(fileno=fds[0])
            talk(t)
            assert t.getpeername()[1] == 7000
            os._exit(0)
        socket.send_fds(a, [b"x"], [s.fileno()])
        assert os.wait()[1] == 0
        talk(s)
    """)


@test_each([("select", "select"), ("poll", "poll"), ("epoll", "epoll"),
            ("edge-triggered epoll", "edge")])
def readiness_is_seen_by(how):
    runs("""
        s = connect(A[0], 7000); s.setblocking(False)
        def ready(write, timeout):
            if HOW == "select":
                r, w, _ = select.select([s], [s] if write else [], [], timeout)
                return bool(r), bool(w)
            if HOW == "poll":
                p = select.poll(); p.register(s, 1 | (4 if write else 0))
                e = dict(p.poll(timeout * 1000)).get(s.fileno(), 0)
            else:
                p = select.epoll()
                p.register(s, 1 | (4 if write else 0) | (select.EPOLLET if HOW == "edge" else 0))
                e = dict(p.poll(timeout)).get(s.fileno(), 0)
            return bool(e & 1), bool(e & 4)
        assert ready(True, 1) == (False, True)
        assert ready(False, 0.1) == (False, False)
        s.sendall(b"x")
        assert ready(False, 5) == (True, False)
        assert s.recv(10) == b"x"
        assert ready(False, 0.1) == (False, False)
        s.shutdown(socket.SHUT_WR)
        assert ready(False, 5)[0]
        assert s.recv(10) == b""
    """.replace("HOW", repr(how)))


@test()
def sendfile_writev_readv_and_splice_work():
    runs("""
        import tempfile
        f = tempfile.TemporaryFile(); f.write(b"file" * 1000); f.flush()
        s = connect(A[0], 7000)
        assert os.sendfile(s.fileno(), f.fileno(), 0, 4000) == 4000
        def take(n):
            b = b""
            while len(b) < n: b += s.recv(n - len(b))
            return b
        assert take(4000) == b"file" * 1000
        os.writev(s.fileno(), [b"one", b"two"])
        x, y = bytearray(2), bytearray(4)
        time.sleep(0.1)
        assert os.readv(s.fileno(), [x, y]) == 6 and bytes(x + y) == b"onetwo"
        s.sendmsg([b"three", b"four"])
        assert take(9) == b"threefour"
        r, w = os.pipe()
        os.write(w, b"spliced")
        assert os.splice(r, s.fileno(), 7) == 7
        assert os.splice(s.fileno(), w, 7) == 7 and os.read(r, 7) == b"spliced"
    """)


@test()
def stdio_streams_over_a_socket_work():
    runs("""
        s = connect(A[0], 7000)
        f = s.makefile("rw")
        f.write("a line\\n"); f.flush()
        assert f.readline() == "a line\\n"
        import ctypes
        libc = ctypes.CDLL(None)
        libc.fdopen.restype = ctypes.c_void_p
        c = ctypes.c_void_p(libc.fdopen(os.dup(s.fileno()), b"r+"))
        assert libc.fputs(b"from stdio\\n", c) >= 0 and libc.fflush(c) == 0
        buf = ctypes.create_string_buffer(100)
        libc.fgets.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
        assert libc.fgets(buf, 100, c) and buf.value == b"from stdio\\n"
    """)


@test()
def signals_in_the_middle_break_no_call():
    runs("""
        import signal
        signal.signal(signal.SIGALRM, lambda *a: None)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for i in range(100):
            s = connect(A[0], 7000); talk(s, 3); s.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
    """, 100)


def tcprun(p, *argv, status):
    c = p.tcprun(*argv)
    c.wait(status=status)
    return c


@test()
def tcprun_passes_exit_status_pid_and_signals():
    with Pair() as p:
        equal(tcprun(p, "sh", "-c", "exit 42", status=42).out(), "", "output")
        c = tcprun(p, "sh", "-c", "echo $$", status=0)
        equal(c.out().strip(), str(c.pid), "the pid")
        tcprun(p, "sh", "-c", "kill -TERM $$", status=-15)
        tcprun(p, "no-such-program", status=127)
        c = tcprun(p, "/etc/passwd", status=126)
        equal(len(c.err().splitlines()), 1, "lines on stderr")


@test()
def tcprun_refuses_static_and_set_uid_programs_rather_than_miss_their_calls():
    with Pair() as p:
        with open(p.tmp + "/s.c", "w") as f:
            f.write("int main(void) { return 0; }\n")
        sh("cc", "-static", "-o", p.tmp + "/static", p.tmp + "/s.c")
        c = tcprun(p, p.tmp + "/static", status=126)
        equal(len(c.err().splitlines()), 1, "lines on stderr")
        sh("cc", "-o", p.tmp + "/setuid", p.tmp + "/s.c")
        os.chown(p.tmp + "/setuid", 65534, 65534)
        os.chmod(p.tmp + "/setuid", 0o4755)
        tcprun(p, p.tmp + "/setuid", status=126)
