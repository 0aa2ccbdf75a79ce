"""Recipes: the only place where rooms meet. Each file is one thing a user does, told in order."""
