"""What one document may ask for: depth, aliases, fields and cost, measured in one pass that meets each node once.

Fragments are measured when they are first met and remembered, so a bomb of fragments that spread each other costs as
much as it is long. The pass runs before the library's validation, some rules of which are quadratic in the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from prefcenter.domain.errors import InvalidInput

LIST_WEIGHTS: Mapping[str, int] = {
    "decisions": 1_000,
    "decisionColumns": 4_000,
    "subjectIds": 1_000,
    "edges": 500,
    "refusals": 5,
}
"""How often what is below a field may stand in an answer; fields that are not named here stand once."""


class LimitExceeded(InvalidInput):
    """A request that asks for more than it may; nothing was executed."""

    code = "limit_exceeded"


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document may be: its text and its tokens before it is parsed, the rest before it is validated."""

    characters_max: int = 20_000
    tokens_max: int = 1_000
    comments_max: int = 200
    depth_max: int = 14
    aliases_max: int = 20
    fields_max: int = 300
    directives_max: int = 50
    cost_max: int = 30_000
    """Fields of the largest answer that the document can have, lists counted at their full length."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How large a selection is once every fragment is put in place."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    directives: int = 0
    cost: int = 0

    def beside(self, other: Measure) -> Measure:
        return Measure(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.fields + other.fields,
            self.directives + other.directives,
            self.cost + other.cost,
        )


@dataclass
class _Ruler:
    fragments: Mapping[str, FragmentDefinitionNode]
    measured: dict[str, Measure] = field(default_factory=dict)

    def selection(self, selections: SelectionSetNode | None) -> Measure:
        total = Measure()
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total = total.beside(self._field(node))
            elif isinstance(node, FragmentSpreadNode):
                total = total.beside(self._fragment(node.name.value)).beside(_directives(node))
            elif isinstance(node, InlineFragmentNode):
                total = total.beside(self.selection(node.selection_set)).beside(_directives(node))
        return total

    def _field(self, node: FieldNode) -> Measure:
        below = self.selection(node.selection_set)
        return Measure(
            1 + below.depth,
            (node.alias is not None) + below.aliases,
            1 + below.fields,
            len(node.directives or ()) + below.directives,
            1 + LIST_WEIGHTS.get(node.name.value, 1) * below.cost,
        )

    def _fragment(self, name: str) -> Measure:
        """A fragment that is being measured already, or is not there, counts for nothing: validation refuses it."""
        if name not in self.measured:
            self.measured[name] = Measure()
            fragment = self.fragments.get(name)
            if fragment is not None:
                self.measured[name] = self.selection(fragment.selection_set)
        return self.measured[name]


def check_document(document: DocumentNode, limits: DocumentLimits) -> None:
    """Raise GraphQLError where an operation asks for too much."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    ruler = _Ruler(fragments)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            _check(ruler.selection(node.selection_set).beside(_directives(node)), limits)


def limit_error(what: str, most: int) -> GraphQLError:
    """The error that says which limit was passed, and how high it is."""
    cause = LimitExceeded(f"{what}: {most:,} at most")
    return GraphQLError(str(cause), original_error=cause)


def _check(measure: Measure, limits: DocumentLimits) -> None:
    for what, size, most in (
        ("depth", measure.depth, limits.depth_max),
        ("aliases", measure.aliases, limits.aliases_max),
        ("fields", measure.fields, limits.fields_max),
        ("directives", measure.directives, limits.directives_max),
        ("cost", measure.cost, limits.cost_max),
    ):
        if size > most:
            raise limit_error(what, most)


def _directives(
    node: FragmentSpreadNode | InlineFragmentNode | OperationDefinitionNode | FragmentDefinitionNode,
) -> Measure:
    return Measure(directives=len(node.directives or ()))
