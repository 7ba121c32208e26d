"""The scenarios: what is asked, what must come back, and how it is loaded."""

import random
import time
from dataclasses import dataclass, field

from .loads import H2load, Idle, Load, Streams, Wrk
from .secrets import Secrets
from .upstream import LARGE, MEDIUM, SMALL


@dataclass(frozen=True)
class Request:
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    name: str
    load: Load = Wrk()
    # The document in benches/configs, if it is not called like the scenario.
    document: str = ""
    # Prefixes `/svc<i>/`; anything else is 404. Without any, every path is forwarded.
    routes: int = 0
    # The algorithm of the bearer token that is demanded.
    token: str = ""
    # Whether each X-Api-Key is counted.
    limited: bool = False
    cached: bool = False
    # What is agreed on by ALPN, if it is TLS.
    alpn: str = ""
    # Whether HTTP/2 without TLS is spoken.
    h2c: bool = False
    path: str = "/"
    # Bytes of an answer's body.
    body: int = SMALL
    # Requests go to the sink.
    uploads: bool = False
    # Variables for our gateway beside the usual ones.
    env: dict[str, str] = field(default_factory=dict)

    def requests(self, secrets: Secrets) -> list[Request]:
        """Good requests, which take turns."""
        tokens = secrets.tokens(self.token) if self.token else []
        count = max(self.routes, KEYS if self.limited else 1, len(tokens))
        requests = []
        for i in range(count):
            headers = {}
            if tokens:
                headers["Authorization"] = f"Bearer {tokens[i % len(tokens)]}"
            if self.limited:
                headers["X-Api-Key"] = f"key-{i % KEYS}"
            path = f"/svc{i % self.routes}/items" if self.routes else self.path
            requests.append(Request(path, headers))
        # The same order in every run, but not that of the document.
        random.Random(7).shuffle(requests)
        return requests

    def refused(self, secrets: Secrets) -> list[tuple[int, Request]]:
        """Requests that must not pass, with the status they must get: so all proxies do the same work."""
        good, *_ = self.requests(secrets)
        refused = []
        if self.routes:
            refused.append((404, Request("/other/items", good.headers)))
            refused.append((404, Request(f"/svc{self.routes}/items", good.headers)))
        if self.token:
            token = good.headers["Authorization"]
            flipped = token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
            expired = secrets.token(self.token, "late", time.time() - 3600)
            for value in (None, flipped, f"Bearer {expired}"):
                headers = {**good.headers, "Authorization": value}
                refused.append((401, Request(good.path, {k: v for k, v in headers.items() if v})))
        return refused


# Callers that are counted each for itself.
KEYS = 1000

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("plain"),
        Scenario("routes100", routes=100),
        Scenario("routes10k", routes=10_000),
        Scenario("tls1", alpn="http/1.1"),
        Scenario("tls2", H2load(clients=8, streams=10), alpn="h2"),
        Scenario("h2c", H2load(clients=8, streams=10), document="plain", h2c=True),
        Scenario("down", Streams(), path="/large", body=LARGE),
        Scenario("up", Streams(up=True), body=0, uploads=True),
        Scenario("idle", Idle()),
        Scenario("latency", H2load(clients=64, rate=50)),
        Scenario("jwths", token="HS256"),
        Scenario("jwths_unseen", document="jwths", token="HS256", env={"JWT_CACHE": "0"}),
        Scenario("jwtrs", token="RS256"),
        Scenario("jwtrs_unseen", document="jwtrs", token="RS256", env={"JWT_CACHE": "0"}),
        Scenario("ratelimit", limited=True),
        Scenario("stack", routes=100, token="HS256", limited=True),
        Scenario("cache1k", cached=True, path="/c1k"),
        Scenario("cache100k", cached=True, path="/c100k", body=MEDIUM),
    )
}
