"""How early and how quietly anomalies of streams are found, by the rule of the Numenta Anomaly Benchmark.

The detector has no training: each stream is judged from what it has shown so far. `standard`, `low_fp` and
`low_fn` are of one declared configuration with the threshold that the benchmark's own rule takes, the best on
the scored files. `cross_half` takes configuration and threshold from half of the files and scores the other
half, both ways. A threshold chosen on the scored corpus flatters every detector: a guard, no headline.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.nab import rivals
from benchmarks.nab.corpus import Costs, Stream, find_corpus, read_costs, read_published, read_streams
from benchmarks.nab.rule import Marks, best_threshold, judge, mark, normalised, probation_rows
from sereno.detect.repeats import NOTHING_TOLD, silence_repeats
from sereno.detect.seasonal import SeasonalDetector
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile, Signal

PROFILE = Profile("stream", (Signal("value", "quantity", ""),))
REPEAT_SHARE = 0.1
LEVEL_DAYS, SUSTAIN_ROWS, REPEAT_SHARES = (1.0, 3.0, 7.0), (3.0, 5.0, 10.0), (0.05, 0.1, 0.2)
"""What `cross_half` chooses among; the declared configuration is the detector's own and `REPEAT_SHARE`."""
N_HALVINGS = 20
STANDARD_FLOOR, CROSS_FLOOR = 55.0, 52.0
_QUICK_EVERY = 4

Series = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Streams, what alarms in them are worth, and the costs of each profile."""

    streams: Sequence[Stream]
    marks: Mapping[str, Marks]
    costs: Mapping[str, Costs]

    @property
    def names(self) -> list[str]:
        """Of the streams, in order."""
        return [stream.name for stream in self.streams]

    def normalised(self, total: float, names: Sequence[str], profile: str = "standard") -> float:
        """A raw score over some streams on the scale from 0 to 100."""
        n_windows = sum(self.marks[name].n_windows for name in names)
        return normalised(total, n_windows, self.costs[profile])


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the detector, the trivial ones, and the detector chosen on halves."""
    options, seed = _options(arguments)
    folder = find_corpus(options.data)
    streams = read_streams(folder)[:: _QUICK_EVERY if options.is_quick else 1]
    corpus = Corpus(streams, {one.name: mark(one) for one in streams}, read_costs(folder))
    tell(f"{len(streams)} streams with {sum(m.n_windows for m in corpus.marks.values())} windows")
    declared = SeasonalDetector(PROFILE)
    grid = [declared] if options.is_quick else _grid(declared)
    untold = {detector: _score_all(detector, streams) for detector in grid}
    figures = {
        **_declared_figures(corpus, _told(untold[declared], REPEAT_SHARE)),
        **_cross_figures(corpus, untold, seed),
        "trivial": _trivial_figures(corpus, seed),
        "configuration": {**_described(declared), "repeat_share": REPEAT_SHARE},
        "published_on_all_58_files": read_published(folder),
    }
    goals = {
        "standard": Goal(_number(figures["standard"]), STANDARD_FLOOR, is_floor=True),
        "cross_half": Goal(_number(figures["cross_half"]), CROSS_FLOOR, is_floor=True),
    }
    publish(options, figures, goals)


