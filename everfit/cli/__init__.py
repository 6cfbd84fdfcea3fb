"""The commands: a composition root, one module a command; nothing heavy is imported before a command runs."""
