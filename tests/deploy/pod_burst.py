"""Run in the user's server by test_kubernetes.py: a burst of a minute, for a worker to be killed in."""

import time

import pandas as pd

import helio_burst as hb


def slow_square(row):
    """Return the square of a row's number, after half a second."""
    time.sleep(0.5)
    return float(row.number**2)


files = pd.DataFrame({"datakey": [f"item-{number}" for number in range(240)], "number": range(240)})
with hb.open_cluster("gateway", 2, cores=1, memory="1 GiB") as client:
    client.wait_for_workers(2, timeout=600)
    print("STARTED", flush=True)
    outcome = hb.map_files(slow_square, files, read=hb.readers.row, client=client)
squares = outcome.to_xarray(name="square", dim="item")["square"]
print(f"ANSWER {squares.size} {float(squares.sum())} {len(outcome.failures)}", flush=True)
