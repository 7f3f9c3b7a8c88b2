"""What `her eval` is made of: holding an exam in a run folder, and showing what came of it."""
