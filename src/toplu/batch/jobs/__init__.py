"""What a client does with a job: create, retry, update, cancel."""
