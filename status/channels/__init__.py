"""Ways to tell somebody of an alert, each behind the one protocol of `notice.Channel`."""
