"""Other tools, each run in its own process by the interpreter named in `CONSENTRY_PEERS_PYTHON`."""
