#!/bin/bash
# One shard of a shelf per array task. Tasks share nothing but the shelf: each has a run folder and a ledger of its own.
# A task that was killed or ran out of time goes on where it was when it is submitted again (--array=3, say).
#
#   export SHELF=shelf.jsonl RUNS=runs/shelf SHARDS=16 TEACHER=openai:MODEL@http://HOST:8000/v1
#   shards=$(sbatch --parsable --array=1-"$SHARDS" recipes/slurm/shard.sh)
#   sbatch --dependency=afterok:"$shards" recipes/slurm/merge.sh
#
#SBATCH --job-name=her-shard
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --output=%x-%A-%a.log
set -euo pipefail

: "${SHELF:?a shelf, one book a line}" "${RUNS:?the folder of all runs}" "${TEACHER:?a model}"
: "${SHARDS:?in how many parts the shelf is dealt}" "${SLURM_ARRAY_TASK_ID:?submit this with --array=1-N}"
read -r -a options <<<"${HER_OPTIONS:-}"

part="$SLURM_ARRAY_TASK_ID"
her synth "$SHELF" --teacher "$TEACHER" --out "$RUNS/shard-$part" --shard "$part/$SHARDS" "${options[@]}"
