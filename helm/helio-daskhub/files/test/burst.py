"""What `helm test` runs: a cluster of two workers, a small job on them, and no cluster left."""

import dask_gateway
import distributed

import helio_burst


def where(number):
    """Return the square of a number, and the worker and the version of the package that made it."""
    return number**2, distributed.get_worker().address, helio_burst.__version__


gateway = dask_gateway.Gateway()
print("gateway", gateway.address)
cluster = gateway.new_cluster(worker_cores=1, worker_memory=1.0)
try:
    cluster.scale(2)
    with cluster.get_client() as client:
        client.wait_for_workers(2, timeout=600)
        results = client.gather(client.map(where, range(200)))
finally:
    cluster.shutdown()
    gateway.close()

squares, workers, versions = zip(*results, strict=True)
assert squares == tuple(number**2 for number in range(200)), squares
assert len(set(workers)) == 2, workers
assert set(versions) == {helio_burst.__version__}, versions
print("passed: 200 tasks on 2 workers, helio_burst", helio_burst.__version__)
