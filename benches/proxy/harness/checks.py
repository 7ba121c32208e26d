"""Whether a proxy does what the scenario asks for, before it is measured: one that refuses everything is fast."""

import http.client
import socket
import ssl

from .proxies.proxy import Running
from .scenarios import Request
from .trouble import Trouble


def check(running: Running) -> None:
    scenario = running.scenario
    if scenario.uploads or scenario.h2c:
        # Their loads look at every answer.
        return
    agreed(running)
    for request in running.requests[:3]:
        status, body, _ = ask(running, request)
        if status != 200 or len(body) != scenario.body:
            raise Trouble(f"{running.name}: {request.path}: status {status} with {len(body)} bytes")
    for expected, request in scenario.refused(running.bench.secrets):
        status, _, _ = ask(running, request)
        if status != expected:
            raise Trouble(f"{running.name}: {request.path} {request.headers}: {status} instead of {expected}")
    if scenario.cached:
        made = {ask(running, running.requests[0])[2] for _ in range(3)}
        if len(made) != 1:
            raise Trouble(f"{running.name}: {scenario.path} was not answered from the cache")


def agreed(running: Running) -> None:
    """What is spoken over TLS."""
    alpn = running.scenario.alpn
    if not alpn:
        return
    context = trusting(alpn)
    with socket.create_connection(("127.0.0.1", running.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            if tls.selected_alpn_protocol() != alpn or tls.version() != "TLSv1.3":
                raise Trouble(f"{running.name}: {tls.selected_alpn_protocol()} over {tls.version()}")


def ask(running: Running, request: Request) -> tuple[int, bytes, str | None]:
    """The status, the body, and which answer of the upstream it is."""
    if running.scenario.alpn == "h2":
        # Whether answers are good, its load sees.
        return 200, b"." * running.scenario.body, None
    if running.scenario.alpn:
        context = trusting("http/1.1")
        connection = http.client.HTTPSConnection("127.0.0.1", running.port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    try:
        connection.request("GET", request.path, headers=request.headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("x-made")
    finally:
        connection.close()


def trusting(alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context
