"""System calls for each request, by strace."""

from pathlib import Path

from .bench import Bench
from .counted import FEW, MANY, each, few_and_many
from .programs import need
from .scenarios import Scenario


def run(bench: Bench) -> int:
    def work(scenario: Scenario, name: str) -> None:
        few, many = few_and_many(bench, scenario, name, under, read)
        each_one = {call: (count - few.get(call, 0)) / (MANY - FEW) for call, count in many.items()}
        found = {call: count for call, count in each_one.items() if count > 0.005}
        calls = ", ".join(f"{call} {count:.2f}" for call, count in sorted(found.items(), key=lambda item: -item[1]))
        print(f"{scenario.name}: {name}: {sum(found.values()):.2f} system calls a request: {calls}", flush=True)

    return each(bench, work)


def under(file: Path) -> list[str]:
    return [need("strace", "strace"), "-f", "-c", "-o", str(file)]


def read(file: Path) -> dict[str, int]:
    """Lines of time, seconds, time of a call, calls, perhaps errors, and a name."""
    counts = {}
    for line in file.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            counts[fields[-1]] = int(fields[3])
    return counts
