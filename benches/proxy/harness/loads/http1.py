"""Just enough HTTP/1.1 of a client."""

import socket

from .sample import Wrong


def read_head(connection: socket.socket) -> tuple[int, int, bytes]:
    """The status of an answer, the length of its body, and what of the body came with the head."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            raise Wrong(f"closed within a head: {got[:200]!r}")
        got += more
    head, _, rest = got.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if b"content-length" not in fields:
        raise Wrong(f"no content-length: {head!r}")
    return int(first.split()[1]), int(fields[b"content-length"]), rest


def read_answer(connection: socket.socket) -> tuple[int, int]:
    """The status and the length of a whole answer."""
    status, length, rest = read_head(connection)
    missing = length - len(rest)
    while missing > 0:
        more = connection.recv(min(missing, 1 << 18))
        if not more:
            raise Wrong(f"{missing} of {length} bytes are missing")
        missing -= len(more)
    return status, length
