"""Child processes of engines: started, watched, replaced."""
