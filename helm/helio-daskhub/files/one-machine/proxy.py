"""The proxy of a JupyterHub on one machine: configurable-http-proxy, with WebSockets as dashboards need them.

The package of that name on PyPI (0.4) drops the subprotocol that a WebSocket agrees on, so that a browser
refuses the connection and Dask's dashboard stays empty; and it passes binary messages on as text. Takes the
arguments of ``configurable-http-proxy``.
"""

from configurable_http_proxy import cli, configproxy, handlers


class Handler(handlers.ProxyHandler):
    """A connection through the proxy that keeps what both ends say of their WebSocket."""

    def initialize(self, **options):
        """Begin with no message that waits."""
        super().initialize(**options)
        self.early = []

    def select_subprotocol(self, subprotocols):
        """Choose what the server behind the proxy has chosen."""
        return self.ws_client.selected_subprotocol

    def write_message(self, message, binary=False):
        """Send a message to the browser; one that comes before the browser is connected waits for it."""
        if self.ws_connection is None:
            return self.early.append((message, binary))
        return super().write_message(message, binary)

    def open(self, *path):
        """Send what has waited."""
        for message, binary in self.early:
            super().write_message(message, binary)

    def on_message(self, message):
        """Pass a message of the browser on as what it is."""
        if isinstance(message, str):
            super().on_message(message)
        elif self.ws_client is not None:
            self.ws_client.write_message(message, binary=True)


configproxy.ProxyHandler = Handler
cli.main()
