"""The replicas that models ought to have for the work that waits; the contract of who has them."""
