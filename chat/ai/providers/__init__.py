"""Who answers: each provider is an async generator of pieces; no type of an SDK leaves its module."""
