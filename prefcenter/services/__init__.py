"""Use cases, one file each, and the ports they need; no HTTP and no SQL here."""
