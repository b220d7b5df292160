"""RFC 6455, held against the Autobahn test suite's own cases: `make conformance`."""
