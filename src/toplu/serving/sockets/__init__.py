"""Sockets: the port, and those between the processes of one data folder."""
