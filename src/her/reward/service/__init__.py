"""The scoring service: groups of replies in, rewards out, for trainers that live in another process or environment.

Knows nothing of HTTP: `her.serve` carries bytes to it and back. A reward that is asked for here and one that is
computed in the trainer's own process are the same bits, because both come from `GroupReward`.
"""

from her.reward.service.cohorts import Cohorts, Refused, Tally
from her.reward.service.routes import Answer, Scoring
from her.reward.service.wire import GroupIn, GroupOut, MemberIn, MemberOut, ReplyIn, ReplyOut

__all__ = [
    "Answer",
    "Cohorts",
    "GroupIn",
    "GroupOut",
    "MemberIn",
    "MemberOut",
    "Refused",
    "ReplyIn",
    "ReplyOut",
    "Scoring",
    "Tally",
]
