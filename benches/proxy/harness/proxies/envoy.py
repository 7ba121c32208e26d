"""Envoy. Its configuration is JSON."""

import json

from .. import programs
from ..trouble import Unsupported
from .proxy import WORKERS, Place


class Envoy:
    name = "envoy"

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        scenario = place.scenario
        if scenario.cached:
            raise Unsupported("its cache is an example")
        file = place.folder / "envoy.json"
        file.write_text(json.dumps(config(place)))
        command = [programs.envoy(), "-c", str(file), "--concurrency", str(WORKERS), "-l", "warning"]
        return [*command, "--disable-hot-restart"], {}


def config(place: Place) -> dict:
    listener = {
        "name": "entry",
        "address": address(place.tls_port if place.scenario.alpn else place.port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": connections(place)}], **tls(place)}],
    }
    service = {
        "name": "service",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": "service",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(place.upstream)}}]}],
        },
        # 1,024 of each are the default.
        "circuit_breakers": {"thresholds": [{"max_connections": 4096, "max_requests": 4096}]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [service]}}


def connections(place: Place) -> dict:
    routes = [{"match": {"prefix": f"/svc{i}/"}, "route": to_service()} for i in range(place.scenario.routes)]
    routes = routes or [{"match": {"prefix": "/"}, "route": to_service()}]
    return {
        "@type": HTTP + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "entry",
        "http_filters": [*token(place), *limit(place), {"name": "router", "typed_config": plain("router.v3.Router")}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }


def to_service() -> dict:
    return {"cluster": "service", "timeout": "60s"}


def tls(place: Place) -> dict:
    if not place.scenario.alpn:
        return {}
    pair = {"certificate_chain": {"filename": str(place.secrets.certificate)}}
    pair["private_key"] = {"filename": str(place.secrets.key)}
    context = {"alpn_protocols": [place.scenario.alpn], "tls_certificates": [pair]}
    context["tls_params"] = {"tls_maximum_protocol_version": "TLSv1_3"}
    kind = HTTP.replace("filters.", "") + "transport_sockets.tls.v3.DownstreamTlsContext"
    return {"transport_socket": {"name": "tls", "typed_config": {"@type": kind, "common_tls_context": context}}}


def token(place: Place) -> list[dict]:
    if not place.scenario.token:
        return []
    keys = {"keys": [place.secrets.jwk(place.scenario.token)]}
    issuer = {"forward": False, "local_jwks": {"inline_string": json.dumps(keys)}, "clock_skew_seconds": 30}
    check = plain("jwt_authn.v3.JwtAuthentication")
    check["providers"] = {"login": issuer}
    check["rules"] = [{"match": {"prefix": "/"}, "requires": {"provider_name": "login"}}]
    return [{"name": "jwt", "typed_config": check}]


def limit(place: Place) -> list[dict]:
    """By the header: an entry without a value stands for each of its values."""
    if not place.scenario.limited:
        return []
    bucket = {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"}
    check = plain("local_ratelimit.v3.LocalRateLimit")
    always = {"default_value": {"numerator": 100}}
    header = {"header_name": "x-api-key", "descriptor_key": "caller"}
    check |= {
        "stat_prefix": "callers",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": bucket,
        "descriptors": [{"entries": [{"key": "caller"}], "token_bucket": bucket}],
        "max_dynamic_descriptors": 2000,
        "rate_limits": [{"actions": [{"request_headers": header}]}],
    }
    return [{"name": "limit", "typed_config": check}]


def plain(name: str) -> dict:
    return {"@type": f"{HTTP}http.{name}"}


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


HTTP = "type.googleapis.com/envoy.extensions.filters."
