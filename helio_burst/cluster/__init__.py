"""One call for a cluster: this machine, a gateway, a hub, a batch queue, a running scheduler."""

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.opening import open_cluster

__all__ = ["Cluster", "open_cluster"]
