"""Git repositories made here, with reports of made-up runs, and commands that read them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from made_up import IMAGES, runs, write_reports

ROOT = Path(__file__).parents[1]


def git(*arguments):
    named = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *named, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(message):
    git("add", ".")
    git("commit", "--quiet", "-m", message)


def make_clone():
    """Make the current folder a clean clone whose HEAD has reports of net7: 5 seeds, about 60 misread images each."""
    git("init", "--quiet")
    write_reports(Path("reports"), runs(5, 60))
    Path("reports/data.json").write_text(json.dumps({"test_images": IMAGES}))
    Path("params.yaml").write_text("model: net7\nseeds: 5\n")
    Path("rungs/cards").mkdir(parents=True)
    for rung in ("net7", "net8"):
        Path(f"rungs/cards/{rung}.yaml").write_text(f"title: {rung}\n")
    commit("net7")


def command(*given, **variables):
    """Run the comparison as people do, in a process of its own."""
    return python("-m", "commands.compare", *given, **variables)


def python(*given, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, *given], capture_output=True, text=True, env=environment)
