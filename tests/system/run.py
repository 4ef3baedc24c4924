#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""System tests: the real daemon and real programs in network namespaces.

Prints one `ok` or `not ok` line a test and the totals; exit 0 only if all passed.
"""
import argparse
import fnmatch
import glob
import importlib
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lib
from registry import cases


class Timeout(Exception):
    pass


def on_alarm(*_):
    raise Timeout


def arguments():
    p = argparse.ArgumentParser(description="Run the system tests (as root).")
    p.add_argument("names", nargs="*", metavar="NAME",
                   help="a subject, part of a claim, or a pattern; default: all")
    p.add_argument("--build", default=lib.Limits.build, help="build directory (default: build)")
    p.add_argument("--daemon-build", help="build directory of tcpd, if another (sanitizers)")
    p.add_argument("--full", action="store_true", help="bulk tests with 1 GiB")
    p.add_argument("--quick", action="store_true", help="bulk tests with 32 MiB")
    p.add_argument("--keep", action="store_true", help="keep the files of failed tests")
    p.add_argument("--reference", action="store_true",
                   help="test the tests: the kernel's TCP in the place of tcpd")
    p.add_argument("--list", action="store_true", help="print the names and exit")
    return p.parse_args()


def load():
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                              "test_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])


def wanted(case, names):
    whole = f"{case.subject}: {case.claim}"
    return not names or any(n == case.subject or n in whole or fnmatch.fnmatch(whole, n)
                            for n in names)


def run_one(case):
    """None, or why it failed."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(int(case.seconds))
    try:
        case.run()
    except Timeout:
        return f"took longer than {case.seconds:g} s"
    except lib.Failure as e:
        where = traceback.extract_tb(e.__traceback__)
        line = next((f for f in reversed(where) if "test_" in f.filename), where[-1])
        return f"{e} ({os.path.basename(line.filename)}:{line.lineno})"
    except Exception:  # a broken test is a failed test
        return traceback.format_exc().strip().replace("\n", "\n#   ")
    finally:
        signal.alarm(0)
    return None


def main():
    args = arguments()
    load()
    chosen = [c for c in cases if wanted(c, args.names)]
    if args.list:
        print("\n".join(f"{c.subject}: {c.claim}" for c in chosen))
        return 0
    if not chosen:
        print("no test has such a name", file=sys.stderr)
        return 2
    if os.geteuid():
        print("the system tests make network namespaces: run them as root", file=sys.stderr)
        return 2
    lib.Limits.build = os.path.abspath(args.build)
    lib.Limits.daemon_build = args.daemon_build and os.path.abspath(args.daemon_build)
    lib.Limits.reference = args.reference
    lib.Limits.full, lib.Limits.keep = args.full, args.keep
    lib.Limits.bulk = 1 << 30 if args.full else (32 << 20 if args.quick else 256 << 20)

    # Ended from outside: what the test made is still taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = []
    print(f"1..{len(chosen)}")
    for n, case in enumerate(chosen, 1):
        start = time.monotonic()
        why = run_one(case)
        took = time.monotonic() - start
        name = f"{case.subject}: {case.claim}"
        if why:
            failed.append(name)
            print(f"not ok {n} - {name} ({took:.1f} s)\n#   {why}", flush=True)
        else:
            print(f"ok {n} - {name} ({took:.1f} s)", flush=True)
    lib.tools_remove()
    for name in failed:
        print(f"# failed: {name}")
    print(f"# {len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
