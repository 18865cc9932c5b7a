"""What several ask about records at once is answered together."""

from collections.abc import Sequence
from typing import Protocol

from sereno.domain.errors import SerenoError
from sereno.flows.lane import Lane
from sereno.flows.records_path import Opinion, Question

__all__ = ["LARGE", "Asking", "Judge", "judge_alone"]

LARGE = 1_000
"""Records of a question that is not asked in the lane: others would wait for its answer."""


class Judge(Protocol):
    """Who says what is thought of records: a workspace, or one in another process; see `Workspace`."""

    def judge_all(self, questions: Sequence[Question], /) -> list[Opinion | SerenoError]:
        """What is thought of the records of several; none of them is shown the others'."""


class Asking(Lane[Question, Opinion]):
    """The lane of those who ask and store nothing.

    Attributes:
        n_refused: Questions refused because too much waited; only grows.
    """

    def __init__(self, judge: Judge) -> None:
        self.n_refused = 0
        self._judge = judge
        super().__init__("asking")

    def _answers(self, group: Sequence[Question]) -> Sequence[Opinion | SerenoError]:
        return self._judge.judge_all(group)

    def _refused(self) -> None:
        self.n_refused += 1


def judge_alone(judge: Judge, question: Question) -> Opinion:
    """What is thought of the records of a large question.

    Raises:
        SerenoError: As it is answered.
    """
    (answer,) = judge.judge_all([question])
    if isinstance(answer, SerenoError):
        raise answer
    return answer
