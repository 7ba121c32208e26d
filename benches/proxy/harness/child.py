"""A process that the run started, with everything below it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .trouble import Trouble

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    def __init__(self, command: list[str], log: Path, cpus: set[int] | None = None, env: dict[str, str] | None = None):
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
                preexec_fn=lambda: cpus and os.sched_setaffinity(0, cpus),
                # A group of its own, so that it can be ended with whatever it started.
                start_new_session=True,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def end(self, by: signal.Signals) -> None:
        """Ends it politely, then surely."""
        for number in (by, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(timeout=20)
                return
            except subprocess.TimeoutExpired:
                continue

    def end_tree(self) -> None:
        """Ends the last of the tree, so that a program that runs another one sees its end and can say what it found."""
        os.kill(self.tree()[-1], signal.SIGTERM)
        self.process.wait(timeout=60)

    def wait_for(self, port: int, at_most: float = 60.0) -> None:
        """Waits until it accepts connections. A process that ended by itself is trouble."""
        deadline = time.monotonic() + at_most
        while time.monotonic() < deadline:
            status = self.process.poll()
            if status is not None:
                raise Ended(status, f"ended with status {status}:\n{self.said()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Trouble(f"nothing listens on port {port} after {at_most:.0f} s:\n{self.said()}")

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def tree(self) -> list[int]:
        """It and everything below it."""
        parents: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := stat(int(entry))):
                parents.setdefault(int(fields[1]), []).append(int(entry))
        found, open_ = [], [self.process.pid]
        while open_:
            pid = open_.pop()
            found.append(pid)
            open_.extend(parents.get(pid, []))
        return found

    def cpu(self) -> float:
        """Seconds of user and system time so far, of the tree and of those below it that have ended."""
        fields = [fields for pid in self.tree() if (fields := stat(pid))]
        return sum(sum(int(number) for number in fields[11:15]) for fields in fields) / TICKS

    def resident(self) -> int:
        """Bytes of memory now."""
        fields = [fields for pid in self.tree() if (fields := stat(pid))]
        return sum(int(fields[21]) for fields in fields) * PAGE

    def peak(self) -> int:
        """Bytes of memory at most, up to now; for several processes, the sum of what each had at most."""
        return sum(high_water(pid) for pid in self.tree())


class Ended(Trouble):
    """It ended before it listened."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def high_water(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
