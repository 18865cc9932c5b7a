"""The one place where secrets are taken out of what is written for people."""

import re
from collections.abc import Collection

__all__ = ["HIDDEN", "redacted"]

HIDDEN = "***"
MIN_SECRET = 4
"""Characters; shorter ones would blank out half of what is told."""

_NAMES = r"(?:api[_-]?key|access[_-]?key|token|secret|passw(?:or)?d|pwd|contraseña|clave|signature|sig|auth)"
_PATTERNS = (
    # scheme://user:password@host
    (
        re.compile(r"(?P<kept>[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s@'\"]+(?=@)", re.IGNORECASE),
        rf"\g<kept>{HIDDEN}",
    ),
    # scheme://token@host, as of services that know no user
    (re.compile(r"(?P<kept>[a-z][a-z0-9+.-]*://)[^\s/:@'\"]{16,}(?=@)", re.IGNORECASE), rf"\g<kept>{HIDDEN}"),
    # Authorization: Bearer …
    (
        re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<kept>{HIDDEN}",
    ),
    # ?token=…, password: …, "api_key": "…"
    (
        re.compile(
            rf"(?P<kept>\b[\w-]*{_NAMES}[\"']?\s*[=:]\s*[\"']?)(?!(?:env|file):|\*\*\*|bearer\b|basic\b)[^\s&,;\"'}})\]]+",
            re.IGNORECASE,
        ),
        rf"\g<kept>{HIDDEN}",
    ),
    # Keys that say what they are: of Standard Webhooks, of ours, of common services; and JSON Web Tokens
    (re.compile(r"\b(?P<kept>whsec_|srn_|sk_|pk_|ghp_|xox[abp]-)[A-Za-z0-9+/=_-]{8,}"), rf"\g<kept>{HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), HIDDEN),
)


def redacted(text: str, secrets: Collection[str] = ()) -> str:
    """A text without the known secrets, and without what looks like one.

    Args:
        secrets: Values that are hidden wherever they stand.

    Example:
        >>> redacted("postgresql://ana:s3cret@db/sereno refused")
        'postgresql://ana:***@db/sereno refused'
        >>> redacted("GET /predict?token=abc123&step=4")
        'GET /predict?token=***&step=4'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, HIDDEN)
    for pattern, put in _PATTERNS:
        text = pattern.sub(put, text)
    return text
