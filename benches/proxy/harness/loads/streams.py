"""Long bodies, several at a time."""

import json
import socket
import threading
import time
from dataclasses import dataclass

from ..upstream import LARGE
from .http1 import read_head
from .sample import Sample, Wrong


@dataclass(frozen=True)
class Streams:
    up: bool = False
    connections: int = 4
    unit: str = "GiB"
    key: str = "cpu"
    fresh: bool = False

    def run(self, running, seconds: int) -> Sample:
        """As many whole bodies on each connection as begin within the time."""
        start = time.monotonic()
        taken, wrong = [], []
        one = self.send if self.up else self.receive

        def work() -> None:
            try:
                with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
                    while time.monotonic() < start + seconds:
                        taken.append(one(connection, running))
            except (OSError, Wrong) as error:
                wrong.append(error)

        threads = [threading.Thread(target=work) for _ in range(self.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise Wrong(f"{len(wrong)} of {self.connections} connections failed: {wrong[0]}")
        return Sample(sum(taken) / (1 << 30), time.monotonic() - start)

    def receive(self, connection: socket.socket, running) -> int:
        connection.sendall(b"GET %s HTTP/1.1\r\nhost: bench.test\r\n\r\n" % running.scenario.path.encode())
        status, length, rest = read_head(connection)
        if status != 200 or length != LARGE:
            raise Wrong(f"status {status} with {length} bytes")
        missing, buffer = length - len(rest), bytearray(1 << 18)
        while missing:
            got = connection.recv_into(buffer, min(missing, len(buffer)))
            if not got:
                raise Wrong(f"{missing} of {length} bytes are missing")
            missing -= got
        return length

    def send(self, connection: socket.socket, running) -> int:
        head = b"POST /up HTTP/1.1\r\nhost: bench.test\r\ncontent-length: %d\r\n\r\n"
        connection.sendall(head % LARGE)
        with (running.bench.folder / "upstream" / "large").open("rb") as large:
            connection.sendfile(large)
        status, length, rest = read_head(connection)
        while len(rest) < length and (more := connection.recv(length - len(rest))):
            rest += more
        if status != 200 or json.loads(rest) != {"bytes": LARGE}:
            raise Wrong(f"status {status}: {rest[:200]!r}")
        return LARGE
