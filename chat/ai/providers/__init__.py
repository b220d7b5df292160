"""Who answers: providers give async generators of pieces; no type of an SDK leaves its module."""
