#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tcpd with tcprun beside the kernel's TCP (cubic), over one veth pair, in one run.

Nothing here passes or fails: it prints what was measured, and the ratio of the two.
The other end is always the kernel's. Each figure is the median of some rounds, in which
the two take turns, so that both meet the same noise.
"""
import argparse
import json
import os
import signal
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "system"))
import lib

PORT = 5001
# what, on which column of the program's line, the name, the unit, the divisor
FIGURES = [
    ("send", 0, "bulk, sending", "Gbit/s", 1e9),
    ("receive", 0, "bulk, receiving", "Gbit/s", 1e9),
    ("ask", 0, "request/response", "per s", 1),
    ("ask", 1, "request/response p50", "usec", 1),
    ("ask", 2, "request/response p99", "usec", 1),
    ("call", 0, "connect-request-close", "per s", 1),
]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default=os.path.join(lib.TOP, "build"))
    p.add_argument("--seconds", type=float, default=2, help="of each measurement (2)")
    p.add_argument("--rounds", type=int, default=5, help="of which the median is shown (5)")
    p.add_argument("--mtu", type=int, default=1500)
    p.add_argument("--ipv6", action="store_true")
    p.add_argument("--json", metavar="FILE", help="write all measurements there")
    return p.parse_args()


# By socket, not by namespace: a host may not allow cubic as the default there.
KERNEL = {"LOAD_CC": "cubic"}


def one(p, what, under_tcpd, args):
    argv = [lib.tool("tests/bench/load.c", "-Wall", "-Wextra"), what,
            p.peer.v6 if args.ipv6 else p.peer.v4, str(PORT), str(args.seconds)]
    c = p.tcprun(*argv) if under_tcpd else p.spawn(p.host, *argv, env=KERNEL)
    return [float(x) for x in c.wait(args.seconds + 60).split()]


def measure(args):
    got = {(what, tcpd): [] for what, *_ in FIGURES for tcpd in (False, True)}
    with lib.Pair(mtu=args.mtu) as p:
        # Many short connections: the kernel may use its ports in TIME-WAIT again, as tcpd does.
        with p.host:
            for name, value in (("tcp_tw_reuse", "1"), ("ip_local_port_range", "1024 65535")):
                with open("/proc/sys/net/ipv4/" + name, "w", encoding="ascii") as f:
                    f.write(value)
        p.spawn(p.peer, lib.tool("tests/bench/load.c", "-Wall", "-Wextra"), "serve",
                str(PORT), env=KERNEL).expect("^ready")
        for n in range(args.rounds):
            for what in dict.fromkeys(what for what, *_ in FIGURES):
                for under_tcpd in (False, True):
                    got[what, under_tcpd].append(one(p, what, under_tcpd, args))
            print(f"round {n + 1} of {args.rounds}", file=sys.stderr)
    return got


def main():
    args = arguments()
    if os.geteuid():
        print("bench: it makes network namespaces: run it as root", file=sys.stderr)
        return 2
    lib.Limits.build = os.path.abspath(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        got = measure(args)
    except lib.Failure as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    finally:
        lib.tools_remove()
    print(f"{'':24}{'kernel':>12}{'tcpd':>12}{'ratio':>8}")
    for what, column, name, unit, divisor in FIGURES:
        kernel, tcpd = (statistics.median(r[column] for r in got[what, side]) / divisor
                        for side in (False, True))
        print(f"{name:24}{kernel:12.2f}{tcpd:12.2f}{tcpd / kernel:8.2f}  {unit}")
    if args.json:
        with open(args.json, "w", encoding="ascii") as f:
            json.dump({f"{what} {'tcpd' if side else 'kernel'}": rounds
                       for (what, side), rounds in got.items()}, f, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
