#!/bin/bash
# The shards of shard.sh become one run, which then goes on as if one process had made it: gains and the report, with
# nothing asked again. Same environment as shard.sh. A shard that is missing or not finished is named, and nothing is
# written.
#
#SBATCH --job-name=her-merge
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

: "${SHELF:?a shelf, one book a line}" "${RUNS:?the folder of all runs}" "${TEACHER:?a model}"
read -r -a options <<<"${HER_OPTIONS:-}"

her synth merge "$RUNS"/shard-* --out "$RUNS/whole"
her synth "$SHELF" --teacher "$TEACHER" --out "$RUNS/whole" "${options[@]}"
