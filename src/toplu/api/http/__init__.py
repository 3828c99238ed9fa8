"""HTTP that every API shares: keys, errors, paging, bodies."""
