"""What a message means to its project: terms, memories, similar issues, what rests on them, and a
summary that follows the conversation. Plain rules, offline; docs/context.md says what is promised.

Used by workers only. Servers import nothing of it but `findings`, which has the shapes.
"""
