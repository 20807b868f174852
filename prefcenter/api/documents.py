"""Documents: which are trusted, and what was found out about each when it was first seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    print_ast,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension

from prefcenter.api.limits import DocumentLimits, check_document, limit_error
from prefcenter.domain.errors import InvalidInput

DOCUMENT_ID_PREFIX = "sha256:"
CACHED_DOCUMENTS_MAX = 256
VALIDATION_ERRORS_MAX = 5


class UntrustedDocument(InvalidInput):
    """A document that this server does not run."""

    code = "untrusted_document"

    def __init__(self) -> None:
        super().__init__("query: this server runs only the documents that it knows; name one by its documentId")


def document_id(text: str) -> str:
    """How a document is named: `sha256:` and the hash of its text without the blanks around it."""
    return DOCUMENT_ID_PREFIX + hashlib.sha256(text.strip().encode()).hexdigest()


def graphql_directory() -> Path:
    """The schema and the operations that ship: the wheel carries them in this package, a checkout under graphql/."""
    packaged = Path(__file__).with_name("graphql")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "graphql"


def operation_files(directory: Path) -> Sequence[Path]:
    return sorted(directory.glob("*.graphql"))


@dataclass(frozen=True)
class TrustedDocuments:
    """Documents by id. `admits_any`: others are run too, which suits development."""

    texts: Mapping[str, str]
    admits_any: bool = False

    @classmethod
    def read(cls, *directories: Path, admits_any: bool = False) -> TrustedDocuments:
        """The documents of the files `*.graphql` of directories."""
        files = (file for directory in directories for file in operation_files(directory))
        texts = (file.read_text(encoding="utf-8").strip() for file in files)
        return cls({document_id(text): text for text in texts}, admits_any)

    def text_of(self, name: str) -> str:
        """The text of a document by its id, with or without the prefix. Raises UntrustedDocument."""
        text = self.texts.get(name if name.startswith(DOCUMENT_ID_PREFIX) else DOCUMENT_ID_PREFIX + name)
        if text is None:
            raise UntrustedDocument
        return text

    def admits(self, document: DocumentNode) -> bool:
        """Whether it is one of them, however it is laid out: many clients print a document anew before they send it."""
        return self.admits_any or document_id(print_ast(document)) in self._printed_ids

    @cached_property
    def _printed_ids(self) -> frozenset[str]:
        return frozenset(document_id(print_ast(parse(text))) for text in self.texts.values())


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with what validation found; any fault: it is not executed."""

    document: DocumentNode
    faults: tuple[GraphQLError, ...]
    operations: tuple[str | None, ...]

    def has_operation(self, name: str | None) -> bool:
        """Whether a name, or none, says which operation is meant (GraphQL §6.1, GetOperation)."""
        return len(self.operations) == 1 if name is None else name in self.operations


class DocumentDesk:
    """Parses, measures and validates each document once; the last few hundred are remembered."""

    def __init__(self, trusted: TrustedDocuments, limits: DocumentLimits, *, introspection: bool) -> None:
        self.trusted = trusted
        self._limits = limits
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self.prepared: Callable[[GraphQLSchema, str], Prepared] = lru_cache(CACHED_DOCUMENTS_MAX)(self._prepared)

    def _prepared(self, schema: GraphQLSchema, text: str) -> Prepared:
        """Raises GraphQLError where the document is not trusted, cannot be parsed or asks for too much."""
        if len(text) > self._limits.characters_max:
            raise limit_error("characters", self._limits.characters_max)
        document = self._parsed(text)
        if document is None or not self.trusted.admits(document):
            raise GraphQLError("untrusted", original_error=UntrustedDocument())
        check_document(document, self._limits)
        faults = validate(schema, document, self._rules, max_errors=VALIDATION_ERRORS_MAX, hide_suggestions=True)
        operations = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        names = tuple(operation.name.value if operation.name else None for operation in operations)
        return Prepared(document, tuple(faults), names)

    def _parsed(self, text: str) -> DocumentNode | None:
        """None for what cannot be parsed on a server to which all but its own documents are the same."""
        try:
            return parse(
                text,
                max_lexical_tokens=self._limits.tokens_max,
                max_comments=self._limits.comments_max,
                allow_empty_selection_sets=False,
            )
        except GraphQLSyntaxError:
            if self.trusted.admits_any:
                raise
            return None


class PreparedDocument(SchemaExtension):
    """Hands the library a document that was parsed and validated before, over HTTP and WebSocket alike.

    Whether the document is to be run at all was checked before: the library takes no errors from here.
    """

    def __init__(self, prepared: Callable[[str], Prepared]) -> None:
        self._look_up = prepared
        self._faults: tuple[GraphQLError, ...] = ()

    def on_parse(self) -> Iterator[None]:
        prepared = self._look_up(self.execution_context.query or "")
        self._faults = prepared.faults
        self.execution_context.graphql_document = prepared.document
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = list(self._faults)
        yield
