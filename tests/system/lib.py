# SPDX-License-Identifier: BSD-2-Clause
"""Worlds for the system tests: namespaces, cables, processes, the daemon.

A World owns all that a test makes, in the order of making, and takes it down in the
opposite order, whatever happened. Nothing sleeps for luck: wait_for() waits for a
condition and says what it waited for when it gives up.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(HERE, "programs")
CLONE_NEWNET = 0x40000000
PATIENCE = 20.0  # seconds to wait for what should take a moment

libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """A claim that does not hold."""


class Limits:
    """What the command line says; set once by run.py."""
    build = os.path.join(TOP, "build")
    daemon_build = None
    full = False
    keep = False
    reference = False  # the kernel's TCP in the place of tcpd: a test of the tests
    bulk = 256 << 20  # bytes each way in the bulk tests; 1 GiB with --full


def check(holds, text):
    if not holds:
        raise Failure(text)


def equal(got, expected, what):
    if got != expected:
        raise Failure(f"{what}: got {got!r}, expected {expected!r}")


def wait_for(condition, what, timeout=PATIENCE):
    """Poll until condition() is true; returns what it returned."""
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"waited {timeout:g} s in vain for {what() if callable(what) else what}")
        time.sleep(0.01)


def sh(*argv, check_status=True):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE)
    if check_status and done.returncode:
        raise Failure(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace; `with ns:` makes sockets and processes in it."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.v4 = self.v6 = self.dev = None
        self.ip("link", "set", "lo", "up")

    def __enter__(self):
        if libc.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        return self

    def __exit__(self, *exc):
        libc.setns(self.home, CLONE_NEWNET)

    def ip(self, *args):
        return sh("ip", "-n", self.name, *args)

    def run(self, *argv, check_status=True):
        with self:
            return sh(*argv, check_status=check_status)

    def nft(self, rules):
        with self:
            done = subprocess.run(["nft", "-f", "-"], input=rules, text=True,
                                  capture_output=True, timeout=PATIENCE)
        if done.returncode:
            raise Failure(f"nft: {done.stderr.strip()}")

    def drop(self, hook, match):
        """From now on what matches is dropped at `input` or `output`."""
        self.nft(f"table inet dropped {{\n chain {hook} {{\n type filter hook {hook} priority 0\n"
                 f" {match} counter drop\n }}\n}}")

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0, timeout=PATIENCE):
        """A kernel socket that lives in this namespace."""
        with self:
            s = socket.socket(family, kind, proto)
        s.settimeout(timeout)
        return s

    def listen(self, address, port, backlog=64):
        s = self.socket(family_of(address))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(backlog)
        return s

    def connect(self, address, port):
        s = self.socket(family_of(address))
        s.connect((address, port))
        return s

    def pids(self):
        return [int(p) for p in sh("ip", "netns", "pids", self.name, check_status=False).split()]

    def remove(self):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.close(self.fd)
        os.close(self.home)
        sh("ip", "netns", "del", self.name, check_status=False)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Process:
    """A child with its output in files, so that it can be read while it runs."""

    def __init__(self, world, ns, argv, name=None, env=None, stdin=subprocess.DEVNULL, **more):
        self.name = name or os.path.basename(argv[0])
        self.argv = argv
        self.base = os.path.join(world.tmp, f"{len(world.processes)}-{self.name}")
        full_env = dict(os.environ, LC_ALL="C", PYTHONUNBUFFERED="1", **(env or {}))
        with open(self.base + ".out", "wb") as out, open(self.base + ".err", "wb") as err:
            with ns:
                self.popen = subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=err,
                                              env=full_env, start_new_session=True, **more)
        self.pid = self.popen.pid
        world.processes.append(self)

    def _read(self, suffix):
        with open(self.base + suffix, "rb") as f:
            return f.read().decode(errors="replace")

    def out(self):
        return self._read(".out")

    def err(self):
        return self._read(".err")

    def expect(self, pattern, timeout=PATIENCE):
        """Wait until the output matches; returns the match."""
        def seen():
            m = re.search(pattern, self.out() + self.err(), re.M)
            if not m and self.popen.poll() is not None:
                m = re.search(pattern, self.out() + self.err(), re.M)
                if not m:
                    raise Failure(f"{self.name} ended with {self.popen.returncode} "
                                  f"before it printed /{pattern}/: {self.err().strip()[-400:]}")
            return m
        return wait_for(seen, f"/{pattern}/ from {self.name}", timeout)

    def wait(self, timeout=60, status=0):
        """Its end; @status None takes any. Returns stdout."""
        try:
            got = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {timeout} s: hung") from None
        if status is not None:
            check(got == status, f"{self.name} ended with {got}, expected {status}: "
                                 f"{self.err().strip()[-800:]}")
        return self.out()

    def signal(self, sig):
        self.popen.send_signal(sig)

    def ended(self):
        return self.popen.poll() is not None

    def kill(self):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(10)

    def tail(self, lines=25):
        text = []
        for suffix in (".out", ".err"):
            with open(self.base + suffix, "rb") as f:
                part = f.read()[-16000:].decode(errors="replace").splitlines()[-lines:]
            text += [f"#   {self.name}[{self.pid}]{suffix}: {line}" for line in part]
        return text


class Daemon:
    """tcpd in a namespace, with files of its own."""

    def __init__(self, world, ns, *options, max_fds=None):
        self.world, self.ns, self.max_fds = world, ns, max_fds
        self.dir = tempfile.mkdtemp(prefix="tcpd-", dir=world.tmp)
        os.chmod(self.dir, 0o755)
        self.socket = os.path.join(self.dir, "sock")
        self.options = options
        for name in ("conf", "inetinit"):
            open(os.path.join(self.dir, name), "w").close()
        self.process = None
        self.start()

    def start(self):
        self.worker_starts = 1  # a test that kills the worker says how many there were
        path = os.path.join(Limits.daemon_build or Limits.build, "daemon", "tcpd")
        argv = [path, "--socket", self.socket, "--state-dir", os.path.join(self.dir, "state"),
                "--config", os.path.join(self.dir, "conf"),
                "--inetinit", os.path.join(self.dir, "inetinit"), *self.options]
        if self.max_fds:
            argv = ["prlimit", f"--nofile={self.max_fds}", *argv]
        self.process = Process(self.world, self.ns, argv, "tcpd", env={
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"})
        wait_for(self._is_up, "tcpctl status to say that tcpd is up")

    def _is_up(self):
        if self.process.ended():
            raise Failure(f"tcpd ended with {self.process.popen.returncode}: "
                          f"{self.process.err().strip()[-800:]}")
        return self.ctl("status", status=None).returncode == 0

    def ctl(self, *args, status=0):
        with self.ns:
            done = subprocess.run([os.path.join(Limits.build, "cli", "tcpctl"), "--socket",
                                   self.socket, *args], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=PATIENCE)
        if status is not None:
            equal(done.returncode, status, f"tcpctl {' '.join(args)} ({done.stderr.strip()})")
        return done

    def json(self, *args):
        return json.loads(self.ctl("--json", *args).stdout)

    def status(self):
        return self.json("status")

    def stats(self):
        got = self.json("stats")["counters"]
        return got if isinstance(got, dict) else {c["name"]: int(c["value"]) for c in got}

    def list(self, *args):
        return self.json("list", *args)["connections"]

    def set(self, name, value):
        self.ctl("ndd", "-set", "/dev/tcp", name, str(value))

    def stop(self, timeout=PATIENCE):
        self.process.signal(signal.SIGTERM)
        self.process.wait(timeout, status=0)

    def complaints(self):
        """What the sanitizers and the daemon's own assertions said."""
        for p in self.world.processes:
            if p.name != "tcpd":
                continue
            for line in p.err().splitlines():
                if re.search(r"AddressSanitizer|runtime error:|LeakSanitizer|[Aa]ssert", line):
                    yield line


