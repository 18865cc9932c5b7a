"""Which addresses are open to messages."""

from ipaddress import ip_address

import pytest

from sereno.notify.addresses import is_allowed


@pytest.mark.parametrize(
    ("address", "private_too", "always"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", True, False),
        ("10.1.2.3", True, False),
        ("192.168.1.10", True, False),
        ("172.16.0.1", True, False),
        ("100.64.0.1", True, False),
        ("::1", True, False),
        ("fd12::1", True, False),
        ("::ffff:10.0.0.1", True, False),
        ("64:ff9b::a00:1", True, False),
        ("2002:a00:1::1", True, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("168.63.129.16", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_address_is_open_to_messages(address: str, private_too: bool, always: bool) -> None:
    found = ip_address(address)

    assert is_allowed(found, allow_private=True) is private_too
    assert is_allowed(found, allow_private=False) is always
