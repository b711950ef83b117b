"""The one exception that users are meant to see, what its text repeats, and how to tell a lack of memory from a bug."""


class LadderError(Exception):
    """A fault that the user can fix. Its text is one line that names the fault and how to fix it."""


def cut(text: str, most: int) -> str:
    """Return a text as a message repeats it: no longer than `most` characters and an ellipsis."""
    return text if len(text) <= most else f"{text[:most]}…"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception, Python's or torch's, says that memory was not enough."""
    said = str(error)
    texts = ("allocate memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(text in said for text in texts)
