"""Tests of the benches: the peers start and deliver, the report says what the results say."""
