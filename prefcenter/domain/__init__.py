"""The pure core: no I/O, no clock, no randomness. Times (UTC milliseconds) and ids are arguments."""
