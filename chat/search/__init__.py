"""Finding memories by what they mean and by the words that they share with a question.

`engine` is the embedder's process: the model, numpy and the index live there and nowhere else, so
that a server pays for none of it. Everything else here is imported by servers and workers and must
not import `engine`. docs/search.md says what is promised.
"""
