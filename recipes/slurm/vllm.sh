#!/bin/bash
# A teacher on every GPU of one node, and one process that asks them all: several endpoints are one model.
#
#   SHELF=shelf.jsonl RUNS=runs/shelf MODEL=Qwen/Qwen3-8B sbatch --gres=gpu:4 recipes/slurm/vllm.sh
#
#SBATCH --job-name=her-vllm
#SBATCH --nodes=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

: "${SHELF:?a shelf, one book a line}" "${RUNS:?the folder of all runs}" "${MODEL:?a model that vLLM serves}"
read -r -a options <<<"${HER_OPTIONS:-}"
servers="${SERVERS:-${SLURM_GPUS_ON_NODE:?submit this with --gres=gpu:N}}"
port="${PORT:-8000}"

trap 'jobs -pr | xargs -r kill 2>/dev/null || true' EXIT
urls=()
for ((i = 0; i < servers; i++)); do
  CUDA_VISIBLE_DEVICES="$i" vllm serve "$MODEL" --host 127.0.0.1 --port "$((port + i))" >"vllm-$i.log" 2>&1 &
  urls+=("http://127.0.0.1:$((port + i))/v1")
done
for url in "${urls[@]}"; do
  until curl --silent --fail --output /dev/null "$url/models"; do
    if [[ "$(jobs -pr | wc -l)" -lt "$servers" ]]; then
      echo "a server ended before it answered; see vllm-*.log" >&2
      exit 1
    fi
    sleep 2
  done
done

# The ports are part of the model's name: keep PORT and the number of servers, and a second job pays for nothing again.
teacher="openai:$MODEL@$(
  IFS=,
  echo "${urls[*]}"
)"
her synth "$SHELF" --teacher "$teacher" --out "$RUNS" --concurrency "${CONCURRENCY:-$((64 * servers))}" "${options[@]}"
