"""Names of a historian's points, and whether they name the equipment before the quantity."""

from collections import Counter, defaultdict
from collections.abc import Collection

from sereno.ingest.headers import key_of

__all__ = ["split_tag", "tag_separator"]

SEPARATORS = ("\\", "/", "|", ":", ".")
MIN_SHARED_NAMES = 0.5
# Parameters of one control block (`FIC101.PV`): what stands before them is a point, not equipment.
_BLOCK_PARAMETERS = frozenset(
    [
        *(
            "pv",
            "sp",
            "op",
            "mv",
            "cv",
            "out",
            "in",
            "mode",
            "value",
            "val",
            "daca",
            "cas",
            "auto",
            "man",
            "hi",
        ),
        *("lo", "alm", "sts", "status"),
    ]
)


def tag_separator(tags: Collection[str]) -> str:
    """The sign between equipment and quantity, such as `.` in `UNIT1.PT-101`; empty where tags stay whole.

    It needs proof: every tag has the sign, and most of what stands behind it stands behind several names.
    """
    for separator in SEPARATORS:
        if len(tags) > 1 and all(separator in tag.strip() for tag in tags):
            owners = defaultdict(set)
            for tag in tags:
                owner, name = split_tag(tag, separator)
                owners[name].add(owner)
            return separator if _name_quantities(owners) else ""
    return ""


def split_tag(tag: str, separator: str) -> tuple[str, str]:
    """Equipment and quantity of a tag; no equipment where there is no separator.

    Example:
        >>> split_tag("UNIT1.PT-101", ".")
        ('UNIT1', 'PT-101')
    """
    if not separator:
        return "", tag
    owner, _, name = tag.strip().rpartition(separator)
    return owner.strip(), name.strip()


def _name_quantities(owners: dict[str, set[str]]) -> bool:
    n_owners = Counter(len(found) > 1 for found in owners.values())
    has_names = all(owners) and all(all(found) for found in owners.values())
    is_block = all(key_of(name) in _BLOCK_PARAMETERS for name in owners)
    return has_names and not is_block and n_owners[True] >= MIN_SHARED_NAMES * len(owners)
