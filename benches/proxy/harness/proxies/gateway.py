"""Our gateway, with the documents of benches/configs."""

from functools import cache

from ..folders import CONFIGS
from ..programs import built
from ..trouble import Unsupported
from .proxy import WORKERS, Place


class Gateway:
    name = "gateway"
    # Instead of what is built.
    file: str | None = None

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        document = CONFIGS / f"{place.scenario.document or place.scenario.name}.yaml"
        if not document.exists():
            raise Unsupported("no document")
        variables = {
            "PORT": str(place.port),
            "TLS_PORT": str(place.tls_port),
            "UPSTREAM_PORT": str(place.upstream),
            "WORKERS": str(WORKERS),
            "GATEWAY_LOG": "warn",
            **place.secrets.variables(),
            **place.scenario.env,
        }
        return [self.file or binary(), "--config", str(document)], variables


@cache
def binary() -> str:
    return built("Cargo.toml", "gateway")
