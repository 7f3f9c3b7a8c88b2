"""Following: what every process but the first does. It waits for a job, trains along, and waits for the next."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from her.train import engine
from her.train.policy import PolicyJob, run_policy
from her.train.processes import processes
from her.train.sft import SFTJob, run_sft

_JOB: TypeAdapter[SFTJob | PolicyJob] = TypeAdapter(Annotated[SFTJob | PolicyJob, Field(discriminator="kind")])


def follow() -> None:
    """Until the first process says that there is nothing left to do."""
    here = processes()
    while text := here.tell():
        job = _JOB.validate_json(text)
        here.busy = True
        with engine.engine_errors(job.out), engine.quiet():
            if isinstance(job, SFTJob):
                run_sft(job)
            else:
                run_policy(job)
        here.busy = False
