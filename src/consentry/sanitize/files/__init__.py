"""Files of every format that is read here, streamed; see `run.run_tree`. Importing this imports no pyarrow."""
