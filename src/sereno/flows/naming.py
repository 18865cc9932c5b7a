"""The pseudonyms of a workspace: which names are personal, and the key that stands outside the database."""

import os
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, SecretStr

from sereno.domain.errors import SettingsError, StoreError
from sereno.domain.masking import Mask
from sereno.domain.privacy import Pseudonyms
from sereno.flows.build import Setup
from sereno.notify.options import Place, resolve
from sereno.store import Store

__all__ = ["KEY_FILE", "NameBook", "known_names", "pseudonyms_of", "secrets_of"]

KEY_FILE = "privacy.key"
KEY_BYTES = 32
MIN_KEY = 16
ORGANIZATION = "default"
_REFERENCES = ("env:", "file:")


def pseudonyms_of(
    setup: Setup, known: Collection[str] = (), *, organization: str = ORGANIZATION
) -> Pseudonyms:
    """What stands for personal names in this workspace.

    Args:
        known: Names of sites and assets, so that the personal ones are found inside sentences.

    Raises:
        SettingsError: When the first name is met: the key cannot be read, or is too short.
    """
    return Pseudonyms(lambda: _key(setup), organization, setup.settings.privacy.names, known)


def known_names(store: Store) -> list[str]:
    """Names of all sites and assets of a store."""
    with store.read() as tx:
        return sorted({*tx.site_list(), *tx.asset_names()})


def secrets_of(setup: Setup) -> set[str]:
    """Values of settings that may never be shown: those kept elsewhere, and those of secret type."""
    place = Place(setup.folder)
    found = set()
    for text in _secret_texts(setup.settings):
        try:
            found.add(str(resolve(text, place)))
        except ValueError:
            continue  # whoever needs it says that it is not there
    return found


def _secret_texts(said: object) -> Iterator[str]:
    """References to secrets anywhere in settings, and what stands in fields of secret type."""
    if isinstance(said, SecretStr):
        yield said.get_secret_value()
    elif isinstance(said, str):
        if said.startswith(_REFERENCES):
            yield said
    elif isinstance(said, BaseModel):
        for name in type(said).model_fields:
            yield from _secret_texts(getattr(said, name))
    elif isinstance(said, dict):
        for inner in said.values():
            yield from _secret_texts(inner)
    elif isinstance(said, list | tuple):
        for inner in said:
            yield from _secret_texts(inner)


class NameBook:
    """The names of a workspace, read again only when there are new ones; safe to share between threads."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup, self._store = setup, store
        self._lock = threading.Lock()
        self._pseudonyms = pseudonyms_of(setup)
        self._numbers = Mask({}, self._pseudonyms.of)
        self._version: tuple[int, ...] = ()
        self._mask = self._numbers
        self._behind: Mapping[str, str] = {}

    @property
    def has_personal(self) -> bool:
        """Whether the settings say that names are personal; supply-point numbers always are."""
        return bool(self._setup.settings.privacy.names)

    def mask(self) -> Mask:
        """What hides the names of today; those of the last look where the store does not answer."""
        if self.has_personal:
            with suppress(StoreError), self._lock:
                self._look()
        return self._mask

    def behind(self) -> Mapping[str, str]:
        """The name that each pseudonym stands for.

        Raises:
            StoreError: The store does not answer.
        """
        with self._lock:
            self._look()
            return self._behind

    def _look(self) -> None:
        with self._store.read() as tx:
            version = tx.names_version()
        if version == self._version:
            return
        instead = pseudonyms_of(self._setup, known_names(self._store)).instead()
        if self.has_personal:
            self._mask = Mask(instead, self._pseudonyms.of)
        self._behind = {pseudonym: name for name, pseudonym in instead.items()}
        self._version = version


def _key(setup: Setup) -> bytes:
    said = setup.settings.privacy.key
    if said is None:
        return _own_key(setup.folder / KEY_FILE)
    where = setup.loaded.origins.get("privacy.key", "privacy.key")
    try:
        key = str(resolve(said.get_secret_value(), Place(setup.folder)))
    except ValueError as error:
        raise SettingsError(where=where, detail=f"'privacy.key': {error}", hint="") from error
    if len(key) < MIN_KEY:
        hint = "Make one with `openssl rand -hex 32`."
        raise SettingsError(
            where=where, detail=f"'privacy.key' has less than {MIN_KEY} characters", hint=hint
        )
    return key.encode()


def _own_key(path: Path) -> bytes:
    """The key of a workspace, made by whoever needs it first; nobody else on the machine may read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES))
        try:
            os.link(partial, path)  # fails where another process was first
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return path.read_bytes().strip()
