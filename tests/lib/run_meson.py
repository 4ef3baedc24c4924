#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run_meson.py BUILD SUITE: run a suite of `meson test` and count single test cases.

A program of cmocka counts by its own lines, any other as one. A program that dies or
hangs counts as one failure besides those it reported. A skipped test was not passed.
"""
import json
import os
import re
import subprocess
import sys

# A hung test must not eat the time of all others; sanitizers make some slower than usual.
TIMEOUT_FACTOR = "3"


def cases(test):
    """(passed, [names of failed ones]) of one program."""
    text = (test.get("stdout") or "") + (test.get("stderr") or "")
    good = re.findall(r"^\[       OK \] (\S+)", text, re.M)
    bad = set(re.findall(r"^\[  (?:FAILED|SKIPPED) +\] (.+?)(?:: .*)?$", text, re.M))
    bad = sorted(b for b in bad if not re.match(r"\d+ test\(s\)", b))
    if test["result"] == "OK":
        return (len(good), bad) if good or bad else (1, [])
    return len(good), bad or [f"({test['result'].lower()})"]


def main():
    build, suite = sys.argv[1:]
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=1",
               UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    status = subprocess.run(["meson", "test", "-C", build, "--suite", suite, "--no-rebuild",
                             "--timeout-multiplier", TIMEOUT_FACTOR],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env=env, text=True, check=False)
    passed = failed = 0
    tests = []
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            tests = [json.loads(line) for line in f]
    for test in tests:
        good, bad = cases(test)
        passed += good
        failed += len(bad)
        name = test["name"].split(" / ")[-1]
        print(f"{'ok    ' if not bad else 'FAILED'} {name}: {good} passed"
              + (f", {len(bad)} failed: {' '.join(bad)}" if bad else "")
              + f" ({test['duration']:.1f} s)")
        if bad:
            text = (test.get("stdout") or "") + (test.get("stderr") or "")
            print("\n".join("    " + line for line in text.splitlines()[-40:]))
    if not tests:
        print(status.stdout[-4000:])
        failed += 1  # a suite without tests is an empty promise
    elif status.returncode and not failed:
        print(status.stdout[-2000:])
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
