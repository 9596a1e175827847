import dask
import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="package")
def cluster():
    """Two workers, processes of one thread each."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as own,
    ):
        yield own


@pytest.fixture(scope="package")
def client(cluster):
    with Client(cluster, set_as_default=True) as own:
        yield own
