"""One call for a cluster: this machine, a gateway, a hub, a batch queue, a running scheduler."""
