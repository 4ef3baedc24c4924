# SPDX-License-Identifier: BSD-2-Clause
"""What tcpctl shows is what is there, and what it sets is obeyed."""
import os

from lib import Limits, Pair, check, equal, wait_for
from registry import test

SERVER = """
    s = listen("0.0.0.0", 7000, 9); say("ready")
    held = []
    while True: held.append(s.accept()[0])
"""


@test()
def list_shows_listeners_and_connections_with_their_owner():
    with Pair() as p:
        c = p.python(SERVER)
        c.expect("^ready")
        s = p.peer.connect(p.host.v4, 7000)
        conn = wait_for(lambda: [c for c in p.d.list() if c["state"] == "ESTABLISHED"],
                        "the connection")[0]
        listener = [c for c in p.d.list() if c["state"] == "LISTEN"][0]
        equal((conn["local"]["port"], conn["remote"]["port"]), (7000, s.getsockname()[1]), "ports")
        equal((listener["pid"], listener["uid"]), (c.pid, os.getuid()), "the listener's owner")
        text = p.d.ctl("list").stdout.splitlines()
        check(any("LISTEN" in line and ":7000" in line for line in text), f"{text}")
        check(any("ESTABLISHED" in line and p.peer.v4 in line for line in text), f"{text}")
        equal(int(p.d.json("show", str(conn["id"]))["id"]), int(conn["id"]), "show by id")
        equal([c["state"] for c in p.d.list("-l")], ["LISTEN"], "list -l")


@test()
def status_shows_the_processes_and_counts_descriptors():
    with Pair() as p:
        before = p.d.status()
        equal(before["worker_starts"], 1, "starts of the worker")
        for key in ("supervisor_pid", "worker_pid"):
            os.kill(before[key], 0)
        equal(before["supervisor_pid"], p.d.process.pid, "the supervisor")
        c = p.python("held = [listen('0.0.0.0', 7000 + i) for i in range(20)]; say('ready'); "
                     "await_line()", stdin=-1)
        c.expect("^ready")
        now = p.d.status()
        equal(now["listeners"], 20, "listeners")
        equal(now["port_claims"] - before["port_claims"], 20, "claims")
        check(now["fds_used"] >= before["fds_used"] + 40, f"descriptors: {before}, {now}")
        c.kill()
        wait_for(lambda: p.d.status()["fds_used"] <= before["fds_used"] + 2,
                 "their descriptors to be closed")


@test()
def drop_resets_both_ends():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("""
            s = connect(A[0], 7000); say("up")
            try: got = s.recv(1); say("end" if got == b"" else got)
            except OSError as e: say(errno.errorcode[e.errno])
        """, p.peer.v4)
        s, _ = server.accept()
        c.expect("^up")
        p.d.ctl("drop", str(p.d.list()[0]["id"]))
        try:
            check(False, f"the peer got {s.recv(1)!r}")
        except ConnectionResetError:
            pass
        check(c.wait().split()[-1] in ("ECONNRESET", "ECONNABORTED"), c.out())
        equal(p.d.ctl("drop", "999999", status=1).stderr.count("\n"), 1, "lines on stderr")


@test()
def ndd_prints_sets_and_refuses():
    with Pair() as p:
        d = p.d
        names = d.ctl("ndd", "/dev/tcp", "?").stdout
        check("tcp_time_wait_interval" in names, "the list of names lacks one")
        old = d.ctl("ndd", "-get", "/dev/tcp", "tcp_time_wait_interval").stdout.strip()
        check(old.isdigit(), old)
        d.set("tcp_time_wait_interval", 1500)
        equal(d.ctl("ndd", "-get", "/dev/tcp", "tcp_time_wait_interval").stdout.strip(), "1500",
              "what was set")
        equal(d.ctl("ndd", "/dev/tcp", "tcp_time_wait_interval").stdout.strip(), "1500",
              "without -get")
        d.ctl("ndd", "-set", "/dev/tcp", "tcp_time_wait_interval", "0", status=1)
        d.ctl("ndd", "-set", "/dev/tcp", "tcp_time_wait_interval", "many", status=1)
        d.ctl("ndd", "-get", "/dev/tcp", "tcp_no_such_name", status=1)
        equal(d.ctl("ndd", "-get", "/dev/tcp", "tcp_time_wait_interval").stdout.strip(), "1500",
              "after what was refused")


@test()
def only_root_and_the_admin_group_may_set_and_drop():
    with Pair() as p:
        ctl = [os.path.join(Limits.build, "cli", "tcpctl"), "--socket", p.d.socket]
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        c = p.spawn(p.host, *as_nobody, *ctl, "ndd", "-set", "/dev/tcp", "tcp_time_wait_interval",
                    "2000", name="ndd")
        c.wait(status=1)
        equal(len(c.err().splitlines()), 1, "lines on stderr")
        p.spawn(p.host, *as_nobody, *ctl, "list", name="list").wait()
        p.spawn(p.host, *as_nobody, *ctl, "drop", "1", name="drop").wait(status=1)


@test()
def the_time_wait_interval_that_is_set_is_obeyed():
    with Pair() as p:
        p.d.set("tcp_time_wait_interval", 4000)
        server = p.peer.listen(p.peer.v4, 7000)
        c = p.python("connect(A[0], 7000).close()", p.peer.v4)
        s, _ = server.accept()
        equal(s.recv(1), b"", "the end")  # tcpd is the first to close
        s.close()
        c.wait()
        wait_for(lambda: p.states() == ["TIME_WAIT"], "the orderly end")
        wait_for(lambda: p.states() == [], "TIME_WAIT to be over", 15)


@test()
def stats_count_what_happens():
    with Pair() as p:
        p.python(SERVER).expect("^ready")
        before = p.d.stats()
        for _ in range(10):
            p.peer.connect(p.host.v4, 7000).close()
        wait_for(lambda: p.d.stats()["tcpPassiveOpens"] - before["tcpPassiveOpens"] == 10,
                 "ten passive opens")
        check(p.d.stats()["tcpInSegs"] - before["tcpInSegs"] >= 30, "segments received")
        check("tcpPassiveOpens" in p.d.ctl("stats").stdout, "stats for people")


@test()
def a_second_command_sees_a_running_transfer():
    with Pair() as p:
        p.python("""
            s = listen("0.0.0.0", 7000); say("ready")
            c, _ = s.accept()
            while c.recv(65536): pass
        """).expect("^ready")
        sender = p.kernel_python("s = connect(A[0], 7000)\nwhile True: s.sendall(b'x' * 65536)",
                                 p.host.v4)

        def received():
            return [int(c["bytes_received"]) for c in p.d.list() if c["state"] == "ESTABLISHED"]
        first = wait_for(received, "the connection")[0]
        wait_for(lambda: received()[0] > first + (1 << 20), "its bytes to be counted")
        sender.kill()
