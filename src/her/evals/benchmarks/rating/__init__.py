"""People rate dialogues: the blinded packet, the page they rate on, and how far they agree with each other and a judge.

Knows any run that has dialogues. What people are asked stands in `form.py`; who said what is in a key that no rater is
given.
"""
