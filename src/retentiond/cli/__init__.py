"""The command line: one file per command, one handler for errors, in `main`."""
