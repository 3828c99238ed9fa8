"""A self-hosted server that speaks the Gemini Batch API and runs the requests on your models."""

__version__ = "0.1.0"