class World:
    """All that one test makes."""
    count = 0

    def __init__(self):
        World.count += 1
        self.prefix = f"tcpdsys{os.getpid()}-{World.count}-"
        self.tmp = tempfile.mkdtemp(prefix="tcpd-system-")
        os.chmod(self.tmp, 0o755)
        self.namespaces, self.processes, self.daemons, self.at_end = [], [], [], []

    # ---- network -------------------------------------------------------------------------------

    def namespace(self, name):
        ns = Namespace(self.prefix + name)
        self.namespaces.append(ns)
        return ns

    def cable(self, a, b, dev_a="eth0", dev_b="eth0", net=77, mtu=1500, host=None):
        """A veth pair from a to b, with addresses 10.NET.0.x and fdNET::x (no DAD)."""
        a.ip("link", "add", dev_a, "mtu", str(mtu), "type", "veth", "peer", "name", dev_b,
             "mtu", str(mtu), "netns", b.name)
        for i, (ns, dev) in enumerate(((a, dev_a), (b, dev_b)), 1):
            if host is None:
                ns.v4, ns.v6, ns.dev = f"10.{net}.0.{i}", f"fd{net}::{i}", dev
                self.address(ns, dev, ns.v4, ns.v6)
            ns.ip("link", "set", dev, "up")

    @staticmethod
    def address(ns, dev, v4, v6):
        ns.ip("addr", "add", v4 + "/24", "dev", dev)
        ns.ip("addr", "add", v6 + "/64", "dev", dev, "nodad")

    # ---- processes -----------------------------------------------------------------------------

    def spawn(self, ns, *argv, **more):
        return Process(self, ns, list(argv), **more)

    def tcpd(self, ns, *options, **more):
        d = Daemon(self, ns, *options, **more)
        self.daemons.append(d)
        return d

    def file(self, name, size, seed=1):
        """A file that no two places of look alike."""
        path = os.path.join(self.tmp, name)
        block = noise(seed)
        with open(path, "wb") as f:
            left = size
            while left:
                left -= f.write(block[:left])
        return path

    # ---- the end -------------------------------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, kind, exc, trace):
        self.close(failed=exc is not None)

    def close(self, failed):
        trouble = []
        for d in self.daemons:
            if not failed and d.process.ended() and d.process.popen.returncode:
                trouble.append(f"tcpd had ended with {d.process.popen.returncode}")
            elif not d.process.ended() and not failed:
                try:
                    equal(d.status()["worker_starts"], d.worker_starts, "starts of the worker")
                    d.stop()
                except Failure as e:
                    trouble.append(f"at its end {e}")
            trouble += d.complaints()
        if failed or trouble:
            for p in self.processes:
                print("\n".join(p.tail()), flush=True)
        for call in self.at_end:
            call()
        for p in self.processes:
            p.kill()
        for ns in self.namespaces:
            ns.remove()
        if Limits.keep and (failed or trouble):
            print(f"#   kept: {self.tmp}")
        else:
            shutil.rmtree(self.tmp, ignore_errors=True)
        if trouble and not failed:
            raise Failure("; ".join(trouble[:3]))


