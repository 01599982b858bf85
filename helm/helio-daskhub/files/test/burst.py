"""What `helm test` runs: a cluster of two workers, a small job on them, and no cluster left."""

import pandas as pd

import helio_burst as hb


def square(row):
    """Return the square of a row's number."""
    return float(row.number**2)


files = pd.DataFrame({"datakey": [f"item-{number}" for number in range(200)], "number": range(200)})
with hb.open_cluster("gateway", 2, cores=1, memory="1 GiB") as client:
    client.wait_for_workers(2, timeout=600)
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    outcome = hb.map_files(square, files, read=hb.readers.row, client=client)

assert outcome.failures.empty, outcome.failures
squares = outcome.to_xarray(name="square", dim="item")["square"]
assert float(squares.sum()) == sum(number**2 for number in range(200)), squares
assert workers == 2, workers
print(f"passed: {squares.size} items on {workers} workers, helio_burst {hb.__version__}")
