#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Urgent data between a program on tcpd and the kernel's TCP.

usage: urgent.py BUILD_DIR     (root)
"""
import fcntl
import select
import socket
import struct
import sys

from bed import OURS4, OURS6, PEER4, PEER6, Bed, Sniffer

SIOCATMARK = 0x8905


def exactly(s, n):
    data = b''
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            break
        data += more
    return data


def at_mark(s):
    return struct.unpack('i', fcntl.ioctl(s, SIOCATMARK, b'\0' * 4))[0]


def urgent_is_waiting(s):
    return bool(select.select([], [], [s], 5)[2])


# The program echoes what it learns: it reads up to the mark, then out of band, then on.
PROGRAM = '''
import select, signal, socket, os
signal.signal(signal.SIGURG, lambda *a: os.write(1, b'SIGURG\\n'))
s = socket.socket(socket.{family})
s.connect(('{peer}', 7777))
import fcntl
fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
s.send(b'ready')
while not select.select([], [], [s], 10)[2]:
    pass
print(s.recv(100), flush=True)
print(s.recv(1, socket.MSG_OOB), flush=True)
print(s.recv(100), flush=True)
s.send(b'one')
s.send(b'two!', socket.MSG_OOB)
s.send(b'three')
s.recv(1)
'''


def conversation(bed, family, peer, ours):
    listener = socket.create_server((peer, 7777), family=getattr(socket, family))
    listener.settimeout(10)
    sniffer = Sniffer()
    program = bed.run(PROGRAM.format(family=family, peer=peer))
    s, _ = listener.accept()
    s.settimeout(10)
    assert exactly(s, 5) == b'ready'

    s.send(b'before', socket.MSG_DONTWAIT)
    s.send(b'U', socket.MSG_OOB)
    s.send(b'behind')
    lines = [program.stdout.readline() for _ in range(4)]
    assert "SIGURG\n" in lines, lines
    lines.remove("SIGURG\n")
    assert lines == ["b'before'\n", "b'U'\n", "b'behind'\n"], lines

    assert urgent_is_waiting(s)
    data = b''
    while not at_mark(s):
        data += s.recv(100)
    assert data == b'onetwo', data
    assert s.recv(1, socket.MSG_OOB) == b'!'
    assert exactly(s, 5) == b'three'

    urgent = [seg for seg in sniffer.segments(ours) if seg.has('U')]
    assert urgent, 'no URG on the wire'
    stream = sum(len(d) for d in (b'ready', b'onetwo!'))
    first = min(seg.seq for seg in urgent)
    ends = {(seg.seq + seg.up) & 0xffffffff for seg in urgent}
    assert len(ends) == 1, urgent  # one mark, whatever segment points to it
    print(f'{family}: ok, {len(urgent)} segments with URG, mark at {stream}, first {first}')
    s.close()
    assert program.wait(10) == 0
    listener.close()


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with Bed(argv[1]) as bed:
        conversation(bed, 'AF_INET', PEER4, OURS4)
        conversation(bed, 'AF_INET6', PEER6, OURS6)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
