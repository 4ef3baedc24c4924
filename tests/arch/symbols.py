#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The pure rooms call nothing but memory and string functions of libc.

usage: symbols.py NM ROOM=ARCHIVE ...

Every symbol that a room leaves undefined must be defined by one of the given
rooms, or be in the list below. So no system call, no clock and no log can slip in.
"""
import subprocess
import sys

MEMORY = {'malloc', 'calloc', 'realloc', 'free', 'memcpy', 'memmove', 'memset', 'memcmp', 'memchr',
          'strlen', 'strcmp', 'strncmp', 'strncpy', 'strchr', 'strnlen', 'abort', 'bsearch', 'qsort',
          '__assert_fail', '_GLOBAL_OFFSET_TABLE_'}
# base/ip_addr.c and the numbers of the tables: text, and no I/O.
TEXT = {'snprintf', 'vsnprintf', 'inet_ntop', 'inet_pton', 'strtoul', 'strtoull', '__errno_location',
        'strspn', 'strcspn', 'strstr', 'strtok_r', 'strndup', 'strdup', 'strrchr', 'memmem',
        '__isoc23_strtoul', '__isoc23_strtoull', 'strcpy', 'stpcpy', 'strcasecmp', '__ctype_b_loc',
        'strerror'}
ALLOWED = {
    'base': MEMORY | TEXT,
    'wire': MEMORY,
    'engine': MEMORY,
    'sock': MEMORY,
    'proto': MEMORY | TEXT,
}
# What the compiler puts in by itself: hardening, sanitizers, coverage.
COMPILER = ('__stack_chk_', '__asan_', '__ubsan_', '__sanitizer_', '__tsan_', '__msan_', '__gcov_',
            '__sanitize', 'mangle_path', '__llvm_', '__start___', '__stop___', '__lsan_')


def symbols(nm, archive):
    """Returns (defined, undefined) of an archive, undefined with the object that needs it."""
    text = subprocess.run([nm, '-A', archive], check=True, capture_output=True, text=True).stdout
    defined, undefined = set(), {}
    for line in text.splitlines():
        where, _, rest = line.rpartition(':')
        fields = rest.split()
        if len(fields) < 2:
            continue
        kind, name = fields[-2], fields[-1]
        if kind in 'Uw':
            undefined.setdefault(name, where)
        elif kind.isupper() or kind in 'iV':
            defined.add(name)
    return defined, undefined


def plain(name):
    """memcpy for __memcpy_chk: the fortified variants do no more."""
    return name[2:-4] if name.startswith('__') and name.endswith('_chk') else name


def main(argv):
    if len(argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    nm, rooms = argv[1], dict(arg.split('=', 1) for arg in argv[2:])
    found = {room: symbols(nm, archive) for room, archive in rooms.items()}
    known = set().union(*(defined for defined, _ in found.values()))
    bad = 0
    for room, (_, undefined) in sorted(found.items()):
        for name, where in sorted(undefined.items()):
            if name in known or plain(name) in ALLOWED[room] or name.startswith(COMPILER):
                continue
            print(f'{room}: {where} needs {name}, which a pure room may not call')
            bad += 1
    print(f'{len(found)} rooms, {bad} forbidden symbols')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
