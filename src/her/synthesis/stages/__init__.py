"""The stages of HER that write thoughts: role thinking and system thinking, by turn or by conversation."""
