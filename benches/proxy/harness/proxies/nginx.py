"""nginx."""

from ..programs import need
from ..trouble import Unsupported
from .proxy import WORKERS, Place


class Nginx:
    name = "nginx"

    def command(self, place: Place) -> tuple[list[str], dict[str, str]]:
        if place.scenario.token:
            raise Unsupported("its open source edition checks no tokens")
        file = place.folder / "nginx.conf"
        file.write_text(config(place))
        return [need("nginx", "nginx-light"), "-c", str(file)], {}


def config(place: Place) -> str:
    folder = place.folder
    return f"""\
daemon off;
# One process does all the work then, as with the others.
master_process off;
worker_processes {WORKERS};
pid {folder}/pid;
error_log {folder}/log;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    sendfile on;
    tcp_nopush on;
    upstream service {{
        server 127.0.0.1:{place.upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    # Long bodies go through memory, as with the others, and not through files.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
{limited(place)}{cached(place)}    server {{
{listen(place)}{locations(place)}    }}
}}
"""


def listen(place: Place) -> str:
    scenario, secrets = place.scenario, place.secrets
    if not scenario.alpn:
        return f"        listen 127.0.0.1:{place.port}{' http2' if scenario.h2c else ''} backlog=4096;\n"
    h2 = " http2" if scenario.alpn == "h2" else ""
    return f"""\
        listen 127.0.0.1:{place.tls_port} ssl{h2} backlog=4096;
        ssl_certificate {secrets.certificate};
        ssl_certificate_key {secrets.key};
        ssl_protocols TLSv1.2 TLSv1.3;
"""


def locations(place: Place) -> str:
    routes = place.scenario.routes
    if not routes:
        return "        location / { proxy_pass http://service; }\n"
    lines = (f"        location /svc{i}/ {{ proxy_pass http://service; }}\n" for i in range(routes))
    return "".join(lines) + "        location / { return 404; }\n"


def limited(place: Place) -> str:
    if not place.scenario.limited:
        return ""
    return """\
    limit_req_zone $http_x_api_key zone=callers:16m rate=1000000r/s;
    limit_req zone=callers burst=1000000 nodelay;
    limit_req_status 429;
"""


def cached(place: Place) -> str:
    if not place.scenario.cached:
        return ""
    return f"""\
    proxy_cache_path {place.folder}/cache keys_zone=answers:8m;
    proxy_cache answers;
"""
