"""One call for a cluster: this machine, a gateway, a hub, a batch queue, a running scheduler."""

from helio_burst.cluster.handle import Cluster
from helio_burst.cluster.listing import list_clusters, stop_all
from helio_burst.cluster.opening import open_cluster
from helio_burst.cluster.preflight import check_access, root_cause

__all__ = ["Cluster", "check_access", "list_clusters", "open_cluster", "root_cause", "stop_all"]
