"""The batch pipeline, in the order of a job's life: from the create call to the last result."""
