"""The pages that people open: sign-in and the workspace. Data comes over the socket and REST."""
