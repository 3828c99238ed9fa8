"""A self-hosted server that speaks the Gemini Batch API and runs the requests on your models."""
