"""Packages are installed by their hashes, have no known holes, and run with few rights."""

import json
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent

FIRST_WITHOUT_KNOWN_HOLES = {
    "aiohttp": "3.14.3",  # CVE-2026-54273 and seven more, CVE-2026-69244
    "authlib": "1.6.9",  # CVE-2026-27962
    "certifi": "2024.7.4",  # CVE-2024-39689
    "click": "8.3.3",  # PYSEC-2026-2132
    "cryptography": "50.0.0",  # CVE-2026-69247, GHSA-537c-gmf6-5ccf
    "filelock": "4.2.1",  # CVE-2026-22701 was in versions before 3.20.3
    "graphql-core": "3.3.2",
    "grpcio": "1.65.4",  # CVE-2024-7246
    "h11": "0.16.0",  # CVE-2025-43859
    "idna": "3.15",  # CVE-2026-45409
    "msgpack": "1.2.1",  # GHSA-6v7p-g79w-8964
    "multidict": "6.9.1",  # CVE-2026-104874
    "orjson": "3.11.6",  # CVE-2025-67221
    "pip": "26.1.2",  # CVE-2026-3219, CVE-2026-6357, CVE-2026-8643
    "protobuf": "6.33.5",  # CVE-2026-0994
    "psutil": "5.6.6",  # CVE-2019-18874
    "pydantic": "2.4.0",  # CVE-2024-3772
    "pydantic-settings": "2.14.2",  # GHSA-4xgf-cpjx-pc3j
    "pygments": "2.20.0",  # CVE-2026-4539
    "pyjwt": "2.15.1",  # CVE-2026-32597, CVE-2026-48523, CVE-2026-102265 to -102275, CVE-2026-103001
    "pytest": "9.0.3",  # CVE-2025-71176
    "python-dotenv": "1.2.2",  # CVE-2026-28684
    "pyyaml": "5.4",  # CVE-2020-14343
    "requests": "2.33.0",  # CVE-2026-25645
    "setuptools": "83.0.0",  # PYSEC-2026-3447
    "starlette": "1.3.1",  # CVE-2025-62727, CVE-2026-48710, CVE-2026-54282, CVE-2026-54283
    "strawberry-graphql": "0.341",  # CVE-2026-35523, -35526, -47706, -47707
    "urllib3": "2.8.0",  # CVE-2026-97687, CVE-2026-97688, CVE-2026-97689
    "uvicorn": "0.11.7",  # CVE-2020-7695
    "virtualenv": "21.7.13",  # PYSEC-2026-4011 to -4014
    "zipp": "3.19.1",  # CVE-2024-5569
}
"""Nothing older may be allowed or pinned."""


