"""The table of a scenario: medians of the rounds."""

from statistics import median
from typing import Callable, TextIO

from .proxies import OURS
from .scenarios import Scenario

MIB = 1 << 20


def write(out: TextIO, scenario: Scenario, found: dict, notes: list[str]) -> None:
    columns = [column for column in COLUMNS if column[2](scenario)]
    rows = {name: values(scenario, all_figures) for name, all_figures in found.items() if all_figures}
    key = "per_connection" if scenario.load.fresh else "cpu"
    best = min((row[key] for name, row in rows.items() if name != OURS), default=None)
    rounds = max(map(len, found.values()), default=0)
    out.write(f"\n## {scenario.name} ({rounds} rounds)\n\n")
    heads = [head(scenario) for head, _, _ in columns]
    out.write(f"| proxy | {' | '.join(heads)} | to the best peer |\n")
    out.write(f"| --- |{' ---: |' * (len(heads) + 1)}\n")
    for name, row in sorted(rows.items(), key=lambda item: item[1][key]):
        cells = [f"{row[field]:.{digits(row[field])}f}" for _, field, _ in columns]
        ratio = f"{row[key] / best:.2f}" if best else ""
        out.write(f"| {name} | {' | '.join(cells)} | {ratio} |\n")
    for note in notes:
        out.write(f"\nNot measured: {note}\n")
    out.flush()


def values(scenario: Scenario, all_figures: list) -> dict[str, float]:
    def middle(of: Callable) -> float:
        return median(of(figures) for figures in all_figures)

    times = all_figures[0].sample.p50 is not None
    is_counted = scenario.load.unit == "request"
    return {
        "cpu": middle(lambda f: f.cpu / f.sample.count) * (1e6 if is_counted else 1),
        "rate": middle(lambda f: f.sample.count / f.sample.seconds) * (1 if is_counted else 1024),
        "p50": middle(lambda f: f.sample.p50) if times else 0,
        "p99": middle(lambda f: f.sample.p99) if times else 0,
        "per_connection": middle(lambda f: f.sample.per_connection or 0) / 1024,
        "resident": middle(lambda f: f.resident) / MIB,
        "peak": middle(lambda f: f.peak) / MIB,
    }


def digits(value: float) -> int:
    """About three that count."""
    return 0 if value >= 100 else 1 if value >= 10 else 2


def is_counted(scenario: Scenario) -> bool:
    return scenario.load.unit == "request"


def has_times(scenario: Scenario) -> bool:
    return is_counted(scenario) and not scenario.load.fresh


# What stands above, which value stands below, and in which scenarios.
COLUMNS = [
    (lambda s: "KiB per connection", "per_connection", lambda s: s.load.fresh),
    (lambda s: "CPU us per request" if is_counted(s) else "CPU s per GiB", "cpu", lambda s: True),
    (lambda s: "requests/s" if is_counted(s) else "MiB/s", "rate", lambda s: not s.load.fresh),
    (lambda s: "p50 ms", "p50", has_times),
    (lambda s: "p99 ms", "p99", has_times),
    (lambda s: "RSS MiB", "resident", lambda s: True),
    (lambda s: "peak MiB", "peak", lambda s: True),
]
