"""Addresses that come through the API lead outside, or are refused."""

import pytest

from sereno.domain.errors import AddressRefused, SecretReferenceRefused
from sereno.flows.outside import check_outside


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:9000/"},
        {"url": "https://localhost/hook"},
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": "http://[::1]/"},
        {"url": "http://[::ffff:10.0.0.1]/"},
        {"url": "http://0x7f000001/"},
        {"url": "http://2130706433/"},
        {"url": "https://user@10.1.2.3/"},
        {"urls": ["https://93.184.216.34/", "http://192.168.1.1/"]},
        {"host": "10.0.0.5"},
        {"broker": "127.0.0.1:1883"},
        {"server": "::1"},
        {"deep": {"url": "http://100.64.0.1/"}},
        {"url": "http:///nothing"},
        {"url": "http://no-such-name.invalid/"},
        {"url": "http://[bad"},
        {"url": "file:///etc/passwd"},
        {"url": "https://93.184.216.34/", "allow_private": True},
    ],
    ids=str,
)
def test_what_leads_inside_is_refused(options: dict[str, object]) -> None:
    with pytest.raises((AddressRefused, SecretReferenceRefused)):
        check_outside(options)


@pytest.mark.parametrize("value", ["env:DATABASE_URL", "file:/etc/shadow"])
def test_secrets_of_this_machine_are_not_referred_to(value: str) -> None:
    with pytest.raises(SecretReferenceRefused) as caught:
        check_outside({"headers": {"x": value}})

    assert caught.value.facts["option"] == "headers.x"


def test_public_addresses_pass() -> None:
    check_outside(
        {"url": "https://93.184.216.34/hook", "host": "93.184.216.34:25", "retries": 3, "to": ["a"]}
    )
