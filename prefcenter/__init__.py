"""prefcenter: may we send this, to this address, on this channel, now, and why."""
