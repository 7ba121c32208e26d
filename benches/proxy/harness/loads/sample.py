"""What a load finds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..proxies.proxy import Running


@dataclass(frozen=True)
class Sample:
    """What was answered well."""

    # Requests, or whatever the scenario counts its CPU by.
    count: float
    seconds: float
    # Of the time from a request to its answer, in milliseconds.
    p50: float | None = None
    p99: float | None = None
    # Bytes of memory for each connection.
    per_connection: float | None = None


class Load(Protocol):
    # What the CPU is counted by.
    unit: str
    # The figure that ratios are about: cpu, p99 or per_connection.
    key: str
    # Whether each round begins with a new process: its memory is what is measured.
    fresh: bool

    def run(self, running: "Running", seconds: int) -> Sample: ...


class Wrong(Exception):
    """The proxy did not answer as it should have; its figures mean nothing."""
