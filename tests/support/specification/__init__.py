"""The examples of the specification as scripts."""
