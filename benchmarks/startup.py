"""How long `sereno --help` takes beside a bare interpreter, in the same run."""

import subprocess
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.common import Goal, Options, child_environment, parse_options, publish, tell, timed

__all__ = ["main"]

ROUNDS, QUICK_ROUNDS = 7, 3
HELP = (sys.executable, "-m", "sereno", "--help")
BARE = (sys.executable, "-c", "pass")
HIGHEST_RATIO = 15.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("startup", str(__doc__), arguments)
    help_s, bare_s = _measure(options)
    ratio = round(help_s / bare_s, 2)
    figures = {"help_s": round(help_s, 4), "bare_interpreter_s": round(bare_s, 4), "ratio": ratio}
    publish(options, figures, {"ratio": Goal(ratio, HIGHEST_RATIO)})


def _measure(options: Options) -> tuple[float, float]:
    """Medians of both commands, one after the other so that a busy moment meets both."""
    durations: dict[tuple[str, ...], list[float]] = {HELP: [], BARE: []}
    for command in durations:
        _run(command)  # compiles and caches
    rounds = QUICK_ROUNDS if options.is_quick else ROUNDS
    for number in range(rounds):
        for command, seconds in durations.items():
            seconds.append(timed(lambda command=command: _run(command)))
        tell(f"round {number + 1} of {rounds}")
    return median(durations[HELP]), median(durations[BARE])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, env=child_environment(), stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
