"""HAProxy."""

from ..programs import need
from .proxy import WORKERS, Place


class Haproxy:
    name = "haproxy"

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        file = place.folder / "haproxy.cfg"
        if place.scenario.routes:
            lines = (f"/svc{i}/ service\n" for i in range(place.scenario.routes))
            (place.folder / "routes.map").write_text("".join(lines))
        file.write_text(config(place))
        return [need("haproxy", "haproxy"), "-db", "-f", str(file)], {}


def config(place: Place) -> str:
    return f"""\
global
    nbthread {WORKERS}
    maxconn 6000
    ssl-default-bind-options ssl-min-ver TLSv1.2
    stats socket {place.folder}/stats level admin

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    http-reuse always

frontend entry
{bind(place)}{token(place)}{limit(place)}{routes(place)}{cache_use(place)}
backend service
{cache_store(place)}    server one 127.0.0.1:{place.upstream}

{tables(place)}"""


def bind(place: Place) -> str:
    scenario = place.scenario
    if scenario.alpn:
        # It wants the certificate and its key in one file.
        both = place.folder / "tls.pem"
        both.write_text(place.secrets.certificate.read_text() + place.secrets.key.read_text())
        return f"    bind 127.0.0.1:{place.tls_port} ssl crt {both} alpn {scenario.alpn}\n"
    return f"    bind 127.0.0.1:{place.port}{' proto h2' if scenario.h2c else ''}\n"


def token(place: Place) -> str:
    scenario, secrets = place.scenario, place.secrets
    if not scenario.token:
        return ""
    key = secrets.shared if scenario.token == "HS256" else secrets.public
    return f"""\
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {scenario.token} }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") 1 }}
    http-request deny deny_status 401 unless {{ var(txn.exp),sub(txn.now) -m int gt 0 }}
"""


def limit(place: Place) -> str:
    if not place.scenario.limited:
        return ""
    return """\
    http-request track-sc0 req.hdr(x-api-key) table callers
    http-request deny deny_status 429 if { sc_http_req_rate(0,callers) gt 1000000 }
"""


def routes(place: Place) -> str:
    if not place.scenario.routes:
        return "    default_backend service\n"
    return f"""\
    http-request set-var(txn.to) path,map_beg({place.folder}/routes.map)
    http-request deny deny_status 404 unless {{ var(txn.to) -m found }}
    use_backend %[var(txn.to)]
"""


def cache_use(place: Place) -> str:
    return "    http-request cache-use answers\n" if place.scenario.cached else ""


def cache_store(place: Place) -> str:
    return "    http-response cache-store answers\n" if place.scenario.cached else ""


def tables(place: Place) -> str:
    text = ""
    if place.scenario.limited:
        text += "backend callers\n    stick-table type string len 64 size 100k expire 60s store http_req_rate(1s)\n\n"
    if place.scenario.cached:
        text += "cache answers\n    total-max-size 64\n    max-object-size 1048576\n    max-age 3600\n\n"
    return text
