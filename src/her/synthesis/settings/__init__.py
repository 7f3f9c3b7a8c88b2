"""What a scene presupposes: its card, its people's profiles, and what the source adds to them (HER stage 3)."""
