"""Labels that are probably wrong: found, listed for a person to decide about, and changed as the person decided."""
