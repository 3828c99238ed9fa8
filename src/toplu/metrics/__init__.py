"""The figures that monitors read: their names, their labels, and the text that they are written as.

`measured` is counted as it happens, by whoever does it; `readings` are read when somebody asks.
Labels have bounds: models and servers of the settings, routes of the code, states, codes, and so
many projects. None is of a batch or a key.
"""
