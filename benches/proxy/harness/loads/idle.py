"""Connections that were used once and wait."""

import socket
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass

from .http1 import read_answer
from .sample import Sample, Wrong


@dataclass(frozen=True)
class Idle:
    connections: int = 5000
    unit: str = "request"
    key: str = "per_connection"
    fresh: bool = True

    def run(self, running, seconds: int) -> Sample:
        start = time.monotonic()
        with ExitStack() as open_:
            # What the first connections cost is not what the next ones cost.
            for _ in range(64):
                self.use(open_, running)
            before = running.child.resident()
            for _ in range(self.connections):
                self.use(open_, running)
            asked = time.monotonic()
            time.sleep(seconds)
            after = running.child.resident()
        return Sample(self.connections, asked - start, per_connection=(after - before) / self.connections)

    def use(self, open_: ExitStack, running) -> None:
        connection = open_.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=20))
        # Closed by a reset: a port in TIME_WAIT for each would use them up.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET / HTTP/1.1\r\nhost: bench.test\r\n\r\n")
        status, length = read_answer(connection)
        if status != 200 or length != running.scenario.body:
            raise Wrong(f"status {status} with {length} bytes")
