"""Which column is what: roles, signals, units and the profile that the columns speak for."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sereno.domain.errors import MissingColumns, UnsupportedFormat
from sereno.domain.signals import Profile, Signal, metered_name, register_name
from sereno.ingest.dates import time_shape
from sereno.ingest.dialect import looks_numeric, n_numeric
from sereno.ingest.headers import (
    ROW_NAMES,
    Header,
    Match,
    Role,
    is_surely_register,
    key_of,
    match_header,
    nearest_hint,
    nearest_names,
    parse_header,
)
from sereno.ingest.marks import MarkStyle, is_state, speaks_of_marks
from sereno.ingest.named_meters import is_total, with_named_meters
from sereno.ingest.numbers import POINT_DECIMAL, NumberStyle
from sereno.ingest.tags import split_tag
from sereno.ingest.units import IDENTITY, Conversion, are_kin, conversion, find_unit

__all__ = ["Column", "Layout", "choose_layout", "columns_for", "register_signal"]

# A profile whose names explain less than this share of the numeric columns is not what the file is about.
MIN_EXPLAINED_SHARE = 0.33
_ANYWHERE = frozenset({"temperature", "pressure", "flow", "vibration"})
"""Quantities that plants of every kind measure."""
N_MANY_COLUMNS = 3
MIN_SHAPE_SHARE = 0.5
N_PROBED = 60
MIN_NUMBER_SHARE = 0.5
# A column that says what it measures (`Consumo`) holds that, whatever a column beside it is called.
NEUTRAL_VALUES = frozenset(["valor", "value", "val", "lectura", "reading", "medida", "cantidad", "amount"])
MIN_HOUR_COLUMNS = 20
_HOUR_NUMBER = re.compile(r"\s*[Hh]?(?P<k>[01]?\d|2[0-5])\s*[ABab]?\s*\Z")
_STEP_NUMBER = re.compile(r"\s*(?P<k>\d{1,2}|100)\s*\Z")
_CLOCK_TIME = re.compile(r"\d:\d\d(?<!0:00)")
LAST_OF_DAY = 23
"""The least number that the last step of a day can have."""
_ROW_KEYS = frozenset(map(key_of, ROW_NAMES))
_DAY_NAMES = frozenset(map(key_of, ("día", "day", "día del mes", "day of month", "dd")))
_PART_CELL = re.compile(r"\s*\d{1,4}(?:[.,]0+)?\s*\Z")
_HOUR_HEADER = re.compile(r"(?:h|hora)?[\s_]*\d{1,2}(?::\d{2})?(?:\s*[-–a]\s*\d{1,2}:\d{2})?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table and what is done with it.

    Attributes:
        index: 0-based position.
        source: Header text.
        role: What it is for.
        signal: Name of the signal; empty for other roles.
        unit: Unit that is written, or assumed, of its values.
        asset: Asset whose signal it is, in wide layouts.
        scale: From that unit to the signal's.
        style: Signs of its numbers.
        is_unit_assumed: Nothing says the unit.
        doubt: What about its unit or name a person should check; empty for nothing.
        marks: How its marks of quality are written.
        is_end: Its name says that its times end their steps.
    """

    index: int
    source: str
    role: Role
    signal: str = ""
    unit: str = ""
    asset: str = ""
    scale: Conversion = IDENTITY
    style: NumberStyle = POINT_DECIMAL
    is_unit_assumed: bool = False
    doubt: str = ""
    marks: MarkStyle = MarkStyle.WORDS
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A profile and what each column is under it.

    Attributes:
        name: `table` (a column per signal), `wide` (columns per asset) or `long` (a row per register).
        tag_separator: Sign between asset and signal in the cells of the register column; empty for none.
        metered: Amounts of which the rows of a long table hold the register's readings.
    """

    profile: Profile
    name: str
    columns: tuple[Column, ...]
    tag_separator: str = ""
    metered: frozenset[str] = frozenset()

    def of_role(self, role: Role) -> tuple[Column, ...]:
        """The columns of a role, in file order."""
        return tuple(c for c in self.columns if c.role is role)


def choose_layout(
    headers: Sequence[Header],
    sample: Sequence[Sequence[str]],
    profiles: Mapping[str, Profile],
    *,
    asked: str | None,
    file: str,
) -> Layout:
    """The profile that explains most of the columns, and the columns under it.

    Args:
        headers: One per column.
        sample: Cells of the first rows, shape (rows, columns).
        profiles: To choose from.
        asked: Name of the profile that the caller wants; None for the best.
        file: Name for the error.

    Raises:
        MissingColumns: No column is a signal, or none is a time.
    """
    chosen = {asked: profiles[asked]} if asked else profiles
    numeric = _numeric_indices(sample, len(headers))
    strangers = {i for i in numeric if not any(_is_known(headers[i], one) for one in profiles.values())}
    layouts = [
        columns_for(headers, sample, profile, strangers=strangers, is_asked=asked is not None)
        for profile in chosen.values()
    ]
    ranked = sorted(
        layouts, key=lambda found: _rank(found, numeric, strangers, headers, sample), reverse=True
    )
    _refuse_matrix(headers, file)
    usable = [f for f in ranked if _is_usable(f, headers, sample)]
    if not usable:
        raise _missing(headers, ranked[0].profile, file, has_time=bool(ranked[0].of_role(Role.TIME)))
    return usable[0]


def columns_for(
    headers: Sequence[Header],
    sample: Sequence[Sequence[str]],
    profile: Profile,
    *,
    strangers: Collection[int] = (),
    is_asked: bool = False,
) -> Layout:
    """What each column is under a profile.

    Args:
        strangers: Columns of numbers whose names no profile knows: they may be those of meters.
        is_asked: The caller wants this profile and no other.
    """
    matches = [match_header(h, profile) for h in headers]
    matches = with_named_meters(headers, matches, sorted(strangers), profile, is_asked=is_asked)
    matches = _with_second_choices(_without_rivals(_with_unit_cells(headers, matches, sample, profile)))
    shapes = [_shape([row[i] for row in sample]) for i in range(len(headers))]
    roles = _assign_roles(headers, matches, shapes, sample, profile)
    is_long = Role.REGISTER in roles.values()
    columns, taken = [], set[tuple[str, str]]()
    repeated = _repeated_assets(matches)
    for i, (header, match) in enumerate(zip(headers, matches, strict=True)):
        role = roles.get(i, Role.UNKNOWN)
        asset = match.asset if match.asset in repeated else ""
        is_lone = match.is_device and not repeated
        is_end = role in (Role.TIME, Role.TIME_OF_DAY) and match.roles[0] is Role.END
        column = Column(i, header.source, role, unit=header.unit, asset=asset, is_end=is_end)
        if role is Role.SIGNAL and match.signal is not None:
            is_free = (match.signal.name, asset) not in taken and (bool(asset) or is_lone or not match.asset)
            column = (
                _signal_column(column, match, match.signal)
                if is_free and not is_long
                else replace(column, role=Role.UNKNOWN)
            )
            if column.role is Role.SIGNAL:
                taken.add((match.signal.name, asset))
        columns.append(column)
    if not is_long:
        columns = _with_unit_column(columns, matches, sample, profile)
    if profile.is_open and not is_long:
        columns = _told_apart([_open_column(c, sample) for c in columns])
    name = "long" if is_long else "wide" if any(c.asset for c in columns) else "table"
    return Layout(profile, name, tuple(columns))


def _is_known(header: Header, profile: Profile) -> bool:
    """Whether a name says something; that it is the sum of the others says what it is not."""
    return match_header(header, profile).roles[0] is not Role.UNKNOWN and not is_total(header)


def _without_rivals(matches: Sequence[Match]) -> list[Match]:
    """The matches, without those in a kindred unit (kW for kWh) of a signal that comes in its own, too."""
    own = {(m.signal.name, m.asset) for m in matches if m.signal and not are_kin(m.unit, m.signal.unit)}
    return [
        Match((Role.UNKNOWN,), unit=m.unit)
        if m.signal and (m.signal.name, m.asset) in own and are_kin(m.unit, m.signal.unit)
        else m
        for m in matches
    ]


def _with_unit_cells(
    headers: Sequence[Header], matches: Sequence[Match], sample: Sequence[Sequence[str]], profile: Profile
) -> list[Match]:
    """The matches, with that of a bare `Lectura` beside a column of units, which say what is counted."""
    places = [i for i, m in enumerate(matches) if Role.UNIT in m.roles]
    units = Counter(row[i].strip() for i in places[:1] for row in sample if find_unit(row[i]))
    if not units:
        return list(matches)
    unit = units.most_common(1)[0][0]
    found = []
    for header, match in zip(headers, matches, strict=True):
        is_bare = not header.unit and match.roles[0] is Role.VALUE and is_surely_register(header.source)
        counted = match_header(replace(header, unit=unit), profile) if is_bare else match
        found.append(replace(counted, unit="") if is_bare and counted.signal else match)
    return found


def _with_second_choices(matches: Sequence[Match]) -> list[Match]:
    """The matches, where a column that two signals may name leaves one to a column that can only be that."""
    sure = {(m.signal.name, m.asset) for m in matches if m.signal and m.second is None}
    return [
        replace(m, signal=m.second) if m.signal and m.second and (m.signal.name, m.asset) in sure else m
        for m in matches
    ]


def register_signal(text: str, layout: Layout) -> Signal | None:
    """The signal that a cell of a register column names."""
    signal = _named_signal(split_tag(text, layout.tag_separator)[1], layout.profile)
    if signal is not None and signal.name in layout.metered:
        return layout.profile.signal(register_name(signal.name))
    return signal


def _named_signal(text: str, profile: Profile) -> Signal | None:
    match = match_header(parse_header(text), profile)
    if match.signal is None and profile.is_open and text.strip():
        return Signal(name=parse_header(text).source, quantity="unknown", unit="")
    return match.signal


def _signal_column(column: Column, match: Match, signal: Signal) -> Column:
    column = replace(
        column, signal=signal.name, unit=match.unit or signal.unit, is_unit_assumed=not match.unit
    )
    if not match.unit or not signal.unit:
        return column
    scale = conversion(match.unit, signal.unit)
    if scale is not None:
        return replace(column, scale=scale)
    if find_unit(match.unit) is None:
        # A unit that is not understood could be off by any factor: better no value than a wrong one.
        return replace(column, role=Role.UNKNOWN, signal="", doubt=match.unit)
    return replace(column, doubt=match.unit)


def _with_unit_column(
    columns: list[Column], matches: Sequence[Match], sample: Sequence[Sequence[str]], profile: Profile
) -> list[Column]:
    """A column of units says the unit of the only signal; a unit of another quantity says it is none."""
    signals = [c for c in columns if c.role is Role.SIGNAL]
    found = [i for i, m in enumerate(matches) if Role.UNIT in m.roles and columns[i].role is Role.UNKNOWN]
    if len(signals) != 1 or not found or not signals[0].is_unit_assumed:
        return columns
    written = {row[found[0]].strip() for row in sample if find_unit(row[found[0]])}
    target = profile.signal(signals[0].signal).unit
    if not written or not target:
        return columns
    if any(conversion(unit, target) is None for unit in written):
        changed = {signals[0].index: replace(signals[0], role=Role.UNKNOWN, signal="")}
    else:
        changed = {
            signals[0].index: replace(signals[0], unit=", ".join(sorted(written)), is_unit_assumed=False),
            found[0]: replace(columns[found[0]], role=Role.UNIT),
        }
    return [changed.get(c.index, c) for c in columns]


def _open_column(column: Column, sample: Sequence[Sequence[str]]) -> Column:
    if column.role is not Role.UNKNOWN or not column.source:
        return column
    cells = [row[column.index] for row in sample if row[column.index].strip()]
    if cells and not any(
        looks_numeric(c) for c in cells
    ):  # one that begins later is judged by all of its cells
        return column
    signal = register_name(column.source) if is_surely_register(column.source) else column.source
    return replace(column, role=Role.SIGNAL, signal=signal)


def _told_apart(columns: Sequence[Column]) -> list[Column]:
    """Columns of one name as signals of their own: the second is `name 2`."""
    seen: Counter[str] = Counter()
    result = []
    for column in columns:
        is_signal = column.role is Role.SIGNAL and not column.asset
        seen[column.signal] += is_signal
        is_again = is_signal and seen[column.signal] > 1
        name = f"{column.signal} {seen[column.signal]}" if is_again else column.signal
        result.append(replace(column, signal=name))
    return result


def _assign_roles(
    headers: Sequence[Header],
    matches: Sequence[Match],
    shapes: Sequence[str | None],
    sample: Sequence[Sequence[str]],
    profile: Profile,
) -> dict[int, Role]:
    roles: dict[int, Role] = {}
    clocks = {i for i in range(len(headers)) if any(_CLOCK_TIME.search(row[i]) for row in sample[:N_PROBED])}
    _assign_date_parts(headers, matches, shapes, sample, roles)
    _assign_time(matches, shapes, roles, has_sample=bool(sample), with_clock=clocks)
    neutral = {i for i, h in enumerate(headers) if not profile.is_open or h.bare_key in NEUTRAL_VALUES}
    _assign_register(headers, matches, sample, profile, roles, values=neutral)
    _assign_quality(headers, matches, sample, roles)
    for i, match in enumerate(matches):
        if i in roles:
            continue
        for role in match.roles:
            is_once = role in (Role.SITE, Role.ASSET)
            if role in (Role.SIGNAL, Role.IGNORED) or (is_once and role not in roles.values()):
                roles[i] = role
                break
    return roles


def _assign_date_parts(
    headers: Sequence[Header],
    matches: Sequence[Match],
    shapes: Sequence[str | None],
    sample: Sequence[Sequence[str]],
    roles: dict[int, Role],
) -> None:
    """A year, a month and perhaps a day in columns of their own, where no column holds a date."""
    if "date" in shapes:
        return
    found: dict[Role, int] = {}
    for i, (header, match) in enumerate(zip(headers, matches, strict=True)):
        is_part = all(_PART_CELL.match(row[i]) for row in sample[:N_PROBED] if row[i].strip())
        own: list[Role] = [role for role in (Role.YEAR, Role.MONTH) if role in match.roles]
        own += [Role.TIME] if header.bare_key in _DAY_NAMES else []
        if is_part and own:
            found.setdefault(own[0], i)
    if {Role.YEAR, Role.MONTH} <= found.keys():
        if Role.TIME not in found:
            found[Role.TIME] = found.pop(Role.MONTH)
        roles.update((i, role) for role, i in found.items())


def _assign_time(
    matches: Sequence[Match],
    shapes: Sequence[str | None],
    roles: dict[int, Role],
    *,
    has_sample: bool,
    with_clock: Collection[int],
) -> None:
    parted = [i for i, role in roles.items() if role is Role.TIME]
    named = [i for i, m in enumerate(matches) if {Role.TIME, Role.TIME_OF_DAY} & set(m.roles)]
    ends = [i for i, m in enumerate(matches) if m.roles[0] is Role.END]
    dated = [i for i in named if shapes[i] == "date"]
    if not dated and not ends:
        dated = [i for i, shape in enumerate(shapes) if shape == "date"]
        dated = dated if len(dated) == 1 else []
    start = parted or dated or [i for i in named if not has_sample or shapes[i] in (None, "hour", "day")]
    if not start and not dated:
        start = [i for i in ends if shapes[i] == "date"]
    for i in ends:
        roles[i] = Role.END if shapes[i] == "date" else Role.IGNORED
    if start:
        roles[start[0]] = Role.TIME
    has_clock = bool(start) and start[0] in with_clock
    clock = [i for i in named if shapes[i] == "time" and i not in roles]
    clock += [
        i
        for i, match in enumerate(matches)
        if i not in roles
        and (
            (Role.TIME_OF_DAY in match.roles and shapes[i] in ("hour", "day"))
            # A period may also be one of a tariff: it is an hour where it counts to the end of the day.
            or (Role.STEP in match.roles and shapes[i] == "day" and start and not has_clock)
        )
    ]
    if start and not clock and not has_clock:
        clock = [i for i in ends if shapes[i] == "time"]
    if start and clock:
        roles[clock[0]] = Role.TIME_OF_DAY


def _assign_register(
    headers: Sequence[Header],
    matches: Sequence[Match],
    sample: Sequence[Sequence[str]],
    profile: Profile,
    roles: dict[int, Role],
    *,
    values: set[int],
) -> None:
    """A long table: one column names the signal, another holds the value, perhaps a third the unit."""
    for i, match in enumerate(matches):
        if not {Role.REGISTER, Role.POINT} & set(match.roles) or i in roles:
            continue
        texts = Counter(row[i].strip() for row in sample if row[i].strip())
        if headers[i].key in _ROW_KEYS and not _name_points(texts):
            continue
        n_known = sum(n for t, n in texts.items() if _named_signal(t, profile) is not None)
        value = _value_column(matches, sample, roles, among=values - {i})
        if texts and n_known * 2 > sum(texts.values()) and value is not None:
            roles[i], roles[value] = Role.REGISTER, Role.VALUE
            units = [k for k, m in enumerate(matches) if Role.UNIT in m.roles and k not in roles]
            if units:
                roles[units[0]] = Role.UNIT
            return


def _name_points(texts: Counter[str]) -> bool:
    """Whether cells name what each row is about: words that come again, no numbers of rows."""
    return len(texts) * 2 <= texts.total() and not any(map(looks_numeric, texts))


def _assign_quality(
    headers: Sequence[Header],
    matches: Sequence[Match],
    sample: Sequence[Sequence[str]],
    roles: dict[int, Role],
) -> None:
    """The first column of marks; a finer one beside it says nothing more."""
    is_long = Role.REGISTER in roles.values()
    found = [
        i
        for i, match in enumerate(matches)
        if Role.QUALITY in match.roles
        and i not in roles
        and speaks_of_marks(headers[i].source, [row[i] for row in sample], is_historian=is_long)
    ]
    found.sort(key=lambda i: "detail" in headers[i].key)
    roles.update(zip(found, [Role.QUALITY, *[Role.IGNORED] * len(found)], strict=False))


def _value_column(
    matches: Sequence[Match], sample: Sequence[Sequence[str]], roles: dict[int, Role], *, among: set[int]
) -> int | None:
    for i in sorted(among - roles.keys()):
        if Role.VALUE not in matches[i].roles:
            continue
        cells = [row[i] for row in sample if row[i].strip() and not is_state(row[i])]
        n_numbers = sum(map(looks_numeric, cells[:N_PROBED]))
        if n_numbers > MIN_NUMBER_SHARE * len(cells[:N_PROBED]):
            return i
    return None


def _shape(cells: Sequence[str]) -> str | None:
    """`date` or `time` when most filled cells are one, `hour` when all are numbers up to 25.

    Numbers up to 100 among which is the last step of a day are a `day`.
    """
    filled = [c for c in cells if c.strip()][:200]
    shapes = Counter[str | None]()
    for text, n_cells in Counter(filled).items():
        shapes[time_shape(text)] += n_cells
    for shape in ("date", "time"):
        if shapes[shape] > MIN_SHAPE_SHARE * len(filled):
            return shape
    for pattern in (_HOUR_NUMBER, _STEP_NUMBER):
        found = [pattern.match(c) for c in filled]
        if filled and all(found):
            is_day = max(int(m["k"]) for m in found if m) >= LAST_OF_DAY
            return "day" if is_day else "hour" if pattern is _HOUR_NUMBER else None
    # Mixed formats of which less than half are known still make a time column; a numeric one does not.
    return "date" if shapes["date"] else None


def _repeated_assets(matches: Sequence[Match]) -> set[str]:
    """Asset names of a wide layout: one signal under at least two of them."""
    by_signal: dict[str, set[str]] = {}
    for match in matches:
        if match.signal is not None and match.asset:
            by_signal.setdefault(match.signal.name, set()).add(match.asset)
    return {a for assets in by_signal.values() if len(assets) > 1 for a in assets}


def _numeric_indices(sample: Sequence[Sequence[str]], n_columns: int) -> set[int]:
    found = set()
    for i in range(n_columns):
        cells = Counter(row[i] for row in sample[:100] if row[i].strip())
        if cells and n_numeric(cells) * 2 >= cells.total():
            found.add(i)
    return found


def _rank(
    layout: Layout,
    numeric: set[int],
    strangers: Collection[int],
    headers: Sequence[Header],
    sample: Sequence[Sequence[str]],
) -> tuple[float, ...]:
    """More columns explained first, then the profile that the file covers best, then the smaller one."""
    signals = [c for c in layout.columns if c.role is Role.SIGNAL]
    if layout.profile.is_open:
        return (0.0, bool(signals) + 0.0, 0.0, 0.0)
    n_explained = len(signals)
    numeric = {i for i in numeric if layout.columns[i].role in (Role.SIGNAL, Role.UNKNOWN)}
    names = {metered_name(c.signal) for c in signals}
    if layout.name == "long":
        n_explained, names = len(headers), {"long"}
    wanted = [s for s in layout.profile.signals if not s.is_optional]
    if layout.name == "long":
        coverage = _share_of_known_registers(layout, sample)
    else:
        is_whole = len(numeric - set(strangers)) <= n_explained
        covered = (_is_covered(s, names, layout.profile, with_kin=is_whole) for s in wanted)
        coverage = sum(covered) / max(1, len(wanted))
    n_with_unit = sum(not c.is_unit_assumed for c in signals)
    is_telling = layout.name == "long" or any(_is_telling(c, layout.profile) for c in signals)
    is_apt = is_telling and (
        layout.name == "long"
        or n_explained >= MIN_EXPLAINED_SHARE * len(numeric)
        or (len(numeric) < N_MANY_COLUMNS and n_explained > 0)
        or not numeric
    )
    return (1.0 if is_apt else -1.0, float(n_explained), coverage, float(n_with_unit), -len(wanted))


def _is_covered(wanted: Signal, names: Collection[str], profile: Profile, *, with_kin: bool) -> bool:
    """Whether a signal is there; or with kin its energy, where it is a power."""
    return wanted.name in names or (
        with_kin and any(are_kin(profile.signal(name).unit, wanted.unit) for name in names)
    )


def _is_telling(column: Column, profile: Profile) -> bool:
    """Whether a column says what kind of asset the file is about: any line has temperatures and pressures."""
    return profile.signal(column.signal).quantity not in _ANYWHERE


def _share_of_known_registers(layout: Layout, sample: Sequence[Sequence[str]]) -> float:
    """Share of a long table's rows that name a signal of the profile."""
    column = layout.of_role(Role.REGISTER)[0].index
    texts = Counter(row[column] for row in sample if row[column].strip())
    n_known = sum(count for text, count in texts.items() if register_signal(text, layout) is not None)
    return n_known / max(1, texts.total())