def noise(seed, size=1048573):
    """A block of a prime length: repeated, no piece of it comes back at the same place."""
    import random
    return random.Random(seed).randbytes(size)


_tools = {}


def tool(source, *flags):
    """Compile a C program of the repository once a run; returns its path."""
    if source not in _tools:
        if not _tools:
            _tools[None] = tempfile.mkdtemp(prefix="tcpd-tools-")
            os.chmod(_tools[None], 0o755)
        out = os.path.join(_tools[None], os.path.basename(source)[:-2])
        sh("cc", "-O2", "-D_GNU_SOURCE", *flags, "-o", out, os.path.join(TOP, source))
        _tools[source] = out
    return _tools[source]


def tools_remove():
    if None in _tools:
        shutil.rmtree(_tools[None], ignore_errors=True)


class Pair(World):
    """`host`, with tcpd in it, and `peer`, with the kernel's TCP, on one cable."""

    def __init__(self, *options, daemon=True, mtu=1500):
        super().__init__()
        try:
            self.host, self.peer = self.namespace("host"), self.namespace("peer")
            self.wire(mtu)
            self.d = None
            if daemon and not Limits.reference:
                self.d = self.tcpd(self.host, *options)
        except BaseException:
            self.close(True)
            raise

    def wire(self, mtu):
        self.cable(self.host, self.peer, mtu=mtu)

    def tcprun_argv(self):
        if Limits.reference:
            return []
        return [os.path.join(Limits.build, "cli", "tcprun"), "--socket", self.d.socket, "--"]

    def tcprun(self, *argv, under=(), **more):
        """Start a program in the host whose TCP is tcpd's; @under: what starts tcprun."""
        name = more.pop("name", os.path.basename(argv[0]))
        return self.spawn(self.host, *under, *self.tcprun_argv(), *argv, name=name, **more)

    def kernel(self, *argv, **more):
        """Start a program at the peer, on the kernel's TCP."""
        return self.spawn(self.peer, *argv, **more)

    def python(self, text, *args, **more):
        """Start a Python program under tcprun. `host`, `peer` and `say` are there."""
        return self.tcprun(sys.executable, "-c", PRELUDE + textwrap.dedent(text),
                           *map(str, args), name=more.pop("name", "program"), **more)

    def kernel_python(self, text, *args, ns=None, **more):
        return self.spawn(ns or self.peer, sys.executable, "-c", PRELUDE + textwrap.dedent(text),
                          *map(str, args), name=more.pop("name", "peer"), **more)

    def listening(self, port, timeout=PATIENCE):
        """Wait until tcpd has a listener at @port."""
        if Limits.reference:
            return self.kernel_listening(port, self.host)
        wait_for(lambda: any(c["state"] == "LISTEN" and c["local"]["port"] == port
                             for c in self.d.list()), f"a listener at port {port}", timeout)

    def kernel_listening(self, port, ns=None):
        ns = ns or self.peer
        wait_for(lambda: ns.run("ss", "-tlnH", "sport", "=", f":{port}"),
                 f"the kernel to listen at port {port}")

    def states(self, port=None):
        return [c["state"] for c in self.d.list()
                if port is None or port in (c["local"].get("port"), c["remote"].get("port"))]


