"""A request is tried again after a crash of its engine or the loss of its answer."""
