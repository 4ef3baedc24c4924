#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/conformance.md is complete, and names only tests that exist and run.

usage: conformance.py SOURCE_ROOT

A test runs if its file is named in the meson.build beside it or above, and the test in
the file's list. One that skips itself does not count.
"""
import pathlib
import re
import sys

WANTED = [f'MUST-{n}' for n in range(1, 70)] + [f'SHLD-{n}' for n in range(1, 32)]
REASON = re.compile(r'(deviation|open|not ours): \S')
PROOF = re.compile(r'`([^`:]+)(?::([a-z_0-9]+))?`|\(((?:scenario|unit|system)/[^):]+):([a-z_0-9]+)\)')
ROW = re.compile(r'^\| (.*) \|$')
FUNCTION = r'^static void {}\(void \*\*\w+\)\n{{\n(.*?)^}}'


class Tests:
    def __init__(self, root):
        self.root = root
        self.texts = {}

    def text(self, name):
        """The source of a test file, None if there is none or nobody runs it."""
        if name not in self.texts:
            found = [p for p in (self.root / f'{name}.c', self.root / f'{name}.py') if p.exists()]
            self.texts[name] = found[0].read_text() if found and self.runs(found[0]) else None
        return self.texts[name]

    def runs(self, path):
        short = re.sub('^test_', '', path.stem)
        for folder in (path.parent, path.parent.parent):
            build = folder / 'meson.build'
            if build.exists() and re.search(rf"\b(test_)?{short}\b", build.read_text()):
                return True
        return False

    def complaint(self, name, test):
        text = self.text(name)
        if text is None:
            return f'no test file {name} that is run'
        if not test:
            return None
        body = re.search(FUNCTION.format(test), text, re.M | re.S)
        if not body:
            return f'{name} has no test {test}'
        if 'skip()' in body.group(1):
            return f'{name}:{test} skips itself'
        rest = text[:body.start()] + text[body.end():]
        if not re.search(rf'\b{test}\b', rest):
            return f'{name}:{test} is in no list'
        return None


def rows(text):
    for line in text.splitlines():
        match = ROW.match(line)
        if not match or line.startswith(('|---', '| id |', '| promise |')):
            continue
        yield [cell.strip() for cell in match.group(1).split(' | ')]


def check_row(tests, name, proof):
    named = [(m.group(1) or m.group(3), m.group(2) or m.group(4)) for m in PROOF.finditer(proof)]
    bad = [f'{name}: {c}' for c in (tests.complaint(*n) for n in named) if c]
    if not named and not REASON.search(proof):
        bad.append(f'{name}: neither a test nor a reason')
    return bad, len(named)


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(argv[1]) / 'tests'
    tests, bad, seen, proofs = Tests(root), [], [], 0
    for cells in rows((root / 'conformance.md').read_text()):
        if len(cells) == 3:
            seen.append(cells[0])
        complaints, n = check_row(tests, cells[0], cells[-1])
        bad += complaints
        proofs += n
    bad += [f'{i}: no row' for i in WANTED if i not in seen]
    bad += [f'{i}: {seen.count(i)} rows' for i in sorted(set(seen)) if seen.count(i) > 1]
    bad += [f'{i}: no such number' for i in seen if i not in WANTED]
    for line in bad:
        print(line, file=sys.stderr)
    if len(seen) < len(WANTED) or proofs < len(WANTED):
        print(f'only {len(seen)} rows, {proofs} proofs: the page was not read', file=sys.stderr)
        return 1
    print(f'{len(seen)} rows of RFC 9293, {proofs} proofs')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
