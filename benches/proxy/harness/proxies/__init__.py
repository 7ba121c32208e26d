"""The proxies that stand beside each other. All have one worker, keep connections to the upstream, and write no access log."""

from .envoy import Envoy
from .gateway import Gateway
from .haproxy import Haproxy
from .nginx import Nginx
from .pingora import Pingora
from .varnish import Varnish

OURS = Gateway.name

PROXIES = {proxy.name: proxy for proxy in (Gateway(), Nginx(), Haproxy(), Envoy(), Varnish(), Pingora())}
