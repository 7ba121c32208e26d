"""Interleaved rounds: in each, every proxy is loaded once, one after the other."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass

from . import table
from .bench import Bench
from .checks import check
from .child import Ended
from .loads.sample import Sample, Wrong
from .programs import say
from .proxies import PROXIES
from .proxies.proxy import Running
from .scenarios import SCENARIOS, Scenario
from .trouble import Trouble, Unsupported


@dataclass(frozen=True)
class Figures:
    """What one load of one proxy came to."""

    sample: Sample
    # Seconds of its processes.
    cpu: float
    resident: int
    peak: int


def run(bench: Bench) -> int:
    """The tables of all scenarios; 1 if a proxy answered wrongly."""
    PROXIES["gateway"].file = bench.options.gateway
    all_good, rows = True, []
    for name in bench.options.scenarios:
        good, row = measure(bench, SCENARIOS[name])
        all_good &= good
        rows += [row] if row else []
    table.summary(sys.stdout, rows)
    return 0 if all_good else 1


def measure(bench: Bench, scenario: Scenario) -> tuple[bool, str | None]:
    """Whether all answered well, and the row of the summary."""
    options = bench.options
    good = True
    with ExitStack() as stack:
        running, notes = {}, []
        for name in options.proxies:
            try:
                running[name] = stack.enter_context(start(bench, scenario, name))
            except Unsupported as why:
                notes.append(f"{name}: {why}")
            except Trouble as trouble:
                good = False
                notes.append(f"**{name}: {trouble}**")
        found: dict[str, list[Figures]] = {name: [] for name in running}
        for number in range(options.rounds):
            for name in list(found):
                say(f"{scenario.name}, round {number + 1} of {options.rounds}: {name}")
                try:
                    if scenario.load.fresh and number:
                        running[name].__exit__()
                        running[name] = stack.enter_context(start(bench, scenario, name))
                    found[name].append(once(running[name], options.seconds))
                except (Wrong, Trouble) as wrong:
                    # Its figures would mean nothing.
                    good = False
                    notes.append(f"**{name}: {wrong}**")
                    del found[name]
        return good, table.write(sys.stdout, scenario, found, notes)


def start(bench: Bench, scenario: Scenario, name: str) -> Running:
    """A proxy that has shown that it does what is asked for."""
    try:
        running = Running(PROXIES[name], scenario, bench)
    except Ended as ended:
        # What our gateway says where it cannot serve a scenario yet.
        if ended.status == 3:
            raise Unsupported("not supported yet") from ended
        raise
    try:
        check(running)
    except BaseException:
        running.__exit__()
        raise
    return running


def once(running: Running, seconds: int) -> Figures:
    load = running.scenario.load
    if not load.fresh:
        # Connections and caches are filled before it counts.
        load.run(running, 1)
    before = running.child.cpu()
    sample = load.run(running, seconds)
    cpu = running.child.cpu() - before
    return Figures(sample, cpu, running.child.resident(), running.child.peak())
