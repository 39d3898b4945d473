"""Runs ariadne-codegen in its own environment, and makes what it generated importable."""

import subprocess
import sys
from pathlib import Path


def generate(directory: Path, config: str, queries: str, setup: str = "") -> None:
    """Generate the package `kvs_client` into a directory. `setup` is the text of a module of that name beside it."""
    for name, text in (("codegen.toml", config), ("queries.graphql", queries), ("setup.py", setup)):
        (directory / name).write_text(text)
    command = [str(Path(sys.executable).with_name("ariadne-codegen")), "--config", "codegen.toml"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ariadne-codegen: {done.stdout}{done.stderr}")
    sys.path.insert(0, str(directory))
