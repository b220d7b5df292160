"""Who is kept out."""
