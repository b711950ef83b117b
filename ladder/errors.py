"""The one exception that users are meant to see."""


class LadderError(Exception):
    """A fault its user can mend. Its text is one line that names the fault and the mend."""
