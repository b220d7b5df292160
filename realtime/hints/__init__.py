"""What one process tells the others of its commits; `realtime.publisher` is who does it."""
