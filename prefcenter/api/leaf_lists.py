"""Lists of plain values, and of objects that have only plain fields, completed in one pass.

The library completes a list field by field and value by value, each with a path of its own, which takes longer than
the decisions do. Where nothing can be awaited, nothing has arguments and nothing is null that must not be, the answer
is the same without all that; wherever this pass is not sure, it leaves the list to the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    is_leaf_type,
)
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

TYPE_NAME = "__typename"
DEFINITION = "strawberry-definition"


class NotPlain(Exception):
    """A list that has to go the library's way."""


@dataclass(frozen=True)
class _Column:
    """One field of the rows: its name in the answer, how a row's value is read, and how it is written."""

    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    is_required: bool

    def values(self, rows: Sequence[Any]) -> list[Any]:
        return _written(map(self.read, rows), self.write, self.is_required)


class LeafListExecutor(StrawberryGraphQLCoreExecutionContext):
    """The library's executor with a short way for plain lists."""

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: Any,
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        try:
            if isinstance(items, list):
                return self._plain(item_type, field_details_list, items)
        except NotPlain:
            pass
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def _plain(self, item_type: GraphQLOutputType, field_details_list: Any, items: list[Any]) -> list[Any]:
        is_required = isinstance(item_type, GraphQLNonNull)
        named = item_type.of_type if isinstance(item_type, GraphQLNonNull) else item_type
        if is_leaf_type(named):
            return _written(items, _writer(named), is_required)
        if not isinstance(named, GraphQLObjectType):
            raise NotPlain
        definition = named.extensions.get(DEFINITION)
        if not isinstance(definition, StrawberryObjectDefinition) or set(map(type, items)) - {definition.origin}:
            raise NotPlain
        columns = self._columns(named, field_details_list)
        names = [column.name for column in columns]
        rows = zip(*(column.values(items) for column in columns), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _columns(self, object_type: GraphQLObjectType, field_details_list: Any) -> list[_Column]:
        collected = self.collect_subfields(object_type, field_details_list)
        if collected.new_defer_usages or not collected.grouped_field_set:
            raise NotPlain
        return [
            _column(object_type, name, details[0].node.name.value)
            for name, details in collected.grouped_field_set.items()
        ]


def _column(object_type: GraphQLObjectType, name: str, field_name: str) -> _Column:
    if field_name == TYPE_NAME:
        return _Column(name, lambda _: object_type.name, _writer(GraphQLString), is_required=True)
    core = object_type.fields[field_name]
    is_required = isinstance(core.type, GraphQLNonNull)
    leaf = core.type.of_type if isinstance(core.type, GraphQLNonNull) else core.type
    plain = core.extensions.get(DEFINITION)
    if not is_leaf_type(leaf) or not isinstance(plain, StrawberryField) or not plain.is_basic_field or core.args:
        raise NotPlain
    return _Column(name, attrgetter(plain.python_name), _writer(leaf), is_required)


def _writer(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    write: Callable[[Any], Any] = leaf.coerce_output_value
    return write


def _written(values: Iterable[Any], write: Callable[[Any], Any], is_required: bool) -> list[Any]:
    """The values as the wire has them. Few differ, so each is written once; the type keeps 1 apart from true."""
    known: dict[tuple[type, Any], Any] = {}
    written = []
    try:
        for value in values:
            key = (type(value), value)
            if key not in known:
                known[key] = None if value is None and not is_required else _one(value, write)
            written.append(known[key])
    except TypeError as error:
        raise NotPlain from error
    return written


def _one(value: Any, write: Callable[[Any], Any]) -> Any:
    """One value as the wire has it. Whatever is amiss with it, the library finds and reports."""
    if value is None:
        raise NotPlain
    try:
        return write(value)
    except Exception as error:
        raise NotPlain from error
