#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ECN between tcpd and the kernel's TCP, as it is on the link.

usage: ecn.py BUILD_DIR     (root)

Both roles and both families: who agrees, which packets are ECT(0), and that a mark
set on the way (by nft, at the peer's door) is echoed until CWR, both ways.
"""
import pathlib
import socket
import sys
import time

from bed import OURS4, OURS6, PEER4, PEER6, Bed, Sniffer, sh

ECT0, CE = 2, 3
SIZE = 3000000

ACTIVE = '''
import socket
s = socket.create_connection(('{peer}', 7777))
n = 0
while n < {size}:
    n += len(s.recv(65536))
s.sendall(bytes({size}))
s.shutdown(socket.SHUT_WR)
s.recv(1)
'''

PASSIVE = '''
import socket
l = socket.create_server(('{ours}', 7778), family=socket.{family})
print('listening', flush=True)
s, _ = l.accept()
n = 0
while n < {size}:
    n += len(s.recv(65536))
s.sendall(bytes({size}))
s.shutdown(socket.SHUT_WR)
s.recv(1)
'''


def mark_everything(ns, on):
    """What leaves or enters the peer's host as ECT(0) has met a congested router: every 8th."""
    if not on:
        sh('nft', 'delete', 'table', 'inet', 'router', ns=ns)
        return
    sh('nft', 'add', 'table', 'inet', 'router', ns=ns)
    for hook in ('prerouting', 'postrouting'):
        sh('nft', 'add', 'chain', 'inet', 'router', hook,
           f'{{ type filter hook {hook} priority -300; }}', ns=ns)
        for family in ('ip', 'ip6'):
            sh('nft', 'add', 'rule', 'inet', 'router', hook, family, 'ecn', 'ect0',
               'numgen', 'inc', 'mod', '8', '0', family, 'ecn', 'set', 'ce', ns=ns)


def serve(s):
    s.settimeout(20)
    s.sendall(bytes(SIZE))
    n = 0
    while n < SIZE:
        more = s.recv(1 << 16)
        assert more, f'the stream ended after {n} bytes'
        n += len(more)


def converse(bed, role, family, peer, ours):
    sniffer = Sniffer()
    if role == 'active':
        listener = socket.create_server((peer, 7777), family=getattr(socket, family))
        listener.settimeout(10)
        program = bed.run(ACTIVE.format(peer=peer, size=SIZE))
        s, _ = listener.accept()
        listener.close()
    else:
        program = bed.run(PASSIVE.format(ours=ours, family=family, size=SIZE))
        assert program.stdout.readline() == 'listening\n'
        s = socket.create_connection((ours, 7778), 10)
    serve(s)
    s.close()
    assert program.wait(20) == 0
    seen = sniffer.segments()
    return [x for x in seen if x.src == ours], [x for x in seen if x.src == peer]


def check(role, mine, theirs, marked):
    syn = next(x for x in mine if x.has('S'))
    assert syn.has('EC') if role == 'active' else syn.has('E') and not syn.has('C'), syn
    for x in mine:
        if x.has('S') or not x.data:
            assert x.ecn == 0, f'ECT on {x}'
    data = [x for x in mine if x.data]
    assert sum(x.ecn == ECT0 for x in data) >= 0.9 * len(data), 'data without ECT'
    if not marked:
        assert not any(x.has('C') for x in data), 'CWR without a mark'
        return
    # They were marked on their way out: we echo, and stop when the kernel says CWR.
    assert any(x.ecn == CE for x in theirs), 'nothing was marked'
    echoes = [x.has('E') for x in mine if not x.has('S')]
    assert any(echoes), 'CE was not echoed'
    assert any(x.has('C') and not x.has('S') for x in theirs), 'the kernel did not hear it'
    assert any(a and not b for a, b in zip(echoes, echoes[1:])), 'the echo never ends'
    # Ours are marked at their door: they echo, we say CWR in new data.
    assert any(x.has('E') and not x.has('S') for x in theirs), 'the kernel saw no mark'
    cwr = [x for x in data if x.has('C')]
    assert cwr, 'no CWR'
    assert all(x.ecn == ECT0 for x in cwr), 'CWR in what is not new data'


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with Bed(argv[1]) as bed:
        pathlib.Path('/proc/sys/net/ipv4/tcp_ecn').write_text('1')
        bed.tunable('tcp_ecn_permitted', 2)
        for marked in (False, True):
            if marked:
                mark_everything(bed.peer, True)
            for family, peer, ours in (('AF_INET', PEER4, OURS4), ('AF_INET6', PEER6, OURS6)):
                for role in ('active', 'passive'):
                    mine, theirs = converse(bed, role, family, peer, ours)
                    check(role, mine, theirs, marked)
                    print(f'{family} {role} marked={marked}: ok, {len(mine)} + {len(theirs)} packets')
        time.sleep(0.1)
        pathlib.Path('/proc/sys/net/ipv4/tcp_ecn').write_text('0')
        mark_everything(bed.peer, False)
        mine, _ = converse(bed, 'active', 'AF_INET', PEER4, OURS4)
        assert all(x.ecn == 0 and not (x.data and x.has('C')) for x in mine), 'ECN with a peer without'
        print('a peer that does not agree: ok')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
