"""HTTP/1.1 with 64 connections that are never idle."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..programs import need
from .sample import Sample, Wrong


@dataclass(frozen=True)
class Wrk:
    connections: int = 64
    unit: str = "request"
    key: str = "cpu"
    fresh: bool = False

    def run(self, running, seconds: int) -> Sample:
        scenario = running.scenario
        script = Path(__file__).with_name("wrk.lua")
        command = [need("wrk", "wrk"), "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", str(script), running.url]
        done = subprocess.run([*command, "--", str(running.requests_file())], capture_output=True, text=True)
        line = done.stdout.rpartition("RESULT ")[2]
        if done.returncode or not line:
            raise Wrong(f"wrk: {done.stdout} {done.stderr}")
        found = json.loads(line)
        if found["errors"] or not found["requests"]:
            raise Wrong(f"wrk: {found['errors']} errors beside {found['requests']} answers")
        if found["bytes"] < found["requests"] * scenario.body:
            raise Wrong(f"wrk: {found['bytes']} bytes in {found['requests']} answers of {scenario.body}")
        return Sample(found["requests"], found["us"] / 1e6, found["p50"] / 1e3, found["p99"] / 1e3)
