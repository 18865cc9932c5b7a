"""Dask: the same map, on workers that may be lost."""

import pytest

from sereno.domain.errors import ExecutorUnreachable, WorkerLost
from sereno.scale.cluster import DaskExecutor
from tests.scale.works import AlwaysKilled, KilledOnce, failing, resting, squared
from tests.support.bounded import within

dask = pytest.importorskip("dask", reason="Dask needs the extra `dask`")
distributed = pytest.importorskip("distributed", reason="Dask needs the extra `dask`")
pytestmark = pytest.mark.filterwarnings("default")  # of Dask's own, when a worker dies


BOUND_S = 300
"""Longer than any of these takes on a machine with ten times as much to do as it has cores."""
SOON = "500ms"


def a_cluster(workers=2):
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    return distributed.LocalCluster(n_workers=workers, **options)


@pytest.fixture(autouse=True)
def bound():
    with within(BOUND_S):
        yield


@pytest.fixture(scope="module")
def address():
    # What a killed worker has in hand is asked for as long as a connection may take to come about.
    with dask.config.set({"distributed.comm.timeouts.connect": "5s"}), within(BOUND_S):
        cluster = a_cluster()
    yield cluster.scheduler_address
    with within(BOUND_S):
        cluster.close(timeout=30)


def test_results_come_in_order_from_workers_of_an_address(address):
    told = []

    found = list(DaskExecutor(address).map(squared, range(6), told=lambda *one: told.append(one)))

    assert [result for result, _ in found] == [0, 1, 4, 9, 16, 25]
    assert told == [(done, 6) for done in range(1, 7)]


def test_lost_worker_costs_only_its_blocks(address, tmp_path):
    work = KilledOnce(tmp_path / "killed", at=2)

    found = list(DaskExecutor(address).map(work, range(6)))

    assert found == [0, 1, 4, 9, 16, 25]
    assert work.mark.exists()


def test_what_a_function_raises_is_raised_here(address):
    with pytest.raises(KeyError, match="two"):
        list(DaskExecutor(address).map(failing, range(4)))


def test_block_that_ends_its_workers_is_named():
    none_allowed = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with none_allowed, pytest.raises(WorkerLost) as caught:
        list(DaskExecutor(workers=1).map(AlwaysKilled(at=1), [1]))

    assert caught.value.facts["block"] == "1"


def test_scheduler_that_is_not_there_is_told():
    soon = dask.config.set({"distributed.comm.timeouts.connect": SOON})
    with soon, pytest.raises(ExecutorUnreachable) as caught:
        list(DaskExecutor("tcp://127.0.0.1:1").map(squared, [1]))

    assert caught.value.facts["address"] == "tcp://127.0.0.1:1"


def test_scheduler_without_workers_is_not_waited_for():
    with a_cluster(workers=0) as cluster, pytest.raises(ExecutorUnreachable) as caught:
        list(DaskExecutor(cluster.scheduler_address, patience_s=0.5).map(squared, [1]))

    assert caught.value.facts["detail"] == "no worker within 0.5 s"


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda cluster: cluster.scale(0), id="its workers go"),
        pytest.param(lambda cluster: cluster.close(), id="it ends"),
    ],
)
def test_engine_that_is_lost_on_the_way_is_told(lose):
    with dask.config.set({"distributed.scheduler.no-workers-timeout": SOON}):
        cluster = a_cluster(workers=1)
    with cluster:
        found = DaskExecutor(cluster.scheduler_address).map(resting, range(50))
        first = next(found)
        lose(cluster)

        with pytest.raises(ExecutorUnreachable):
            list(found)

    assert first == 0


def test_without_an_address_a_cluster_lives_as_long_as_the_work():
    assert [one for one, _ in DaskExecutor(workers=1).map(squared, [2, 3])] == [4, 9]
