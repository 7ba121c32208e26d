"""The command line."""

import argparse
import signal
import sys

from . import instructions, rounds, syscalls
from .bench import Bench
from .proxies import PROXIES
from .scenarios import SCENARIOS
from .trouble import Trouble

DESCRIPTION = """\
Our gateway beside other proxies. Installs the programs that are missing and says so, starts an upstream and the
proxies on free ports of 127.0.0.1, pins proxies to the first CPU and everything else to the others, loads the proxies
in turn, and prints a table for each scenario. CPU is that of a proxy's whole process tree, by user and system time.
"""


def main() -> int:
    options = parse()
    # An ended run ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = {"load": rounds.run, "instructions": instructions.run, "syscalls": syscalls.run}[options.what]
    try:
        with Bench(options) as bench:
            return work(bench)
    except Trouble as trouble:
        print(f"run: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["load", "instructions", "syscalls"],
        default="load",
        help="load (the default), or count a request's instructions (callgrind) or system calls (strace)",
    )
    parser.add_argument("--scenarios", nargs="+", metavar="NAME", choices=list(SCENARIOS), help=" ".join(SCENARIOS))
    parser.add_argument("--proxies", nargs="+", metavar="NAME", choices=list(PROXIES), help=" ".join(PROXIES))
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=int, help="of load for each proxy in each round; default 5")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, to see whether it works")
    parser.add_argument("--gateway", metavar="FILE", help="this binary instead of one built from the sources")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 5)
    counts_only = options.what != "load"
    options.scenarios = options.scenarios or (["plain", "cache1k"] if counts_only else list(SCENARIOS))
    options.proxies = options.proxies or (["gateway", "nginx", "haproxy"] if counts_only else list(PROXIES))
    return options
