"""Values only: what rules, records and outcomes are. Nothing here reads, writes or looks at a clock."""
