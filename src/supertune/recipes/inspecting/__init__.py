"""Rows as a model will see them: made into pieces (`texts`, `written`), and shown (`inspection`, `terminal`)."""
