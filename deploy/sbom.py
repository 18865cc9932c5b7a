"""The bill of materials as CycloneDX JSON: `python dev.py sbom [FILE]`, of what the environment holds.

What sereno needs is `required`, what its extras need is `optional`; both are read from what is installed, so
that nothing is listed that nobody gets. Tools of development are left out. What the repository carries of
others comes from THIRD_PARTY.toml.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from sereno.domain.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = frozenset({"dev", "bench", "docs", "deploy"})
"""Extras that only people who work on sereno install."""


def main(arguments: list[str]) -> int:
    """Write it to the named file, or to stdout."""
    text = json.dumps(bill_of_materials(), indent=2, ensure_ascii=False) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def bill_of_materials() -> dict[str, Any]:
    """The whole document; the same files and packages give the same one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = closure(project["dependencies"])
    extras = project["optional-dependencies"]
    wanted = [one for name, needs in extras.items() if name not in NOT_SHIPPED for one in needs]
    optional = {name: found for name, found in closure(wanted).items() if name not in required}
    packages = [*required.values(), *optional.values()]
    components = [of_package(one, is_needed=name in required) for name, one in (required | optional).items()]
    components += [of_files(one) for one in third_party()]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "sereno",
                "name": project["name"],
                "version": VERSION,
                "licenses": [{"expression": project["license"]}],
                "purl": f"pkg:pypi/{project['name']}@{VERSION}",
            }
        },
        "components": sorted(components, key=lambda one: one["bom-ref"]),
        "dependencies": [
            {"ref": "sereno", "dependsOn": references(project["dependencies"])},
            *[{"ref": reference(one), "dependsOn": references(one.requires or [])} for one in packages],
        ],
    }


def third_party() -> list[dict[str, Any]]:
    """What the repository carries of others."""
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "THIRD_PARTY.toml").read_text(encoding="utf-8"))[
        "component"
    ]
    return found


def closure(requirements: list[str]) -> dict[str, Distribution]:
    """The packages that requirements lead to, by their name."""
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, str]] = set()
    waiting = list(direct(requirements))
    while waiting:
        one, extras = waiting.pop()
        name = normal(one.metadata["Name"])
        found[name] = one
        for extra in ["", *sorted(extras)]:
            if (name, extra) not in asked:
                asked.add((name, extra))
                waiting += direct(one.requires or [], extra)
    return found


def direct(requirements: list[str], extra: str = "") -> Iterator[tuple[Distribution, set[str]]]:
    """What requirements name, with the extras of it; without what is of another platform or not installed."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        with suppress(PackageNotFoundError):
            yield distribution(requirement.name), set(requirement.extras)


def of_package(one: Distribution, *, is_needed: bool) -> dict[str, Any]:
    """A package of the index."""
    return {
        "type": "library",
        "bom-ref": reference(one),
        "name": normal(one.metadata["Name"]),
        "version": one.version,
        "scope": "required" if is_needed else "optional",
        "licenses": licences(one),
        "purl": reference(one),
    }


def of_files(one: dict[str, Any]) -> dict[str, Any]:
    """Files that the repository carries."""
    kind, _, space = one["origin"].partition("/")
    purl = f"pkg:{kind}/{space + '/' if space else ''}{one['name']}@{one['version']}"
    return {
        "type": "library" if kind == "npm" else "data",
        "bom-ref": purl,
        "name": one["name"],
        "version": one["version"],
        "scope": "required",
        "licenses": [{"license": {"id": one["licence"]}}],
        "purl": purl,
        "components": [
            {"type": "file", "bom-ref": path, "name": path, "hashes": [{"alg": "SHA-256", "content": digest}]}
            for path, digest in one["files"].items()
        ],
    }


def licences(one: Distribution) -> list[dict[str, Any]]:
    """What a package says of its licence: an expression, else classifiers, else how its text begins."""
    if expression := one.metadata.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = [said for said in one.metadata.get_all("Classifier") or () if said.startswith("License ::")]
    named = [said.rpartition(" :: ")[2] for said in classifiers if said.count(" :: ") > 1]
    text = str(one.metadata.get("License") or "").strip().partition("\n")[0]
    return [{"license": {"name": name}} for name in named or [text or "see its files"]]


def references(requirements: list[str]) -> list[str]:
    """The addresses of what requirements name."""
    return sorted({reference(one) for one, _ in direct(requirements)})


def reference(one: Distribution) -> str:
    """The address of a package in every bill of materials."""
    return f"pkg:pypi/{normal(one.metadata['Name'])}@{one.version}"


def normal(name: str) -> str:
    """A name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
