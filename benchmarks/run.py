"""Runs the benchmarks and prints their figures: `make bench` and `make bench-full`."""

import sys

import batch_throughput
import control_plane
import embedding_throughput
import first_token
import ingest
import interference
import peer_control
import peer_job
import polling
import prefix_reuse
import repeated_requests
import scheduling
import structured_decoding
import tiny_job

BENCHMARKS = {
    "batch throughput over the bare engine": batch_throughput.measure,
    "embeddings over the bare engine": embedding_throughput.measure,
    "control plane with the echo engine": control_plane.measure,
    "streaming first-token latency over the bare engine": first_token.measure,
    "interactive calls beside a batch": interference.measure,
    "scheduling in virtual time": scheduling.measure,
    "prefix reuse of a batch over the limit": prefix_reuse.measure,
    "ingest: order over the least that reads": ingest.measure,
    "structured over free decoding": structured_decoding.measure,
    "repeated requests run once": repeated_requests.measure,
    "polling beside a large job": polling.measure,
    "a batch of one request over the call": tiny_job.measure,
}

# These need what people run instead, see `make .peers/ready`, and text that is fetched.
BESIDE_PEERS = {
    "peers: questions about shared passages": peer_job.measure_shared,
    "peers: questions that share nothing": peer_job.measure_control,
    "peers: control plane": peer_control.measure,
}


def main() -> None:
    """Run those that the command line names a part of, or all; those beside peers with --full."""
    wanted = [word for word in sys.argv[1:] if word != "--full"]
    benchmarks = BENCHMARKS | BESIDE_PEERS if "--full" in sys.argv else BENCHMARKS
    for title, measure in benchmarks.items():
        if wanted and not any(word in title for word in wanted):
            continue
        print(title, flush=True)
        for name, figure in measure().items():
            shown = f"{figure:.3f}" if isinstance(figure, float) else figure
            print(f"  {name:32} {shown}", flush=True)


if __name__ == "__main__":
    main()
