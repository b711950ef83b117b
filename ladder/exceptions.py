"""The one exception that users are meant to see, and how to tell a lack of memory from a bug."""


class LadderError(Exception):
    """A fault that the user can fix. Its text is one line that names the fault and how to fix it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception, Python's or torch's, says that memory was not enough."""
    said = str(error)
    texts = ("allocate memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(text in said for text in texts)
