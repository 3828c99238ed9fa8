"""The calls of a client on a job: create, retry, update, cancel."""
