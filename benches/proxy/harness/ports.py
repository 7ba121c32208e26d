"""Ports that are free."""

import socket


def free(count: int) -> list[int]:
    """So many ports that nobody listens on now. All are held until the last is found, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
