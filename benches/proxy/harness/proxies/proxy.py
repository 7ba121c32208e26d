"""A kind of proxy, and one that runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .. import ports
from ..child import Child
from ..scenarios import Request, Scenario
from ..secrets import Secrets

if TYPE_CHECKING:
    from ..bench import Bench

WORKERS = 1


@dataclass(frozen=True)
class Place:
    """Where a proxy works."""

    scenario: Scenario
    # Of its own.
    folder: Path
    port: int
    tls_port: int
    # Where it leads.
    upstream: int
    secrets: Secrets


class Proxy(Protocol):
    name: str

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        """What to run, with which variables, or `Unsupported`."""
        ...


class Running:
    """A proxy that serves a scenario."""

    def __init__(self, proxy: Proxy, scenario: Scenario, bench: "Bench", under: list[str] | None = None):
        """`under`: a program that runs the proxy's command."""
        self.name, self.scenario, self.bench = proxy.name, scenario, bench
        self.requests: list[Request] = scenario.requests(bench.secrets)
        self.folder = bench.folder / f"{scenario.name}-{proxy.name}"
        self.folder.mkdir(exist_ok=True)
        # Varnish and others do not stay root.
        self.folder.chmod(0o777)
        plain, tls = ports.free(2)
        self.port = tls if scenario.alpn else plain
        upstream = bench.upstream.sink if scenario.uploads else bench.upstream.port
        place = Place(scenario, self.folder, plain, tls, upstream, bench.secrets)
        command, env = proxy.command(place)
        self.child = Child([*(under or []), *command], self.folder / "log", bench.proxy_cpus, env)
        try:
            self.child.wait_for(self.port)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.__exit__()

    @property
    def url(self) -> str:
        return f"{'https' if self.scenario.alpn else 'http'}://127.0.0.1:{self.port}"

    def requests_file(self) -> Path:
        """The requests as `wrk.lua` reads them."""
        file = self.folder / "requests"
        if not file.exists():
            lines = ("\t".join([r.path, *(f"{k}: {v}" for k, v in r.headers.items())]) for r in self.requests)
            file.write_text("\n".join(lines) + "\n")
        return file
