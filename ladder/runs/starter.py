"""Whether DVC, which started this stage, is still there. A signal that ends DVC alone does not reach its stages."""

import os
from pathlib import Path


def _parent_of(process):
    """Return the id of a process's parent, or None where the system does not tell."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None


def _is_shell_for_one_command(process):
    """Return whether a process is `sh -c <command>`: DVC starts a stage so, and some shells wait for the command."""
    try:
        return b"-c" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


PARENT = os.getppid()
DVC = _parent_of(PARENT) if _is_shell_for_one_command(PARENT) else None  # None: DVC is the parent, or nobody can tell


def dvc_has_ended() -> bool:
    """Return whether this process is a stage whose DVC is gone."""
    if "DVC_STAGE" not in os.environ:
        return False
    return os.getppid() != PARENT or (DVC is not None and _parent_of(PARENT) != DVC)
