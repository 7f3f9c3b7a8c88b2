"""A gathering made by hand, for the tests of FANToM."""

from her.evals.benchmarks.gathering import Gathering

GATHERING = Gathering(
    id="hand-made",
    about="Al",
    away="Alice",
    asks="Where is the key?",
    topic="the place of the key",
    versions=("the key is under the mat",),
    talk="""
    Al: Good morning.
    Alice: I have to go.
    * Alice leaves
    Al: The key is under the mat. [1]
    Bo: Good.
    * Alice returns
    Alice: Hello again.
    """,
)
