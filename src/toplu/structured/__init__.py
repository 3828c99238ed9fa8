"""Answers of a given form: from a request's schema to the grammar that a model has to follow."""
