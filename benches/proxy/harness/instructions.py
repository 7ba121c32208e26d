"""Instructions in user code for each request, by callgrind, and where our gateway spends them.

A copy of more than 2 KiB counts with an instruction for each byte; a processor is faster there.
"""

from pathlib import Path

from . import callgrind
from .bench import Bench
from .callgrind import Profile
from .counted import FEW, MANY, each, few_and_many
from .programs import need
from .proxies import OURS
from .scenarios import Scenario

TOP = 25


def run(bench: Bench) -> int:
    def work(scenario: Scenario, name: str) -> None:
        few, many = few_and_many(bench, scenario, name, under, callgrind.read)
        profile = many.per_request(few, MANY - FEW)
        print(f"\n{scenario.name}: {name}: {sum(profile.own.values()):.0f} instructions a request", flush=True)
        if name == OURS:
            show(profile)

    return each(bench, work)


def under(file: Path) -> list[str]:
    return [need("valgrind", "valgrind"), "--tool=callgrind", f"--callgrind-out-file={file}"]


def show(profile: Profile) -> None:
    own, whole = most(profile.own), most(profile.whole)
    table("function, alone", ([cost, name] for name, cost in own))
    table("function, with what it calls", ([cost, name] for name, cost in whole))
    # Who copies that much, and who allocates?
    for called in (own[0][0], "malloc"):
        callers = most({caller: cost for (caller, name), cost in profile.called.items() if name == called})
        rows = ([cost, profile.calls[caller, called], caller] for caller, cost in callers if cost >= 1)
        table(f"calls of `{called}` | by", rows)


def most(costs: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(costs.items(), key=lambda item: -item[1])[:TOP]


def table(heads: str, rows) -> None:
    print(f"\n| instructions | {heads} |\n| ---: |{' --- |' * (heads.count(' | ') + 1)}")
    for *numbers, name in rows:
        cells = [f"{number:.0f}" if number >= 10 else f"{number:.2f}" for number in numbers]
        print(f"| {' | '.join(cells)} | `{name[:150]}` |")
