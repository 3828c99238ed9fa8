"""The engine, files and settings behind the answers of a batch."""
