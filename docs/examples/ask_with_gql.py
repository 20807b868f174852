"""Ask before a send, and report an opt-out, with the library `gql`.

python ask_with_gql.py URL KEY OPERATIONS, where OPERATIONS is the directory graphql/operations: a server in production
mode runs the documents that ship with it, and no others.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.httpx import HTTPXTransport


def main(url: str, key: str, operations: Path) -> None:
    transport = HTTPXTransport(url=url, headers={"Authorization": f"Bearer {key}"})
    with Client(transport=transport) as session:

        def run(operation: str, **wanted: Any) -> dict[str, Any]:
            text = (operations / f"{operation}.graphql").read_text(encoding="utf-8")
            variables = {"input": {"controller": "opencontact", **wanted}}
            return dict(session.execute(GraphQLRequest(text, variable_values=variables)))

        message = {"purpose": "client-marketing", "channel": "email", "addressClass": "business"}
        people = ["pat@acme.example", "kim@initech.example"]
        told = run("opt-out", whom={"address": "Kim@Initech.example"}, source="crm-form", idempotencyKey="form-4711")
        print("opt-out:", told["optOut"]["outcome"])
        for person, decision in zip(people, run("decisions", **message, addresses=people)["decisions"], strict=True):
            # Send only on a clear yes; whatever else comes, or fails to come, is a no.
            verdict = "send" if decision["allowed"] is True else f"do not send ({decision['reason']})"
            print(f"{person}: {verdict}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
