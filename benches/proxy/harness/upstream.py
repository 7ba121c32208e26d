"""The services behind the proxies: nginx for answers, a small sink for long requests."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import ports
from .child import Child
from .programs import need

if TYPE_CHECKING:
    from .bench import Bench

SMALL = 1 << 10
MEDIUM = 100 << 10
LARGE = 100 << 20


@dataclass(frozen=True)
class Upstream:
    """Answers any path with 1 KiB of JSON, `/c1k` and `/c100k` for a cache, and `/large` with 100 MiB."""

    port: int
    # Takes requests of any length, and answers with their length.
    sink: int


def start(bench: "Bench") -> Upstream:
    port, sink = ports.free(2)
    folder = bench.folder / "upstream"
    folder.mkdir()
    (folder / "small").write_text(small())
    (folder / "medium").write_bytes(b"m" * MEDIUM)
    with (folder / "large").open("wb") as large:
        large.truncate(LARGE)
    (folder / "nginx.conf").write_text(config(port, folder))
    nginx = Child([need("nginx", "nginx-light"), "-c", str(folder / "nginx.conf")], folder / "log")
    bench.enter_context(nginx).wait_for(port)
    taker = Child([sys.executable, str(Path(__file__).with_name("sink.py")), str(sink)], folder / "log")
    bench.enter_context(taker).wait_for(sink)
    return Upstream(port, sink)


def small() -> str:
    """A JSON document of 1 KiB."""
    document = {"id": 7, "name": "tea", "notes": ""}
    document["notes"] = "n" * (SMALL - len(json.dumps(document)))
    return json.dumps(document)


def config(port: int, folder: Path) -> str:
    # X-Made tells an answer from another one: a cache gives the same twice.
    return f"""\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=10;
    add_header X-Made $request_id;
    root {folder};
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 '{small()}'; }}
        location = /c1k {{ try_files /small =404; expires 1h; add_header X-Made $request_id; }}
        location = /c100k {{ try_files /medium =404; expires 1h; add_header X-Made $request_id; }}
        location = /large {{ }}
    }}
}}
"""
