"""Import a list of refusals or of consents (CONTRACTS: Import). Refusals only tighten; nothing is lost on bad rows.

Rows go to the store in short bulk batches. What is wrong with a row is told with file, line and field, and the row goes
to `FILE.invalid.csv`, readable by its owner only, so that it can be mended and imported again.
"""

from __future__ import annotations

from jobs.imports.chunks import BATCH_ROWS
from jobs.imports.invalid_rows import ADDED_HEADINGS, FAULTS_TOLD_MAX
from jobs.imports.plans import GrantImport, ImportReport, RefusalImport
from jobs.imports.running import import_grants, import_refusals

__all__ = [
    "ADDED_HEADINGS",
    "BATCH_ROWS",
    "FAULTS_TOLD_MAX",
    "GrantImport",
    "ImportReport",
    "RefusalImport",
    "import_grants",
    "import_refusals",
]
