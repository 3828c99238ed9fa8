"""Figures that are read when a monitor asks: of engines, of rows, of storage; and the asking."""
