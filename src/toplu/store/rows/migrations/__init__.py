"""The steps that built the tables; run whenever a database is opened."""
