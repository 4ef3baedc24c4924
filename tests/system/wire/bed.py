# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces and a link: tcpd lives in one, the kernel's TCP in the other.

`Bed` makes both, starts the daemon, and takes everything away again. A program of
the daemon's side is started by `run()`, under tcprun; the other side is this process,
which has entered the peer's namespace. `Sniffer` sees the packets there.
"""
import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

CLONE_NEWNET = 0x40000000
OURS4, PEER4 = '10.77.0.1', '10.77.0.2'
OURS6, PEER6 = 'fd77::1', 'fd77::2'
libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, ns=None):
    if ns:
        args = ('ip', 'netns', 'exec', ns) + args
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


class Bed:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.dir = tempfile.mkdtemp(prefix='tcpd-wire-')
        self.ours, self.peer = f'wire-o{os.getpid()}', f'wire-p{os.getpid()}'
        self.daemon = None
        self.programs = []

    def __enter__(self):
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        for ns in (self.ours, self.peer):
            sh('ip', 'netns', 'add', ns)
            sh('ip', 'link', 'set', 'lo', 'up', ns=ns)
        sh('ip', 'link', 'add', 'v0', 'netns', self.ours, 'type', 'veth',
           'peer', 'name', 'v0', 'netns', self.peer)
        for ns, v4, v6 in ((self.ours, OURS4, OURS6), (self.peer, PEER4, PEER6)):
            sh('ip', 'addr', 'add', v4 + '/24', 'dev', 'v0', ns=ns)
            sh('ip', 'addr', 'add', v6 + '/64', 'dev', 'v0', 'nodad', ns=ns)
            sh('ip', 'link', 'set', 'v0', 'up', ns=ns)
        with open('/run/netns/' + self.peer) as f:
            if libc.setns(f.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), 'setns')

    def start(self):
        self.socket = os.path.join(self.dir, 'sock')
        self.log = open(os.path.join(self.dir, 'log'), 'w+')
        self.daemon = subprocess.Popen(
            ['ip', 'netns', 'exec', self.ours, str(self.build / 'daemon/tcpd'),
             '--socket', self.socket, '--state-dir', self.dir, '--config', '/dev/null'],
            stdout=self.log, stderr=self.log)
        for _ in range(100):
            if os.path.exists(self.socket):
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError('tcpd did not start:\n' + open(self.log.name).read())

    def tunable(self, name, value):
        sh(str(self.build / 'cli/tcpctl'), '--socket', self.socket, 'ndd', '-set', '/dev/tcp',
           name, str(value), ns=self.ours)

    def run(self, code):
        """Start @code, Python, on our side."""
        p = subprocess.Popen(
            ['ip', 'netns', 'exec', self.ours, str(self.build / 'cli/tcprun'),
             '--socket', self.socket, '--', sys.executable, '-c', code],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.programs.append(p)
        return p

    def __exit__(self, *_):
        for p in self.programs:
            if p.poll() is None:
                p.kill()
            p.wait()
        if self.daemon:
            self.daemon.terminate()
            try:
                self.daemon.wait(10)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        for ns in (self.ours, self.peer):
            subprocess.run(['ip', 'netns', 'del', ns], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)


class Segment:
    """One TCP segment as it was on the link."""

    def __init__(self, frame):
        proto = struct.unpack('!H', frame[12:14])[0]
        ip = frame[14:]
        if proto == 0x0800:
            length = (ip[0] & 15) * 4
            self.ecn, self.src, kind = ip[1] & 3, socket.inet_ntoa(ip[12:16]), ip[9]
            end = struct.unpack('!H', ip[2:4])[0]
            self.ip_options = ip[20:length]
        elif proto == 0x86dd:
            length, kind = 40, ip[6]
            self.ecn = ip[1] >> 4 & 3
            self.src = socket.inet_ntop(socket.AF_INET6, ip[8:24])
            end = 40 + struct.unpack('!H', ip[4:6])[0]
            self.ip_options = b''
        else:
            raise ValueError('no IP')
        if kind != 6:
            raise ValueError('no TCP')
        tcp = ip[length:end]
        (self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.wnd, _,
         self.up) = struct.unpack('!HHIIBBHHH', tcp[:20])
        self.data = tcp[(offset >> 4) * 4:]

    def has(self, names):
        return all(self.flags >> 'FSRPAUEC'.index(n) & 1 for n in names)

    def __repr__(self):
        flags = ''.join(n for i, n in enumerate('FSRPAUEC') if self.flags >> i & 1)
        return f'<{self.src} {flags} seq {self.seq} len {len(self.data)} ecn {self.ecn} up {self.up}>'


class Sniffer:
    def __init__(self):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.s.bind(('v0', 0))

    def segments(self, src=None):
        """All that passed so far, from @src only if given."""
        time.sleep(0.1)
        self.s.setblocking(False)
        seen = []
        while True:
            try:
                frame = self.s.recv(1 << 17)
            except BlockingIOError:
                return seen
            try:
                seg = Segment(frame)
            except (ValueError, struct.error, IndexError):
                continue
            if src is None or seg.src == src:
                seen.append(seg)
