"""A small Pingora program; it only forwards."""

from functools import cache

from ..programs import built, need
from ..trouble import Unsupported
from .proxy import WORKERS, Place


class Pingora:
    name = "pingora"

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        scenario = place.scenario
        if scenario.routes or scenario.token or scenario.limited or scenario.cached or scenario.alpn or scenario.h2c:
            raise Unsupported("the program only forwards")
        env = {"PORT": str(place.port), "UPSTREAM_PORT": str(place.upstream), "WORKERS": str(WORKERS)}
        return [binary()], env


@cache
def binary() -> str:
    # One of its dependencies is built with it.
    need("cmake", "cmake")
    return built("benches/proxy/pingora/Cargo.toml", "gateway-bench-pingora")
