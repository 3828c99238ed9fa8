"""The dry run of a batch: what is wrong with its input, how large it is, what it will cost."""
