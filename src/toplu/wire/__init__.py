"""Messages of the APIs, one folder for each."""
