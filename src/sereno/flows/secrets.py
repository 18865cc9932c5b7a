"""What opens something: made of randomness, kept as a digest, compared in constant time."""

import hashlib
import hmac
import secrets
import string
import threading
from functools import cache
from typing import TYPE_CHECKING

from sereno.domain.errors import PasswordRefused

if TYPE_CHECKING:
    from pwdlib import PasswordHash

__all__ = [
    "MAX_PASSWORD",
    "MIN_PASSWORD",
    "confirmation_of",
    "digest",
    "fits",
    "hash_password",
    "new_key",
    "new_token",
    "prefix_of",
    "upload_token_of",
    "verify_password",
]

MIN_PASSWORD, MAX_PASSWORD = 10, 200
"""Characters; length is what counts (NIST SP 800-63B, 5.1.1.2), and hashing must have an end."""

KEY_BYTES = 32
PREFIX_LENGTH = 8
_MARK = "ser"
_ALPHABET = string.ascii_lowercase + string.digits
_HASHING = threading.BoundedSemaphore(2)
"""Argon2 takes 64 MiB each time: nobody fills the memory with attempts to log in."""


def new_key() -> tuple[str, str]:
    """A key, `ser_<prefix>_<secret>` with 256 random bits, and its prefix."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX_LENGTH))
    return f"{_MARK}_{prefix}_{new_token()}", prefix


def new_token() -> str:
    """256 random bits as text that fits into an address."""
    return secrets.token_urlsafe(KEY_BYTES)


def prefix_of(key: str) -> str | None:
    """The prefix of a key; None for what is not written like one."""
    mark, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    is_key = mark == _MARK and len(prefix) == PREFIX_LENGTH and secret and key.isascii()
    return prefix if is_key else None


def digest(token: str) -> str:
    """SHA-256 of a token: as good as random bits are, it needs no salt and no work factor."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def fits(token: str, known: str) -> bool:
    """Whether a token has a digest, told in the same time whether or not."""
    return hmac.compare_digest(digest(token), known)


def confirmation_of(token: str) -> str:
    """What a page of ours shows, and a page of others cannot know, of a session (a CSRF token)."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"sereno.write", hashlib.sha256).hexdigest()


def upload_token_of(confirmation: str, path: str) -> str:
    """What the address of a form with a file carries: for that path and session, and nothing else."""
    return hmac.new(confirmation.encode(), f"sereno.upload {path}".encode(), hashlib.sha256).hexdigest()


def hash_password(password: str) -> str:
    """Argon2id of a password, PHC form.

    Raises:
        PasswordRefused: It is too short, or too long to be hashed.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PasswordRefused(least=MIN_PASSWORD, most=MAX_PASSWORD)
    with _HASHING:
        return _hasher().hash(password)


def verify_password(password: str, known: str) -> bool:
    """Whether a password has a hash; takes as long where there is none to compare with."""
    with _HASHING:
        is_right = _hasher().verify(password[:MAX_PASSWORD], known or _nobodys())
    return bool(known) and is_right and len(password) <= MAX_PASSWORD


@cache
def _hasher() -> "PasswordHash":
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    return PasswordHash((Argon2Hasher(),))


@cache
def _nobodys() -> str:
    """A hash that no password has."""
    return _hasher().hash(new_token())
