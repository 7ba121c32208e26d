"""http.client, urllib3 and bare sockets against http_server.js. Usage: http_client.py HOST:PORT CHECK"""

import gzip
import hashlib
import http.client
import json
import os
import socket
import sys

import urllib3

address = sys.argv[1]
host, port = address.split(":")
text = b"0123456789abcdef" * 4096


def equal(seen, wanted):
    assert seen == wanted, f"saw {str(seen)[:300]}, wanted {str(wanted)[:300]}"


def connect():
    stream = socket.create_connection((host, int(port)), timeout=20)
    return stream, stream.makefile("rb")


def head(lines):
    """Status and fields of the next answer."""
    status = int(lines.readline().split()[1])
    fields = {}
    while line := lines.readline().strip():
        name, _, value = line.decode().partition(":")
        fields[name.lower()] = value.strip()
    return status, fields


def answer(lines):
    status, fields = head(lines)
    return status, lines.read(int(fields["content-length"]))


def reuse():
    """One connection of http.client, and one of urllib3's pool, serve everything."""
    client = http.client.HTTPConnection(host, int(port), timeout=20)
    client.connect()
    first = client.sock
    for number in range(200):
        client.request("GET", f"/number?n={number}")
        equal(json.loads(client.getresponse().read()), {"number": number})
    client.request("HEAD", "/text")
    response = client.getresponse()
    equal((response.status, response.getheader("content-length"), response.read()), (200, "65536", b""))
    client.request("GET", "/missing")
    equal(client.getresponse().read(), b"")
    client.request("GET", "/text", headers={"range": "bytes=16-31"})
    response = client.getresponse()
    equal((response.status, response.read()), (206, b"0123456789abcdef"))
    equal(response.getheader("content-range"), "bytes 16-31/65536")
    client.request("GET", "/gzip", headers={"accept-encoding": "gzip"})
    equal(gzip.decompress(client.getresponse().read()), text)
    assert client.sock is first, "the connection was opened again"

    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=1, block=True, retries=False)
    for number in range(200):
        equal(pool.request("GET", f"/number?n={number}").json(), {"number": number})
    equal(pool.request("GET", "/gzip", headers={"accept-encoding": "gzip"}).data, text)
    equal(pool.num_connections, 1)


def uploads():
    """Bodies with a length, in chunks, empty and odd."""
    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=1, block=True, retries=False)
    for size in (0, 1, 65_535, 65_536, 3_000_001):
        body = os.urandom(size)
        digest = hashlib.sha256(body).hexdigest()
        seen = pool.request("POST", "/digest", body=body).json()
        equal((seen["size"], seen["sha256"]), (size, digest))
        assert "transfer-encoding" not in seen["headers"], seen
        pieces = (body[at:at + 9_999] for at in range(0, size, 9_999))
        seen = pool.request("POST", "/digest", body=pieces, chunked=True).json()
        equal((seen["size"], seen["sha256"]), (size, digest))
    equal(pool.num_connections, 1)


def pipeline():
    """Requests sent at once are answered one by one, in order."""
    stream, lines = connect()
    requests = [b"GET /number?n=%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(50)]
    requests[25:25] = [b"POST /digest HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"]
    stream.sendall(b"".join(requests))
    seen = [json.loads(answer(lines)[1]) for _ in requests]
    equal(seen.pop(25)["size"], 5)
    equal([one["number"] for one in seen], list(range(50)))


def expect():
    """Who is let in is told to go on; who is refused is not."""
    stream, lines = connect()
    ask = "{} {} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n"
    for size in (5, 100_000):
        body = os.urandom(size)
        stream.sendall(ask.format("POST", "/digest", size).encode())
        equal(head(lines)[0], 100)
        stream.sendall(body)
        status, seen = answer(lines)
        equal((status, json.loads(seen)["sha256"]), (200, hashlib.sha256(body).hexdigest()))
    for method, path, size, wanted in (
        ("POST", "/closed", 5, 401), ("POST", "/digest", 1 << 40, 413), ("PUT", "/digest", 5, 405)
    ):
        stream, lines = connect()
        stream.sendall(ask.format(method, path, size).encode())
        equal(head(lines)[0], wanted)


{check.__name__: check for check in (reuse, uploads, pipeline, expect)}[sys.argv[2]]()
print(f"{sys.argv[2]}: as it should be")