PRELUDE = '''
import errno, os, select, socket, struct, sys, threading, time, hashlib
A = sys.argv[1:]
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def family(a): return socket.AF_INET6 if ":" in a else socket.AF_INET
def listen(address, port, backlog=64):
    s = socket.socket(family(address))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port))); s.listen(backlog)
    return s
def connect(address, port, timeout=None):
    s = socket.socket(family(address)); s.settimeout(timeout)
    s.connect((address, int(port)))
    return s
def fails(number, call, *args):
    try: got = call(*args)
    except OSError as e:
        got = errno.errorcode.get(e.errno)
        assert e.errno == number, f"{got} instead of {errno.errorcode[number]}"
        return
    raise AssertionError(f"no error but {got!r} instead of {errno.errorcode[number]}")
def read_all(s):
    h, n = hashlib.sha256(), 0
    while True:
        b = s.recv(262144)
        if not b: return n, h.hexdigest()
        n += len(b); h.update(b)
def write_all(s, total, seed=1):
    """total bytes of lib.noise(); returns their sha256"""
    import random
    block, h = memoryview(random.Random(seed).randbytes(1048573)), hashlib.sha256()
    while total:
        b = block[:min(total, len(block))]
        s.sendall(b); h.update(b); total -= len(b)
    return h.hexdigest()
def so_error(s): return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
def await_line():
    line = sys.stdin.readline()
    assert line, "the test went away"
    return line.strip()
'''


def plain_frames(ns, dev):
    """Whole checksums and no super-frames, as a relay needs them (SIOCETHTOOL)."""
    for command in (0x1f, 0x24, 0x2c, 0x17):  # STSO, SGSO, SGRO, STXCSUM
        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
        request = struct.pack("16sP16x", dev.encode(), ctypes.addressof(value))
        with ns.socket(kind=socket.SOCK_DGRAM) as s:
            with contextlib.suppress(OSError):  # what a device cannot do is off already
                fcntl.ioctl(s.fileno(), 0x8946, request)


class BadCable(Pair):
    """host and peer, and between them a relay that loses, doubles, turns and breaks frames."""

    def __init__(self, *bad, seed=1, **more):
        self.bad = [*bad, "-s", str(seed)]
        super().__init__(**more)

    def wire(self, mtu):
        middle = self.namespace("middle")
        for i, (ns, dev) in enumerate(((self.host, "left"), (self.peer, "right")), 1):
            self.cable(ns, middle, "eth0", dev, mtu=mtu, host=False)
            ns.v4, ns.v6, ns.dev = f"10.77.0.{i}", f"fd77::{i}", "eth0"
            self.address(ns, "eth0", ns.v4, ns.v6)
            plain_frames(ns, "eth0")
            plain_frames(middle, dev)
        self.relay = self.spawn(middle, tool("tests/lib/relay.c"), *self.bad, "left", "right")
        self.relay.expect("^ready")

    def relay_counts(self):
        """What the relay did until now; it ends."""
        self.relay.signal(signal.SIGTERM)
        words = self.relay.wait().split("ready\n")[-1].split()
        return {k: int(v) for k, v in zip(words[::2], words[1::2])}


class Alone(Pair):
    """One namespace with tcpd, and nothing but lo: both ends are tcpd's."""

    def wire(self, mtu):
        pass


class Tunnel(Pair):
    """host and peer by a device that is no Ethernet: tun, with a pump between its two ends."""

    def wire(self, mtu):
        ends = []
        for i, ns in enumerate((self.host, self.peer), 1):
            with ns:
                fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
                # TUNSETIFF, IFF_TUN | IFF_NO_PI
                fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))
            ns.v4, ns.v6, ns.dev = f"10.77.0.{i}", f"fd77::{i}", "tun0"
            ns.ip("link", "set", "tun0", "mtu", str(mtu), "up")
            self.address(ns, "tun0", ns.v4, ns.v6)
            ends.append(fd)
        for a, b in (ends, ends[::-1]):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()
        self.at_end.append(lambda: [os.close(fd) for fd in ends])

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):  # until the ends are closed
            while True:
                os.write(b, os.read(a, 65536))
