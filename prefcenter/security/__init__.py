"""Keys and what is made with them, from `cryptography` and the standard library's `hmac` only."""
