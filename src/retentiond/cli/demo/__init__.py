"""The demonstration: a small company's made-up data, and the whole job done on it."""
