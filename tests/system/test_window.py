# SPDX-License-Identifier: BSD-2-Clause
"""Back-pressure: a reader that stops closes the window, and nothing piles up."""
import fcntl
import hashlib
import socket
import struct
import time

import lib
from lib import Pair, check, equal, wait_for
from registry import test, test_each
from sniff import Sniffer

SIOCOUTQ = 0x5411
GRAIN = 1 << 10  # a window is told in steps of its scale
SLOW_READER = """
    s = listen(A[0], 7300)
    say("ready")
    c, _ = s.accept()
    say("buffer", c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    await_line()
    say("took", *read_all(c))
"""


def pour(s, block):
    """Write until nothing more goes for a second; returns the bytes written."""
    s.setblocking(False)
    total, last = 0, time.monotonic()
    while time.monotonic() - last < 1.0:
        try:
            at = total % len(block)
            total += s.send(block[at:at + 65536])
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        check(total < 256 << 20, "the window of a reader that does not read never closes")
    s.setblocking(True)
    return total


def unacked(s):
    return struct.unpack("i", fcntl.ioctl(s.fileno(), SIOCOUTQ, b"\0\0\0\0"))[0]


@test_each([("over IPv4", "v4"), ("over IPv6", "v6")], seconds=120)
def a_reader_that_stops_closes_the_window_and_resumes_without_loss(v):
    with Pair() as p:
        reader = p.python(SLOW_READER, getattr(p.host, v), stdin=-1)
        reader.expect("^ready")
        sniffer = Sniffer(p, p.peer)
        block = lib.noise(1)
        s = p.peer.connect(getattr(p.host, v), 7300)
        poured = pour(s, block)
        held = poured - unacked(s)  # acknowledged and not read: what tcpd holds
        wait_for(lambda: any(g.sport == 7300 and g.window == 0 and g.flags & 0x10
                             for g in sniffer.segments), "a zero window")
        if not lib.Limits.reference:
            limit = int(reader.expect(r"^buffer (\d+)").group(1))
            check(held <= limit + GRAIN, f"{held} bytes are buffered for it, SO_RCVBUF is {limit}")
            queued = [c for c in p.d.list() if c["state"] == "ESTABLISHED"][0]["recv_queue"]
            check(abs(queued - held) <= 65536 * 2,
                  f"the list says {queued} bytes are unread, {held} are")
        reader.popen.stdin.write(b"read\n")
        reader.popen.stdin.flush()
        s.sendall(b"end")
        s.shutdown(socket.SHUT_WR)
        reader.wait(60)
        h = hashlib.sha256(block * (poured // len(block)) + block[:poured % len(block)] + b"end")
        equal(reader.out().split()[3:], ["took", str(poured + 3), h.hexdigest()], "the reader")
        s.close()


@test()
def a_small_receive_buffer_bounds_what_is_buffered():
    with Pair() as p:
        reader = p.python("""
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            s.bind((A[0], 7300)); s.listen()
            say("ready")
            c, _ = s.accept()
            await_line()
            say("took", *read_all(c))
        """, p.host.v4, stdin=-1)
        reader.expect("^ready")
        block = lib.noise(1)
        s = p.peer.connect(p.host.v4, 7300)
        poured = pour(s, block)
        held = poured - unacked(s)
        check(0 < held <= (65536 if lib.Limits.reference else 16384 + GRAIN),
              f"{held} bytes are buffered, the buffer is of 16384")
        reader.popen.stdin.write(b"read\n")
        reader.popen.stdin.flush()
        s.close()
        equal(int(reader.wait().split()[2]), poured, "bytes that the reader got in the end")


@test(seconds=120)
def a_peer_that_stops_reading_stops_the_writer_and_loses_nothing():
    with Pair() as p:
        server = p.peer.listen(p.peer.v4, 7400)
        writer = p.python("""
            s = connect(A[0], 7400)
            s.setblocking(False)
            block = b"0123456789abcdef" * 4096
            total, h, last = 0, hashlib.sha256(), time.monotonic()
            while time.monotonic() - last < 1.5:
                try: n = s.send(block)
                except BlockingIOError:
                    select.select([], [s], [], 0.1)
                    continue
                h.update(block[:n]); total += n; last = time.monotonic()
                assert total < 256 << 20, "nothing stops the writer"
            say("full", total)
            await_line()
            s.setblocking(True)
            s.sendall(b"end"); h.update(b"end"); total += 3
            s.close()
            say("gave", total, h.hexdigest())
        """, p.peer.v4, stdin=-1)
        c, _ = server.accept()
        writer.expect("^full", 60)
        writer.popen.stdin.write(b"go on\n")
        writer.popen.stdin.flush()
        h, total = hashlib.sha256(), 0
        while (b := c.recv(1 << 18)):
            h.update(b)
            total += len(b)
        writer.wait()
        equal(writer.out().splitlines()[-1], f"gave {total} {h.hexdigest()}", "writer and reader")


@test()
def a_closed_window_is_probed_and_survives_seconds_of_silence():
    with Pair() as p:
        server = p.peer.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        server.bind((p.peer.v4, 7400))
        server.listen()
        sniffer = Sniffer(p, p.peer)
        writer = p.python("""
            s = connect(A[0], 7400)
            say("gave", write_all(s, 4 << 20))
            s.close()
        """, p.peer.v4)
        c, _ = server.accept()

        def probes():
            closed = next((g.at for g in sniffer.segments if g.out and g.window == 0
                           and g.sport == 7400 and not g.flags & 4), None)
            return closed and [g for g in sniffer.segments
                               if not g.out and g.dport == 7400 and g.at > closed + 0.2]
        wait_for(lambda: len(probes() or []) >= 2, "two probes of the closed window", 30)
        h = hashlib.sha256()
        while (b := c.recv(1 << 18)):
            h.update(b)
        equal(writer.wait().split(), ["gave", h.hexdigest()], "writer and reader")


@test_each([("1 byte", 1), ("4 KiB", 4096), ("64 KiB", 65536), ("256 KiB", 262144)])
def writing_draining_and_polling_says_writable_after(size):
    """A program that writes until EAGAIN and waits for POLLOUT gets it."""
    with Pair() as p:
        sink = p.kernel_python("""
            s = listen(A[0], 7500); say("ready")
            c, _ = s.accept()
            say("took", read_all(c)[0])
        """, p.peer.v4)
        sink.expect("^ready")
        w = p.python("""
            size, rounds, total = int(A[1]), 0, 0
            s = connect(A[0], 7500); s.setblocking(False)
            block = b"x" * size
            end = time.monotonic() + 60
            while rounds < 20:
                try:
                    total += s.send(block)
                    if size < 4096 and total > 300000: break
                    continue
                except BlockingIOError: pass
                poll = select.poll(); poll.register(s, select.POLLOUT)
                assert poll.poll(10000), f"not writable again after {total} bytes"
                rounds += 1
            s.setblocking(True); s.close()
            say("gave", total)
        """, p.peer.v4, size)
        equal(w.wait().split()[1], sink.wait().split()[2], "bytes")