def _options(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nab", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="every fourth stream, one configuration")
    parser.add_argument("--seed", type=int, default=1, help="of the random detector and the halvings")
    parser.add_argument("--data", type=Path, help=f"folder that holds nab/, otherwise {DATA_VARIABLE}")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(given.json, given.quick, folder, None), given.seed


def _grid(declared: SeasonalDetector) -> list[SeasonalDetector]:
    """The declared detector first: of equal ones it is taken."""
    others = [
        replace(declared, level_days=days, sustain_rows=rows)
        for days, rows in product(LEVEL_DAYS, SUSTAIN_ROWS)
    ]
    return [declared, *(one for one in others if one != declared)]


def _score_all(detector: SeasonalDetector, streams: Sequence[Stream]) -> Series:
    tell(f"scoring with {_described(detector)}")
    trained = detector.untrained()
    return {stream.name: trained.score(_window(stream))[0].values for stream in streams}


def _window(stream: Stream) -> Window:
    """The rows as they came; the step is the middle one of the probation, which every detector may know."""
    steps = np.diff(stream.time[: max(probation_rows(len(stream.time)), 2)]).astype(np.int64)
    values = stream.values[:, None]
    return Window(
        asset=AssetKey(stream.name, stream.name),
        profile=PROFILE.name,
        signals=("value",),
        time=stream.time,
        values=values,
        quality=np.zeros(values.shape, dtype=np.int32),
        step=timedelta(microseconds=max(int(np.median(steps)), 1)),
    )


def _told(scores: Series, share: float) -> Series:
    return {name: silence_repeats(one, NOTHING_TOLD, share=share)[0] for name, one in scores.items()}


def _declared_figures(corpus: Corpus, scores: Series) -> dict[str, object]:
    threshold, _ = best_threshold(scores, corpus.marks, corpus.costs["standard"], corpus.names)
    by_file = {
        name: judge(scores[name], corpus.marks[name], corpus.costs["standard"], threshold).to_json()
        for name in corpus.names
    }
    return {**_by_profile(corpus, scores), "threshold": threshold, "by_file": by_file}


def _by_profile(corpus: Corpus, scores: Series) -> dict[str, float]:
    """The score of each profile at its own best threshold."""
    return {
        profile: round(
            corpus.normalised(
                best_threshold(scores, corpus.marks, costs, corpus.names)[1], corpus.names, profile
            ),
            2,
        )
        for profile, costs in corpus.costs.items()
    }


def _cross_figures(corpus: Corpus, untold: Mapping[SeasonalDetector, Series], seed: int) -> dict[str, object]:
    """Alternate files, and as many seeded halvings as say how much of it is luck."""
    configurations = {
        (detector, share): _told(scores, share)
        for detector, scores in untold.items()
        for share in REPEAT_SHARES
    }
    names = corpus.names
    halves = (names[::2], names[1::2])
    total, chosen = _crossed(corpus, configurations, halves)
    rng = np.random.default_rng(seed)
    others = []
    for _ in range(N_HALVINGS):
        shuffled = [names[i] for i in rng.permutation(len(names)).tolist()]
        middle = len(names) // 2
        others.append(_crossed(corpus, configurations, (shuffled[:middle], shuffled[middle:]))[0])
    quantiles = np.quantile(others, [0.0, 0.5, 1.0]).round(2).tolist()
    return {
        "cross_half": round(total, 2),
        "cross_half_chosen": chosen,
        "cross_half_of_seeded_halvings": dict(zip(("lowest", "median", "highest"), quantiles, strict=True)),
    }


def _crossed(
    corpus: Corpus,
    configurations: Mapping[tuple[SeasonalDetector, float], Series],
    halves: tuple[Sequence[str], Sequence[str]],
) -> tuple[float, list[dict[str, object]]]:
    """Score of all files, each judged with what was best on the half that it is not in."""
    costs = corpus.costs["standard"]
    total, chosen = 0.0, []
    for learnt, held_out in (halves, halves[::-1]):
        best = {key: best_threshold(own, corpus.marks, costs, learnt) for key, own in configurations.items()}
        detector, share = max(best, key=lambda key: best[key][1])
        threshold, reached = best[detector, share]
        scores = configurations[detector, share]
        own = sum(judge(scores[name], corpus.marks[name], costs, threshold).score for name in held_out)
        total += own
        chosen.append(
            {
                **_described(detector),
                "repeat_share": share,
                "threshold": threshold,
                "there": round(corpus.normalised(reached, learnt), 2),
                "held_out": round(corpus.normalised(own, held_out), 2),
            }
        )
    return corpus.normalised(total, corpus.names), chosen


def _trivial_figures(corpus: Corpus, seed: int) -> dict[str, object]:
    """Rules that have nothing to choose, and simple scores, as they are and with repeats silenced as ours."""
    rules = {
        "null": rivals.nothing,
        "perfect": rivals.perfect,
        "always_on": rivals.always_on,
        "clock": rivals.clock,
    }
    figures: dict[str, object] = {name: _of_rule(corpus, rule) for name, rule in rules.items()}
    scorers: Mapping[str, Callable[[Stream], np.ndarray]] = {
        "random": partial(rivals.random, seed=seed),
        "windowed_gaussian": rivals.windowed_gaussian,
    }
    for name, scorer in scorers.items():
        scores = {stream.name: scorer(stream) for stream in corpus.streams}
        figures[name] = _by_profile(corpus, scores)
        figures[f"{name}_without_repeats"] = _by_profile(corpus, _told(scores, REPEAT_SHARE))
    return figures


def _of_rule(corpus: Corpus, rule: Callable[[Stream], np.ndarray]) -> dict[str, float]:
    """The scores of a detector that says 1.0 where it means an alarm."""
    alarms = {stream.name: rule(stream) for stream in corpus.streams}
    figures = {}
    for profile, costs in corpus.costs.items():
        total = sum(judge(alarms[name], corpus.marks[name], costs, 1.0).score for name in corpus.names)
        figures[profile] = round(corpus.normalised(total, corpus.names, profile), 2)
    return figures


def _described(detector: SeasonalDetector) -> dict[str, object]:
    return {"level_days": detector.level_days, "sustain_rows": detector.sustain_rows}


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


if __name__ == "__main__":
    main()
