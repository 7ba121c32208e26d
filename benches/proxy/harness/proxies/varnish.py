"""Varnish, for what is answered from a cache."""

from ..programs import need
from ..trouble import Unsupported
from .proxy import Place


class Varnish:
    name = "varnish"

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        if not place.scenario.cached:
            raise Unsupported("it stands beside caches only")
        command = [need("varnishd", "varnish"), "-F", "-j", "none", "-n", str(place.folder / "state")]
        command += ["-a", f"127.0.0.1:{place.port}", "-b", f"127.0.0.1:{place.upstream}", "-s", "malloc,64m"]
        return command, {}
