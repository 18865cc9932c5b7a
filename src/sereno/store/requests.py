"""Answers to requests that say their key: the same request again gets the same answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from sereno.store.schema import request
from sereno.store.session import Session

__all__ = ["AnsweredRequest", "RequestSession"]


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that was answered.

    Attributes:
        digest: Of what it brought: another content under the same key is another request.
    """

    key: str
    digest: str
    answer: Mapping[str, object]


class RequestSession(Session):
    """The part of a transaction that remembers answers."""

    def answered(self, key: str) -> AnsweredRequest | None:
        """What was answered to the request of a key; None where it was not heard before."""
        table = request.c
        query = select(table.key, table.digest, table.answer)
        mine = query.where(table.organization_id == self._organization_id, table.key == key)
        row = self._connection.execute(mine).one_or_none()
        return None if row is None else AnsweredRequest(*row)

    def keep_answer(self, one: AnsweredRequest, *, at: datetime) -> None:
        """Remember what a request is answered, in the transaction that does what it asks."""
        row = {"organization_id": self._organization_id, "key": one.key, "digest": one.digest}
        self._upsert(request, [row | {"answer": dict(one.answer), "at": at}])

    def drop_answers(self, *, before: datetime) -> int:
        """Forget answers that were given before an instant; returns how many."""
        table = request.c
        old = delete(request).where(table.organization_id == self._organization_id, table.at < before)
        return self._connection.execute(old).rowcount
