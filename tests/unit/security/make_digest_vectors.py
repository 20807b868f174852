"""Print `fixtures/digests.toml`: known answers made by the definition in CONTRACTS, with `hmac` and `hashlib` alone.

Nothing of prefcenter is imported here, so that its code and its known answers cannot be wrong together. A test says
when the file is not this output. Run `python tests/unit/security/make_digest_vectors.py > fixtures/digests.toml`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

SECRETS = {1: bytes(range(32)), 2: bytes(range(255, 223, -1))}
CONTROLLERS = ("acme", "one-contact-center")
USES = ("match", "ledger")
KIND_BYTES = {"exact": 1, "mailbox": 2, "phone": 3, "post": 4, "push": 5, "domain": 6}
KIND_BYTES |= {"md5": 7, "sha1": 8, "sha256": 9, "sha512": 10, "contact": 11}
HASHED = ("pat@acme.example", "zoë@acme.example")
FORMS = {
    "exact": (
        "pat@acme.example",
        "p.a.t+news@gmail.com",
        "zoë@acme.example",
        "pat@xn--bcher-kva.example",
        "+442079460123;ext=7",
        "pat example/post:GB|SW1A1AA|10",
        "push:3f9a0c",
    ),
    "mailbox": ("pat@acme.example", "pat@gmail.com", "zoë@acme.example", "pat@xn--bcher-kva.example", ""),
    "phone": ("+442079460123", "+12025550123"),
    "post": ("post:GB|SW1A1AA|10", "post:DE|10115|7"),
    "push": ("push:3f9a0c", "push:" + "x" * 512),
    "domain": ("acme.example", "xn--bcher-kva.example"),
    **{
        name: tuple(hashlib.new(name, text.encode("utf-8")).hexdigest() for text in HASHED)
        for name in ("md5", "sha1", "sha256", "sha512")
    },
    "contact": ("crm-4711", "a.B_c:7~d"),
}


def derived_key(secret: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA-256 without salt, as RFC 5869 sections 2.2 and 2.3 define it."""
    pseudorandom_key = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    output, block, counter = b"", b"", 0
    while len(output) < length:
        counter += 1
        block = hmac.new(pseudorandom_key, block + info + bytes([counter]), hashlib.sha256).digest()
        output += block
    return output[:length]


def keyed_digest(match_key: bytes, kind: str, form: str) -> bytes:
    return hmac.new(match_key, bytes([KIND_BYTES[kind]]) + form.encode("utf-8"), hashlib.sha256).digest()[:16]


def lines() -> Iterator[str]:
    yield "# Known answers of subkeys and digests, made by tests/unit/security/make_digest_vectors.py."
    yield "# The secrets are test data. A changed answer means that every stored suppression would be lost."
    for key_id, secret in SECRETS.items():
        yield f'\n[[key]]\nid = {key_id}\nsecret = "{secret.hex()}"'
    for key_id, secret in SECRETS.items():
        for controller in CONTROLLERS:
            for use in USES:
                subkey = derived_key(secret, f"prefcenter/1/{controller}/{use}".encode())
                yield f'\n[[subkey]]\nkey = {key_id}\ncontroller = "{controller}"\nuse = "{use}"'
                yield f'subkey = "{subkey.hex()}"'
            match_key = derived_key(secret, f"prefcenter/1/{controller}/match".encode())
            for kind, forms in FORMS.items():
                for form in forms:
                    yield f'\n[[digest]]\nkey = {key_id}\ncontroller = "{controller}"\nkind = "{kind}"'
                    yield f"form = {json.dumps(form, ensure_ascii=False)}"
                    yield f'digest = "{keyed_digest(match_key, kind, form).hex()}"'


if __name__ == "__main__":
    print("\n".join(lines()))
