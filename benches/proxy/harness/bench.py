"""What a run has: a folder, CPUs, secrets, an upstream."""

import argparse
import os
import resource
import tempfile
from contextlib import ExitStack
from pathlib import Path

from . import secrets, upstream


class Bench(ExitStack):
    """Leaving it ends every process and removes every file of the run."""

    def __init__(self, options: argparse.Namespace):
        super().__init__()
        self.options = options
        self.proxy_cpus, self.load_cpus = split_cpus()

    def __enter__(self) -> "Bench":
        super().__enter__()
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise
        return self

    def set_up(self) -> None:
        # This process is load, too, and what it starts inherits its CPUs and its limit.
        os.sched_setaffinity(0, self.load_cpus)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        # Programs that give up their rights still find their files.
        self.folder.chmod(0o755)
        self.secrets = secrets.make(self.folder)
        self.upstream = upstream.start(self)


def split_cpus() -> tuple[set[int], set[int]]:
    """One for the proxy, the others for the load; with a single CPU, the same."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}
