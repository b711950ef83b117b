"""Commands as a user runs them, and machines as users have them: full disks, read-only folders."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run_module(module, folder, *arguments, mount=None, **environment):
    """Run `python -m module arguments` in `folder` with this repository's code. Return the finished process.

    mount: (path, options): first mount an empty file system there, for this process alone.
    """
    command = [sys.executable, "-m", module, *arguments]
    if mount:
        path, options = mount
        script = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(path))} && exec {shlex.join(command)}"
        command = [*namespace(), "sh", "-c", script]
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


def assert_one_clear_line(done, *parts, before=()):
    """A finished process failed with one line of errors, which has all the `parts`, and without a traceback.

    before: what it had said on standard output.
    """
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for part in parts:
        assert part in done.stderr
    for part in before:
        assert part in done.stdout


def namespace():
    """Return the command that gives another command mounts of its own, on this system."""
    for prefix in (["unshare", "-m"], ["unshare", "-Urm"], ["sudo", "-nE", "unshare", "-m"]):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    raise RuntimeError("this system lets a user mount nothing, so what a full disk does cannot be tested here")
