"""What processes count, and how it comes together."""
