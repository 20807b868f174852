"""GraphQL: what a marketing tool asks before every send. Types, schema, limits and trusted documents; no HTTP."""
