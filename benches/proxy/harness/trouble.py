"""Why a run cannot go on."""


class Trouble(Exception):
    """One line for whoever runs it."""


class Unsupported(Exception):
    """A proxy does not do what the scenario asks for."""
