"""OpenAPI documents, made of tables of calls."""
