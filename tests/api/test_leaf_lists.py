"""The short way for plain lists gives what the library's way gives, whatever is selected, and leaves it the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import strawberry
from hypothesis import given
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from prefcenter.api.leaf_lists import LeafListExecutor
from prefcenter.api.moments import DATE_TIME, DateTime
from prefcenter.api.terms import Reason
from prefcenter.domain.terms import Basis

NOW = 1_795_000_000_000


@strawberry.type
class Inner:
    word: str


@strawberry.type
class Row:
    allowed: bool
    reason: Reason
    basis: Basis | None
    text: str
    maybe: str | None
    count: int
    at: DateTime
    until: DateTime | None
    words: list[str]
    inner: Inner
    id: strawberry.ID

    @strawberry.field
    def computed(self) -> str:
        return self.text.upper()

    @strawberry.field
    async def awaited(self) -> int:
        return self.count + 1

    @strawberry.field
    def repeated(self, times: int = 2) -> str:
        return self.text * times


ROWS = [
    Row(
        allowed=number % 2 == 0,
        reason=[Reason.PERMITTED, Reason.SUPPRESSED, Reason.NO_CONSENT][number % 3],
        basis=None if number % 2 else Basis.CONTRACT,
        text=f"row {number % 4}",
        maybe=None if number % 3 else "here",
        count=number % 5,
        at=DateTime(NOW + number % 2),
        until=None if number % 4 else DateTime(NOW),
        words=["a", f"b{number}"],
        inner=Inner(word=f"w{number}"),
        id=strawberry.ID(str(number)),
    )
    for number in range(12)
]


@strawberry.type
class Query:
    @strawberry.field
    def rows(self) -> list[Row]:
        return ROWS

    @strawberry.field
    def gaps(self) -> list[Row | None]:
        return [ROWS[0], None, ROWS[1]]

    @strawberry.field
    def words(self) -> list[str]:
        return [row.text for row in ROWS]

    @strawberry.field
    def reasons(self) -> list[Reason | None]:
        return [ROWS[0].reason, None, ROWS[1].reason]

    @strawberry.field
    def flags(self) -> list[bool]:
        return [True, False]

    @strawberry.field
    def broken(self) -> list[str]:
        return ["a", None, "b"]  # type: ignore[list-item]

    @strawberry.field
    def broken_rows(self) -> list[Row | None]:
        return [Row(**{**vars(ROWS[0]), "text": None}), ROWS[1]]

    @strawberry.field
    def numbers(self) -> list[int]:
        return [1, True, 2**40]

    @strawberry.field
    def tuple_of_words(self) -> list[str]:
        return ("a", "b")  # type: ignore[return-value]

    @strawberry.field
    def empty(self) -> list[Row]:
        return []


def schema(executor: type[StrawberryGraphQLCoreExecutionContext]) -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        execution_context_class=executor,
        config=StrawberryConfig(scalar_map={DateTime: DATE_TIME}),
    )


SHORT, LONG = schema(LeafListExecutor), schema(StrawberryGraphQLCoreExecutionContext)

PLAIN = ["allowed", "reason", "basis", "text", "maybe", "count", "at", "until", "id", "__typename"]
OTHER = [
    "words",
    "inner { word }",
    "computed",
    "awaited",
    "repeated",
    "repeated(times: 3)",
    "other: repeated(times: 1)",
]
FIELDS = st.one_of(
    st.sampled_from(PLAIN),
    st.sampled_from(PLAIN).map(lambda name: f"x_{name.strip('_')}: {name}"),
    st.sampled_from([f"{name} @skip(if: $yes)" for name in PLAIN[:3]]),
    st.sampled_from([f"{name} @include(if: $no)" for name in PLAIN[3:6]]),
    st.sampled_from(["... on Row { text }", "... { count at }", "...F", "...F @skip(if: $yes)"]),
    st.sampled_from(OTHER),
)
ROOTS = st.sampled_from(["rows", "gaps", "brokenRows", "empty"])


def both(document: str) -> list[tuple[Any, Any]]:
    variables = {"yes": True, "no": False}

    async def run() -> list[tuple[Any, Any]]:
        results = [await one.execute(document, variables) for one in (SHORT, LONG)]
        return [(result.data, [error.formatted for error in result.errors or ()]) for result in results]

    return asyncio.run(run())


@given(ROOTS, st.lists(FIELDS, min_size=1, max_size=6))
def test_any_selection_is_answered_alike(root: str, fields: Sequence[str]) -> None:
    document = f"query Q($yes: Boolean!, $no: Boolean!) {{ {root} {{ {' '.join(fields)} }} }}"
    if "...F" in document:
        document += " fragment F on Row { reason until }"
    short, long = both(document)
    assert short == long


def test_lists_of_plain_values_are_answered_alike() -> None:
    for name in ("words", "reasons", "flags", "broken", "numbers", "tupleOfWords"):
        short, long = both(f"{{ {name} }}")
        assert short == long, name


def test_a_list_that_is_plain_takes_the_short_way() -> None:
    """The library gives each item a path of its own; the short way never asks for one."""
    taken: list[str] = []

    class Watched(LeafListExecutor):
        def complete_list_item_value(self, *arguments: Any, **named: Any) -> bool:
            taken.append("long")
            return super().complete_list_item_value(*arguments, **named)

    watched = schema(Watched)
    asyncio.run(watched.execute("{ rows { allowed reason basis at __typename } words }"))
    assert taken == []
    asyncio.run(watched.execute("{ rows { computed } }"))
    assert taken == ["long"] * len(ROWS)
