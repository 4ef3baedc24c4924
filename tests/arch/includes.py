#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Includes follow the arrows: a room sees only those to its right.

usage: includes.py SOURCE_ROOT

Also: what is private stays so. Of the engine, other rooms include engine.h and the
lists only; ev.h belongs to loop, protobuf to rpc, and no pure room includes a header
that could make a system call or read a clock.
"""
import pathlib
import re
import sys

# room: the rooms whose headers it may include, itself apart
ARROWS = {
    'base': set(),
    'wire': {'base'},
    'engine': {'wire', 'base'},
    'sock': {'engine', 'wire', 'base'},
    'state': {'sock', 'engine', 'wire', 'base'},
    'stream': {'state', 'sock', 'engine', 'wire', 'base'},
    'netio': {'wire', 'base'},
    'priv': {'base'},
    'rpc': {'stream', 'state', 'sock', 'engine', 'wire', 'base'},
    'loop': {'rpc', 'stream', 'netio', 'priv', 'state', 'sock', 'engine', 'wire', 'base'},
    'supervisor': {'loop', 'priv', 'netio', 'state', 'base', 'engine'},
}
# Tables and plain data that both sides of a wall read: no calls cross by them.
TABLES = {
    ('engine', 'state/records.h'), ('engine', 'state/records.def'),
    ('sock', 'state/records.h'), ('sock', 'state/records.def'), ('sock', 'state/records_sock.def'),
}
ENGINE_PUBLIC = {'engine/engine.h', 'engine/config.h', 'engine/states.def', 'engine/edges.def',
                 'engine/drops.def', 'engine/record_types.h'}
PURE = {'base', 'wire', 'engine', 'sock'}
PURE_SYSTEM = {'stdbool.h', 'stddef.h', 'stdint.h', 'stdlib.h', 'string.h', 'errno.h', 'limits.h',
               'assert.h', 'inttypes.h', 'stdarg.h', 'endian.h', 'sys/uio.h', 'sys/types.h',
               # numbers and struct layouts only; symbols.py sees to the calls
               'stdio.h', 'arpa/inet.h', 'netinet/in.h', 'netinet/ip.h', 'sys/socket.h',
               'netinet/tcp.h', 'linux/tcp.h', 'linux/in.h', 'linux/in6.h', 'net/if.h', 'ctype.h',
               'strings.h', 'stdalign.h', 'netinet/icmp6.h', 'netinet/ip_icmp.h',
               'netinet/ip6.h'}
OWNERS = {
    'ev.h': {'loop'},
    'systemd/sd-daemon.h': {'priv', 'supervisor'},
    'systemd/sd-journal.h': {'loop', 'priv'},
    'libmnl/libmnl.h': {'netio'},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def complaint(room, quote, name):
    if quote == '<':
        if room in PURE and name not in PURE_SYSTEM:
            return 'a pure room includes only plain C headers'
        if name in OWNERS and room not in OWNERS[name]:
            return 'belongs to ' + ' and '.join(sorted(OWNERS[name]))
        return None
    if '/' not in name:
        return 'does not name its room'
    target = name.split('/')[0]
    if name.startswith('proto/tcpd.pb-c'):
        return None if room == 'rpc' else 'protobuf is seen by rpc only'
    if target in (room, 'proto') or (room, name) in TABLES:
        return None
    if target not in ARROWS[room]:
        return f'is against the arrows: {room} may see {", ".join(sorted(ARROWS[room])) or "none"}'
    if target == 'engine' and name not in ENGINE_PUBLIC and \
            not (room == 'state' and name == 'engine/impl.h'):
        return 'is private to the engine'
    return None


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(argv[1]) / 'daemon'
    seen = bad = 0
    for path in sorted(root.glob('*/*.[chd]*')):
        room = path.parent.name
        if path.suffix not in ('.c', '.h', '.def'):
            continue
        if room not in ARROWS:
            print(f'{path}: room {room} has no arrow')
            bad += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            seen += 1
            why = complaint(room, match[1], match[2])
            if why:
                print(f'{path.relative_to(root.parent)}:{number}: {match[2]} {why}')
                bad += 1
    print(f'{seen} includes, {bad} against the arrows')
    return 1 if bad or not seen else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
