"""The loop, a file a stage: synthesis, samples, fine-tuning, judges, reinforcement learning, exam, report."""
