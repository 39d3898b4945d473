"""The code of another commit."""

import subprocess
from pathlib import Path

import pytest

from bench.checkout import UnknownCommit, checkout, describe_commit

AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@example.com"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose last commit changed the package."""
    module = tmp_path / "kvs_graphql" / "module.py"
    module.parent.mkdir()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for text in ("old", "new"):
        module.write_text(text)
        subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
        subprocess.run(["git", "-C", tmp_path, *AUTHOR, "commit", "--quiet", "-m", f"Make it {text}"], check=True)
    return tmp_path


def test_a_checkout_has_the_package_of_the_commit_until_the_context_closes(repository: Path) -> None:
    with checkout("HEAD~1", repository) as tree:
        assert (tree / "kvs_graphql" / "module.py").read_text() == "old"
    assert not tree.exists()
    assert (repository / "kvs_graphql" / "module.py").read_text() == "new"


def test_a_commit_is_described_by_its_subject(repository: Path) -> None:
    assert describe_commit("HEAD~1", repository).endswith(" Make it old")


def test_an_unknown_commit_is_refused(repository: Path) -> None:
    with pytest.raises(UnknownCommit, match="no-such-commit"):
        describe_commit("no-such-commit", repository)