def requirements() -> list[Requirement]:
    """All that pyproject.toml asks for."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = found["project"]
    lists = [found["build-system"]["requires"], project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for text in chain(*lists, *found["dependency-groups"].values())]


def pins(text: str) -> dict[str, str]:
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    }


CONSTRAINTS = (ROOT / "constraints.txt").read_text()
HASHED = (ROOT / "constraints-hashed.txt").read_text()


def test_no_range_begins_at_a_version_with_a_known_hole() -> None:
    found = requirements()
    unbounded = [str(one) for one in found if not any(part.operator in (">=", "==") for part in one.specifier)]
    assert unbounded == []
    allowed = [
        f"{one}: {first}"
        for one in found
        if (first := FIRST_WITHOUT_KNOWN_HOLES.get(canonicalize_name(one.name)))
        for part in one.specifier
        if part.operator in (">=", "==") and Version(part.version) < Version(first)
    ]
    assert allowed == []


def test_no_pinned_version_has_a_known_hole() -> None:
    pinned = pins(CONSTRAINTS)
    assert [
        f"{name}=={pinned[name]}: {first}"
        for name, first in FIRST_WITHOUT_KNOWN_HOLES.items()
        if Version(pinned[name]) < Version(first)
    ] == []


def test_every_pinned_version_is_in_its_range() -> None:
    pinned = pins(CONSTRAINTS)
    outside = [str(one) for one in requirements() if pinned[canonicalize_name(one.name)] not in one.specifier]
    assert outside == []


def test_every_pinned_version_has_the_hashes_of_its_files() -> None:
    assert pins(HASHED) == pins(CONSTRAINTS), "run: make constraints"
    blocks = re.split(r"\n(?=\S)", HASHED.strip())
    assert [
        block for block in blocks if not re.fullmatch(r"\S+==.*( \\\n    --hash=sha256:[0-9a-f]{64})+", block)
    ] == []


def test_hashes_are_of_the_files_of_other_machines_and_pythons_too() -> None:
    (orjson,) = re.findall(r"^orjson==.*(?:\n .*)+", HASHED, re.MULTILINE)
    # A wheel for each of several Pythons and machines, and the source.
    assert orjson.count("--hash=") > 20


def test_no_registry_is_named() -> None:
    assert [name for name in (CONSTRAINTS, HASHED) if re.search(r"://|index-url|find-links", name)] == []


def test_nothing_is_installed_without_its_hash() -> None:
    for file in ("Makefile", "Dockerfile"):
        text = (ROOT / file).read_text().replace("\\\n", " ").replace("$(VERIFIED)", "--require-hashes")
        commands = re.findall(
            r"(?:pip install|\$\(PIP_INSTALL\))(?! --quiet --disable-pip-version-check\n)([^&|;\n]*)", text
        )
        assert len(commands) > 3
        # This project itself has no hash: it is there already.
        unverified = [one for one in commands if "--require-hashes" not in one and "--no-deps" not in one]
        assert unverified == [], file
        assert [one for one in commands if "--no-deps" in one and "--no-build-isolation" not in one] == [], file


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_container_has_the_least_rights() -> None:
    service = compose()["kvs-graphql"]
    assert service["read_only"] is True
    assert service["user"].isdecimal()
    assert int(service["user"]) > 0
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]  # noqa: S108 - that of the container
    assert [mount.partition(":")[2] for mount in service["volumes"]] == ["/data"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", compose())
def test_containers_have_no_capabilities_and_get_none(name: str) -> None:
    assert compose()[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in compose()[name]["security_opt"]


def test_published_ports_are_those_of_this_machine() -> None:
    ports = [port for service in compose().values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_user_of_the_image_is_a_number_and_the_one_of_the_compose_file() -> None:
    users = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1:] == [compose()["kvs-graphql"]["user"]]
    # What comes after it does not run as root again.
    last = (ROOT / "Dockerfile").read_text().rpartition("\nUSER ")[2]
    assert "\nRUN " not in last


def audited(directory: Path, python: str, javascript: str, **environment: str) -> tuple[int, str]:
    """Run the audit with tools that print these answers; return its exit code and its output."""
    for name, answer in (("pip-audit", python), ("npm", javascript)):
        (directory / f"{name}.json").write_text(answer)
        (directory / name).write_text(f'#!/bin/sh\ncat "{directory / name}.json"\nexit 1\n')
        (directory / name).chmod(0o755)
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit"],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, run.stdout


CLEAN = json.dumps({"dependencies": [{"name": "click", "version": "8.5.1", "vulns": []}]})
HOLE = json.dumps({"dependencies": [{"name": "click", "version": "8.0", "vulns": [{"id": "CVE-2026-1"}]}]})
UNKNOWN = json.dumps({"dependencies": [{"name": "click", "skip_reason": "not found"}]})
CLEAN_PAGES = json.dumps({"auditReportVersion": 2, "vulnerabilities": {}})
HOLE_IN_PAGES = json.dumps({"auditReportVersion": 2, "vulnerabilities": {"vite": {"severity": "low"}}})
REFUSED = json.dumps({"message": "405 Method Not Allowed", "error": {"summary": ""}})


@pytest.mark.parametrize(
    ("python", "javascript", "code", "line"),
    [
        (CLEAN, CLEAN_PAGES, 0, "constraints-hashed.txt: no known holes"),
        (HOLE, CLEAN_PAGES, 1, "constraints-hashed.txt: click 8.0: CVE-2026-1"),
        (CLEAN, HOLE_IN_PAGES, 1, "web: vite: low"),
        ("", REFUSED, 0, "constraints-hashed.txt: not audited: the feed of advisories is out of reach"),
        (CLEAN, REFUSED, 0, "web: not audited: the feed of advisories is out of reach"),
        (UNKNOWN, CLEAN_PAGES, 0, "constraints-hashed.txt: not audited: the feed does not know 1 of 1 packages"),
        (HOLE, REFUSED, 1, "constraints-hashed.txt: click 8.0: CVE-2026-1"),
    ],
)
def test_audit_fails_on_holes_and_says_what_it_could_not_look_at(
    tmp_path: Path, python: str, javascript: str, code: int, line: str
) -> None:
    found = audited(tmp_path, python, javascript)
    assert found[0] == code, found[1]
    assert line in found[1].splitlines()


def test_audit_that_is_required_fails_where_nobody_could_be_asked(tmp_path: Path) -> None:
    assert audited(tmp_path, UNKNOWN, CLEAN_PAGES, KVS_REQUIRE_AUDIT="1")[0] == 1
    assert audited(tmp_path, CLEAN, CLEAN_PAGES, KVS_REQUIRE_AUDIT="1")[0] == 0
