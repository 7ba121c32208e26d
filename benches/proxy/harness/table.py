"""What a run found, as tables: medians of the rounds."""

from dataclasses import dataclass
from statistics import median
from typing import Callable, TextIO

from .proxies import OURS
from .scenarios import Scenario

MIB = 1 << 20


@dataclass(frozen=True)
class Column:
    head: str
    # Where it stands.
    shown: bool


def write(out: TextIO, scenario: Scenario, found: dict, notes: list[str]) -> str | None:
    """Writes the table of a scenario; returns its row in the summary, if there is something to compare."""
    key = scenario.load.key
    columns = {name: column for name, column in all_columns(scenario).items() if column.shown}
    # What counts most comes first.
    order = sorted(columns, key=lambda name: name != key)
    rows = {name: values(scenario, figures) for name, figures in found.items() if figures}
    rounds = max(map(len, found.values()), default=0)
    peers = {name: row[key] for name, row in rows.items() if name != OURS}
    best = min(peers, key=peers.get, default=None)
    out.write(f"\n## {scenario.name}: {rounds} round{'s' * (rounds != 1)}\n\n")
    out.write(f"| proxy | to the best peer | {' | '.join(columns[name].head for name in order)} |\n")
    out.write(f"| --- |{' ---: |' * (len(order) + 1)}\n")
    for name, row in sorted(rows.items(), key=lambda item: item[1][key]):
        cells = [f"{row[key] / peers[best]:.2f}" if best else "", *(shown(row[column]) for column in order)]
        out.write(f"| {name} | {' | '.join(cells)} |\n")
    out.writelines(f"\nWithout {note}\n" for note in notes)
    out.flush()
    if OURS not in rows or not best:
        return None
    ours = rows[OURS][key]
    figures = f"{shown(ours)} | {best} {shown(peers[best])} | {ours / peers[best]:.2f}"
    return f"| {scenario.name} | {columns[key].head} | {figures} |"


def summary(out: TextIO, rows: list[str]) -> None:
    out.write("\n## Summary\n\n| scenario | figure | gateway | best peer | ratio |\n| --- | --- | ---: | ---: | ---: |\n")
    out.writelines(f"{row}\n" for row in rows)


def all_columns(scenario: Scenario) -> dict[str, Column]:
    is_counted, is_idle = scenario.load.unit == "request", scenario.load.fresh
    return {
        "cpu": Column("CPU us per request" if is_counted else "CPU s per GiB", not is_idle),
        "rate": Column("requests/s" if is_counted else "MiB/s", not is_idle),
        "p50": Column("p50 ms", is_counted and not is_idle),
        "p99": Column("p99 ms", is_counted and not is_idle),
        "per_connection": Column("KiB per connection", is_idle),
        "resident": Column("RSS MiB", True),
        "peak": Column("peak MiB", True),
    }


def values(scenario: Scenario, all_figures: list) -> dict[str, float]:
    """By the names of columns."""

    def middle(of: Callable) -> float:
        return median(of(figures) or 0 for figures in all_figures)

    is_counted = scenario.load.unit == "request"
    return {
        "cpu": middle(lambda f: f.cpu / f.sample.count) * (1e6 if is_counted else 1),
        "rate": middle(lambda f: f.sample.count / f.sample.seconds) * (1 if is_counted else 1024),
        "p50": middle(lambda f: f.sample.p50),
        "p99": middle(lambda f: f.sample.p99),
        "per_connection": middle(lambda f: f.sample.per_connection) / 1024,
        "resident": middle(lambda f: f.resident) / MIB,
        "peak": middle(lambda f: f.peak) / MIB,
    }


def shown(value: float) -> str:
    """About three digits that count."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
