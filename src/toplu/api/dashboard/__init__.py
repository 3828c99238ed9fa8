"""The page: a server looked at and worked with in a browser. It needs no other program."""
