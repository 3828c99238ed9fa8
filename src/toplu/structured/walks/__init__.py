"""Walks along grammars: plain answers, and the ways out of those that are begun."""
