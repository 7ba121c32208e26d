"""Reads the files that callgrind writes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(r"(c?fn)=\((\d+)\)(?: (.*))?")


@dataclass
class Profile:
    """Instructions, by function."""

    own: dict[str, float] = field(default_factory=dict)
    # With all that it calls; what calls itself is counted several times.
    whole: dict[str, float] = field(default_factory=dict)
    # By who calls and who is called: how often, and what it costs.
    calls: dict[tuple[str, str], float] = field(default_factory=dict)
    called: dict[tuple[str, str], float] = field(default_factory=dict)

    def per_request(self, fewer: "Profile", requests: int) -> "Profile":
        """The difference to a run with so many requests fewer, for each of them."""

        def each(more: dict, less: dict) -> dict:
            return {key: (value - less.get(key, 0)) / requests for key, value in more.items()}

        return Profile(
            each(self.own, fewer.own),
            each(self.whole, fewer.whole),
            each(self.calls, fewer.calls),
            each(self.called, fewer.called),
        )


def read(file: Path) -> Profile:
    profile = Profile()
    names: dict[str, str] = {}
    function = called = ""
    calls = 0
    for line in file.read_text(errors="replace").splitlines():
        if found := NAME.match(line):
            kind, number, name = found.groups()
            if name:
                names[number] = name
            if kind == "fn":
                function = names[number]
            else:
                called = names[number]
        elif line.startswith("calls="):
            calls = int(line[6:].split()[0])
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            # A position and a cost; behind `calls=` it is the cost of what was called.
            cost = int(line.split()[1])
            add(profile.whole, function, cost)
            if calls:
                add(profile.calls, (function, called), calls)
                add(profile.called, (function, called), cost)
                calls = 0
            else:
                add(profile.own, function, cost)
    return profile


def add(to: dict, key: object, value: float) -> None:
    to[key] = to.get(key, 0) + value
