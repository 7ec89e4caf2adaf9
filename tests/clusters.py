"""Workers of one cluster on this machine."""

import json
import socket


def cluster_environments(num_workers):
    """The environment variables of each worker of a new cluster, on ports that were free."""
    servers = [socket.create_server(("localhost", 0)) for _ in range(num_workers)]
    workers = [f"localhost:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(num_workers)
    ]
