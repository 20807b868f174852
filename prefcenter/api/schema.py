"""The schema, joined to what it is run with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionContext

from prefcenter.api.context import RequestContext
from prefcenter.api.documents import (
    DocumentDesk,
    Prepared,
    PreparedDocument,
    TrustedDocuments,
    graphql_directory,
)
from prefcenter.api.errors import SHOWN_ERRORS_MAX, as_shown
from prefcenter.api.leaf_lists import LeafListExecutor
from prefcenter.api.limits import DocumentLimits
from prefcenter.api.moments import DATE_TIME, DateTime
from prefcenter.api.mutations import Mutation, Subscription
from prefcenter.api.queries import Query

SCHEMA_FILE = "schema.graphql"
OPERATIONS = "operations"


@dataclass(frozen=True)
class ApiSettings:
    """How the API is run. The defaults are those of production.

    `documents` are directories of further trusted documents; `any_document` runs whatever comes, within the limits.
    `leaf_lists` false completes every list the library's way.
    """

    documents: tuple[Path, ...] = ()
    any_document: bool = False
    introspection: bool = False
    leaf_lists: bool = True
    limits: DocumentLimits = field(default_factory=DocumentLimits)


class PreferenceSchema(strawberry.Schema):
    """The schema with its own desk of documents, and errors that quote nothing."""

    def __init__(self, settings: ApiSettings) -> None:
        operations = graphql_directory() / OPERATIONS
        trusted = TrustedDocuments.read(operations, *settings.documents, admits_any=settings.any_document)
        self.desk = DocumentDesk(trusted, settings.limits, introspection=settings.introspection)
        executor = LeafListExecutor if settings.leaf_lists else StrawberryGraphQLCoreExecutionContext
        super().__init__(
            Query,
            Mutation,
            Subscription,
            extensions=[lambda: PreparedDocument(self.prepared)],
            execution_context_class=executor,
            config=StrawberryConfig(scalar_map={DateTime: DATE_TIME}),
        )

    @property
    def core(self) -> GraphQLSchema:
        """The same schema as graphql-core has it."""
        return self._schema

    def prepared(self, text: str) -> Prepared:
        """A document, parsed and validated. Raises GraphQLError where it is not to be run."""
        return self.desk.prepared(self._schema, text)

    def check_operation(self, text: str, name: str | None) -> None:
        """Raise GraphQLError where a document is not to be run, or has no such operation."""
        if not self.prepared(text).has_operation(name):
            raise GraphQLError("operationName: expected the name of one operation of the document")

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Reword the errors in place: the library asks for it once an answer, over HTTP and WebSocket alike."""
        context = execution_context.context if execution_context else None
        request_id = context.request_id if isinstance(context, RequestContext) else ""
        errors[:] = [as_shown(error, request_id) for error in errors[:SHOWN_ERRORS_MAX]]


def schema_text() -> str:
    """The schema as graphql/schema.graphql keeps it."""
    return PreferenceSchema(ApiSettings()).as_str().rstrip() + "\n"
