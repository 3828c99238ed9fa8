"""The settings of where rows and bytes are."""
