"""Pages and search engines."""
