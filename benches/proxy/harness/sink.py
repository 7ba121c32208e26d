"""Takes the port; reads requests to their end and answers with how long they were. A program of its own."""

import socket
import sys
import threading


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def serve(connection: socket.socket) -> None:
    buffer = bytearray(1 << 20)
    with connection:
        while head := read_head(connection):
            fields, rest = head
            length = int(fields.get(b"content-length", b"-1"))
            if length < 0:
                return
            taken = len(rest)
            while taken < length:
                got = connection.recv_into(buffer)
                if not got:
                    return
                taken += got
            text = b'{"bytes":%d}' % taken
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))


def read_head(connection: socket.socket) -> tuple[dict[bytes, bytes], bytes] | None:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            return None
        got += more
    head, _, rest = got.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}, rest


main()
