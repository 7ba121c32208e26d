"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / "benches" / "configs"
# Cargo's folder, also of packages outside of the workspace; see .cargo/config.toml.
TARGET = ROOT / "target"
