"""Organizations: companies that share a store and see nothing of each other.

The root folder of a workspace is the organization `default`. Each other one is a folder of its own under
`organizations/`, with settings, receivers, routes and models; its store is that of the root.
"""

import re
from pathlib import Path

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import NotFound, OrganizationExists, OrganizationNameInvalid, SettingsError
from sereno.flows.places import ORGANIZATIONS_FOLDER
from sereno.settings.reading import SETTINGS_FILE, said_organization, save_setting

__all__ = [
    "add_organization",
    "find_organizations",
    "is_organization",
    "organization_folder",
    "place_of",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def find_organizations(root: Path) -> list[str]:
    """The names of the organizations of a workspace; `default` is always one."""
    folders = sorted((root / ORGANIZATIONS_FOLDER).glob(f"*/{SETTINGS_FILE}"))
    names = (one.parent.name for one in folders)
    return [DEFAULT_ORGANIZATION, *(name for name in names if is_organization(root, name))]


def is_organization(root: Path, name: str) -> bool:
    """Whether a workspace has an organization of a name, whoever says the name."""
    if name == DEFAULT_ORGANIZATION:
        return True
    if not _NAME.fullmatch(name):
        return False
    try:
        return said_organization(root / ORGANIZATIONS_FOLDER / name) == name
    except SettingsError:
        return True  # it is one, and its settings are to be mended


def organization_folder(root: Path, name: str) -> Path:
    """Where the settings and models of an organization lie.

    Raises:
        NotFound: There is no such organization.
    """
    if name == DEFAULT_ORGANIZATION:
        return root
    if not is_organization(root, name):
        hint = "Add it with `sereno organizations add`."
        raise NotFound(what="organization", id=name, hint=hint)
    return root / ORGANIZATIONS_FOLDER / name


def add_organization(root: Path, name: str) -> Path:
    """Make the folder of a new organization; its rows in the store begin when it is opened.

    Raises:
        OrganizationNameInvalid: The name cannot be that of a folder and in an address everywhere.
        OrganizationExists: There is one of that name.
    """
    if not _NAME.fullmatch(name):
        raise OrganizationNameInvalid(name=name)
    folder = root / ORGANIZATIONS_FOLDER / name
    if name == DEFAULT_ORGANIZATION or folder.exists():
        raise OrganizationExists(name=name)
    folder.mkdir(parents=True)
    save_setting(folder, "organization", name)
    return folder


def place_of(folder: Path) -> tuple[Path, str]:
    """The root of the workspace that a folder belongs to, and the name of its organization.

    Raises:
        SettingsError: Its settings name an organization, and it does not lie where that one would.
    """
    name = said_organization(folder)
    if name is None:
        return folder, DEFAULT_ORGANIZATION
    place = folder.resolve()
    if place.name != name or place.parent.name != ORGANIZATIONS_FOLDER or not _NAME.fullmatch(name):
        detail = f"'organization' is '{name}', and the folder is not {ORGANIZATIONS_FOLDER}/{name}"
        hint = "`sereno organizations add` makes such folders."
        raise SettingsError(where=str(folder / SETTINGS_FILE), detail=detail, hint=hint)
    return place.parent.parent, name
