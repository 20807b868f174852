"""Keys and what is made with them, from `cryptography`, PyJWT and the standard library's `hmac` only."""
