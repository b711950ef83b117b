"""The one exception that users are meant to see."""


class LadderError(Exception):
    """A fault its user can mend. Its text is one line that names the fault and the mend."""


def is_out_of_memory(error):
    """Return whether an exception, Python's or torch's, says that memory was not enough."""
    said = str(error)
    return isinstance(error, MemoryError) or "allocate memory" in said or "out of memory" in said
