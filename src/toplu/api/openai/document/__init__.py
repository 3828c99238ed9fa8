"""The OpenAPI document of OpenAI's API, as it is served here."""
