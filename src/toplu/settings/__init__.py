"""Every setting, its type, its default and its bounds."""
