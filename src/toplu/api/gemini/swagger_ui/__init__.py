"""Swagger UI 5.35.0 (npm: swagger-ui-dist) as it was published: what `/docs` loads."""
