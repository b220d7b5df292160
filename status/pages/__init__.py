"""The pages of the system's state: shells, and what their scripts ask beside the API."""
