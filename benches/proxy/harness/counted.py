"""What a request costs in things that can be counted: the difference of two runs under a program that counts.

Such counts hardly depend on what else the machine does.
"""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

from .bench import Bench
from .checks import check
from .loads.http1 import read_answer
from .loads.sample import Wrong
from .programs import say
from .proxies import PROXIES
from .proxies.proxy import Running
from .scenarios import SCENARIOS, Scenario
from .trouble import Trouble, Unsupported

FEW, MANY = 400, 2400
CONNECTIONS = 16


def few_and_many(bench: Bench, scenario: Scenario, name: str, under: Callable[[Path], list[str]], read: Callable) -> tuple:
    """What `read` finds in the file that the command of `under` writes, after few requests and after many."""
    file = bench.folder / f"{scenario.name}-{name}.counts"

    def after(requests: int):
        with Running(PROXIES[name], scenario, bench, under(file)) as running:
            check(running)
            ask(running, requests)
            running.child.end_tree()
        return read(file)

    return after(FEW), after(MANY)


def ask(running: Running, requests: int) -> None:
    """So many requests, on several connections at a time."""
    texts = [text(request) for request in running.requests]
    with ExitStack() as open_:
        connect = lambda: socket.create_connection(("127.0.0.1", running.port), timeout=120)
        connections = [open_.enter_context(connect()) for _ in range(CONNECTIONS)]
        for first in range(0, requests, CONNECTIONS):
            for i, connection in enumerate(connections, first):
                connection.sendall(texts[i % len(texts)])
            for connection in connections:
                status, length = read_answer(connection)
                if status != 200 or length != running.scenario.body:
                    raise Wrong(f"status {status} with {length} bytes")


def text(request) -> bytes:
    lines = [f"GET {request.path} HTTP/1.1", "Host: bench.test", *(f"{k}: {v}" for k, v in request.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def each(bench: Bench, work: Callable[[Scenario, str], None]) -> int:
    """Does it for every scenario and proxy that can be counted; 1 if one failed."""
    PROXIES["gateway"].file = bench.options.gateway
    status = 0
    for scenario in (SCENARIOS[name] for name in bench.options.scenarios):
        if scenario.load.unit != "request" or scenario.alpn or scenario.h2c:
            say(f"{scenario.name}: only HTTP/1.1 with short bodies is counted")
            continue
        for name in bench.options.proxies:
            say(f"{scenario.name}: {name}")
            try:
                work(scenario, name)
            except Unsupported as why:
                say(f"{name}: {why}")
            except (Trouble, Wrong) as trouble:
                say(f"{name}: {trouble}")
                status = 1
    return status
