"""HER: make, judge and talk to characters that think.

Text becomes scenes, scenes become two-layer dialogues, dialogues become samples and comparisons, comparisons teach a
judge, the judge teaches a policy, the policy meets readers. Importing this package loads no torch and opens no socket.
"""

__version__ = "0.1.0"