def _is_usable(layout: Layout, headers: Sequence[Header], sample: Sequence[Sequence[str]]) -> bool:
    signals = layout.of_role(Role.SIGNAL) or layout.of_role(Role.VALUE)
    return bool(layout.of_role(Role.TIME) and signals) and not _has_strange_registers(layout, headers, sample)


def _has_strange_registers(
    layout: Layout, headers: Sequence[Header], sample: Sequence[Sequence[str]]
) -> bool:
    """A column that names several registers, none of them known: its values must not pass for one signal."""
    if layout.name == "long":
        return False
    for header, column in zip(headers, layout.columns, strict=True):
        is_register = Role.REGISTER in match_header(header, layout.profile).roles
        if is_register and column.role is Role.UNKNOWN and len({row[column.index] for row in sample}) > 1:
            return True
    return False


def _refuse_matrix(headers: Sequence[Header], file: str) -> None:
    n_hours = sum(_HOUR_HEADER.match(h.source) is not None for h in headers)
    if n_hours >= MIN_HOUR_COLUMNS:
        raise UnsupportedFormat(file=file, detail=f"{n_hours} × '{headers[-1].source}' (1 / day)")


def _missing(headers: Sequence[Header], profile: Profile, file: str, *, has_time: bool) -> MissingColumns:
    found = [h.source for h in headers if h.source]
    near = nearest_names(found, profile)
    if near:
        hint = nearest_hint(near)
    elif not has_time:
        hint = f"A column with the time is needed, such as '{(profile.time_aliases or ('Fecha',))[0]}'."
    elif not profile.signals:
        hint = "A column with numbers is needed beside the time."
    else:
        names = ", ".join(f"'{s.label('es')}' / '{s.label('en')}'" for s in profile.signals[:5])
        hint = f"Expected names such as {names}."
    listed = ", ".join(f"'{t}'" for t in found[:20])
    return MissingColumns(file=file, profile=profile.name, found=listed or "no names", hint=hint)
