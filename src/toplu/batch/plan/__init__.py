"""The order of a job's requests, and the shards that it is cut into."""
