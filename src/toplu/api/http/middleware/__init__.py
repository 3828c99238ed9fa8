"""ASGI middleware: what every call passes before it reaches its handler."""
