"""What the fields of a record mean."""

import pytest

from sereno.compat.fields import number, record_of, shown_energies
from sereno.domain.errors import InvalidRecord
from tests.compat.fleet import a_record
from tests.support.builders import SOLAR


def test_energies_are_wh_unless_their_name_says_otherwise() -> None:
    fields = {"Fecha": "01.01.2025", "Generación total": 5.0, "Consumo total (kWh)": 9.0, "Empresa": "A"}

    record = record_of(fields, None, SOLAR)

    assert record.units == {"Generación total": "Wh"}
    assert shown_energies(fields, SOLAR) == {
        "Generación total": 5.0,
        "Consumo total": 9000.0,
        "Autoconsumo": None,
    }


@pytest.mark.parametrize(
    ("company", "given", "expected"),
    [("B", "A", "B"), (None, "A", "A"), (None, "", "DESCONOCIDA"), (None, None, "DESCONOCIDA")],
    ids=["argument", "field", "blank", "absent"],
)
def test_company_comes_from_argument_then_field(
    company: str | None, given: str | None, expected: str
) -> None:
    fields = a_record(company=None) | ({} if given is None else {"Empresa": given})

    assert record_of(fields, company, SOLAR).values["Empresa"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5000", 5000.0), ("5.000,5", 5000.5), ("5,000.5", 5000.5), ("1.234.567", 1234567.0), ("x", None)],
)
def test_number_reads_decimal_comma_and_thousands(text: str, expected: float | None) -> None:
    assert number(text) == expected


def test_text_that_may_be_thousands_or_decimals_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="Generación total"):
        record_of(a_record() | {"Generación total": "5.000"}, None, SOLAR)


def test_text_that_may_be_thousands_passes_when_another_shows_the_sign() -> None:
    fields = a_record() | {"Generación total": "5.000", "Consumo total": "80.000,5"}

    assert record_of(fields, None, SOLAR).values["Generación total"] == "5.000"
