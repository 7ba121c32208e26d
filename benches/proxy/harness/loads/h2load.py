"""HTTP/2 with streams side by side, or HTTP/1.1 at a fixed rate."""

import re
import subprocess
from dataclasses import dataclass

from ..programs import need
from .sample import Sample, Wrong


@dataclass(frozen=True)
class H2load:
    clients: int
    # Of each client, side by side.
    streams: int = 1
    # Requests per second of each client; as many as it can, if nothing is said.
    rate: int | None = None
    unit: str = "request"
    fresh: bool = False

    @property
    def key(self) -> str:
        """With time to spare, how long it takes says more than what it costs."""
        return "p99" if self.rate else "cpu"

    def run(self, running, seconds: int) -> Sample:
        log = running.folder / "h2load.log"
        log.unlink(missing_ok=True)
        command = [need("h2load", "nghttp2-client"), "-t1", f"-c{self.clients}", f"-m{self.streams}"]
        command += ["-D", str(seconds), "--log-file", str(log)]
        if not (running.scenario.h2c or running.scenario.alpn == "h2"):
            command.append("--h1")
        if self.rate:
            command.append(f"--rps={self.rate}")
        request = running.requests[0]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run([*command, running.url + request.path], capture_output=True, text=True)
        return self.sample(running, done.stdout, done.stderr, times(log), seconds)

    def sample(self, running, out: str, err: str, times: list[float], seconds: int) -> Sample:
        counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", out)
        statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out)
        data = re.search(r"\((\d+)\) data", out)
        if not (counts and statuses and data and times):
            raise Wrong(f"h2load: {out} {err}")
        good, *bad = map(int, counts.groups())
        _, *other = map(int, statuses.groups())
        # Requests under way when the time is over count as neither.
        if not good or any(bad) or any(other):
            raise Wrong(f"h2load: {counts[0]}; {statuses[0]}")
        if int(data[1]) < good * running.scenario.body:
            raise Wrong(f"h2load: {data[1]} bytes in {good} answers of {running.scenario.body}")
        return Sample(good, seconds, percentile(times, 50), percentile(times, 99))


def times(log) -> list[float]:
    """How long each request took, in milliseconds, sorted."""
    if not log.exists():
        return []
    return sorted(int(line.split("\t")[2]) / 1e3 for line in log.read_text().splitlines())


def percentile(values: list[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)]
