"""Segments: found whatever the order, chosen over the whole range, sensible with few assets."""

import json

import numpy as np
import pytest

from sereno.domain.segments import FAR, Segmentation
from sereno.domain.signals import AssetKey
from sereno.segment.clusters import SegmentOptions, elbow_of, fit_segments, robust_scale

FEATURES = ("volume_mean", "volume_std")


def clients(*centres: tuple[float, float], members: int = 4, seed: int = 0) -> dict[AssetKey, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = [f"C{i:02d}" for i in range(members * len(centres))]
    rows = np.repeat(np.array(centres), members, axis=0) + 0.05 * rng.standard_normal((len(names), 2))
    return {AssetKey(name, name): row for name, row in zip(names, rows, strict=True)}


def groups(found: Segmentation) -> set[frozenset[str]]:
    members = found.members()
    return {
        frozenset(key.site for key, number in members.items() if number == segment)
        for segment in set(members.values())
    }


THREE = clients((1, 1), (5, 1), (5, 9))
WANTED = {frozenset(f"C{i:02d}" for i in range(first, first + 4)) for first in (0, 4, 8)}


@pytest.mark.parametrize(
    "options",
    [
        SegmentOptions(),
        SegmentOptions(method="elbow"),
        SegmentOptions(method="fixed", n_segments=3),
        SegmentOptions(seed=7),
    ],
    ids=["silhouette", "elbow", "fixed", "another seed"],
)
def test_three_kinds_of_clients_are_three_segments(options: SegmentOptions) -> None:
    found = fit_segments("gas", FEATURES, THREE, options)

    assert groups(found) == WANTED
    assert found.method == options.method


def test_order_of_assets_changes_nothing() -> None:
    backwards = dict(reversed(THREE.items()))

    found = [fit_segments("gas", FEATURES, one, SegmentOptions()) for one in (THREE, backwards)]

    assert found[0].digest == found[1].digest
    assert found[0].fitted == found[1].fitted


def test_every_number_of_the_range_is_tried() -> None:
    found = fit_segments("gas", FEATURES, THREE, SegmentOptions(k_min=2, k_max=6))

    assert found.curve.ks == (2, 3, 4, 5, 6)
    assert np.argmax(found.curve.silhouette) == 1
    assert np.all(np.diff(found.curve.inertia) < 0)


@pytest.mark.parametrize("n_assets", [1, 2])
def test_too_few_clients_are_one_segment(n_assets: int) -> None:
    few = dict(list(THREE.items())[:n_assets])

    found = fit_segments("gas", FEATURES, few, SegmentOptions())

    assert (found.n_segments, found.method) == (1, "single")
    assert set(found.fitted.values()) == {0}


def test_equal_clients_are_one_segment() -> None:
    alike = {key: np.array([3.0, 1.0]) for key in THREE}

    found = fit_segments("gas", FEATURES, alike, SegmentOptions())

    assert (found.n_segments, found.method) == (1, "single")


def test_a_client_unlike_all_others_is_a_segment_of_one() -> None:
    odd = AssetKey("Z", "Z")
    with_odd = {**clients((1, 1), (5, 1)), odd: np.array([400.0, 90.0])}

    found = fit_segments("gas", FEATURES, with_odd, SegmentOptions(method="fixed", n_segments=3))

    assert frozenset({"Z"}) in groups(found)
    assert len(groups(found)) == 3


def test_unknown_figure_of_a_client_does_not_stop_the_others() -> None:
    with_hole = dict(THREE)
    first = next(iter(with_hole))
    with_hole[first] = np.array([1.0, np.nan])

    found = fit_segments("gas", FEATURES, with_hole, SegmentOptions(method="fixed", n_segments=3))

    assert found.number_of(first) is not None
    assert np.isfinite(found.centroids).all()


def test_later_client_joins_the_segment_it_is_nearest_to() -> None:
    found = fit_segments("gas", FEATURES, THREE, SegmentOptions())
    late = AssetKey("nuevo", "nuevo")

    after = found.with_assigned(late, found.nearest(np.array([5.1, 8.8])))

    assert after.number_of(late) == found.number_of(AssetKey("C08", "C08"))
    assert after.digest == found.digest
    assert found.number_of(late) is None


def test_segmentation_survives_writing() -> None:
    found = fit_segments("gas", FEATURES, THREE, SegmentOptions(), too_short={AssetKey("x", "y"): 3})
    late = found.with_assigned(AssetKey("n", "n"), 1)

    again = Segmentation.from_json(json.loads(json.dumps(late.to_json(), allow_nan=False)))

    assert again.to_json() == late.to_json()
    assert again.nearest(np.array([5.0, 9.0])) == late.nearest(np.array([5.0, 9.0]))


@pytest.mark.parametrize("key", ["centroids", "fitted", "features", "digest"])
def test_altered_segmentation_is_refused(key: str) -> None:
    document = fit_segments("gas", FEATURES, THREE, SegmentOptions()).to_json()
    document[key] = document[key][:-1]  # type: ignore[index]

    with pytest.raises(ValueError, match=r"digest|no segmentation|reshape"):
        Segmentation.from_json(document)


def test_scale_is_learnt_from_the_middle_half() -> None:
    rows = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0], [1000.0, 7.0]])

    center, spread = robust_scale(rows)

    assert center.tolist() == [3.0, 7.0]
    assert spread[0] == pytest.approx(2.0 / 1.349)
    assert spread[1] == 1.0


def test_one_far_feature_does_not_drown_the_others() -> None:
    found = fit_segments("gas", FEATURES, THREE, SegmentOptions())

    assert np.abs(found.scaled(np.array([[1e9, -1e9]]))).max() == FAR


@pytest.mark.parametrize(
    ("inertia", "wanted"),
    [((100.0, 20.0, 15.0, 12.0, 10.0), 2), ((100.0, 60.0, 20.0, 18.0, 16.0), 3), ((5.0, 5.0, 5.0), 1)],
    ids=["bends at 2", "bends at 3", "flat"],
)
def test_elbow_is_where_the_curve_bends_most(inertia: tuple[float, ...], wanted: int) -> None:
    assert elbow_of(range(1, len(inertia) + 1), inertia) == wanted
