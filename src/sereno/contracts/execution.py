"""Extension point: where a function is run on many items."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Executor"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs a function on many items, here or on a cluster engine.

    What is lost with a worker is done again, and nothing else is. So the function may run on an item more
    than once: what it leaves behind must be the same each time.
    """

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        told: Callable[[int, int], None] | None = None,
    ) -> Iterator[Result]:
        """The results in the order of the items, each as soon as it and all before it are there.

        Args:
            function: A function of a module, or an object of one, that can be pickled; so can the items and
                results.
            told: Hears after each item, in whatever order they end, how many are done, and of how many.

        Raises:
            WorkerLost: An item has taken its worker with it time and again.
            ExecutorUnreachable: There is no engine where the settings say.
        """
        ...
