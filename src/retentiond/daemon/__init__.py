"""The service: runs on a schedule, tells systemd how it is, and is the one floor (with the command line) that reads the clock."""
