"""Ways to load a proxy. Each returns a `Sample` of what was answered, or raises on wrong answers."""

from .h2load import H2load
from .idle import Idle
from .sample import Load, Sample
from .streams import Streams
from .wrk import Wrk

__all__ = ["H2load", "Idle", "Load", "Sample", "Streams", "Wrk"]
