"""What happens when a part fails: real servers, real clients, real faults."""
