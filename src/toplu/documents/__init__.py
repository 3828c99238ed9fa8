"""What a document says: its bytes read as text that any text model takes."""
