"""What tests of the store share."""

from collections.abc import Iterator

import pytest

from sereno.store import Store, open_store
from tests.support.postgres import fresh_database


@pytest.fixture
def url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """An empty store on PostgreSQL, for what only a server can show."""
    with fresh_database(postgres_server, template=postgres_template) as found:
        yield found


@pytest.fixture
def shared(url: str) -> Iterator[Store]:
    """The same, opened."""
    with open_store(url) as found:
        yield found
