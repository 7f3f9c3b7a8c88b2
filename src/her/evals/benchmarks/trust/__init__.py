"""What makes a number trustworthy: intervals, paired differences, agreement, panels, controls. Pure functions."""
