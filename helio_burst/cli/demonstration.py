"""The whole line on one machine: an archive in an S3 server, a job on a local cluster, a plot."""
