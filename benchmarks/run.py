"""Runs the benchmarks and prints their figures: `make bench` and `make bench-full`.

run.py [--size tiny|selection|full] [--list] [B1 B2 …], without names those of the size
"""

import argparse
import time

import batch_throughput
import command_start
import control_plane
import dry_run
import embedding_throughput
import first_token
import idle_connections
import ingest
import inline_results
import interference
import job_gain
import metrics_scrape
import polling
import prefix_reuse
import repeated_requests
import scheduling
import server_limit
import server_limit_http
import structured_decoding
import tiny_job
import tracing_cost
import vllm_batches
import vllm_calls
import worker_scaling
from benchmark import Benchmark
from sizes import Size
from targets import at_least, at_most

BENCHMARKS = (
    Benchmark(
        name="B1",
        title="batch throughput over the bare engine",
        measure=batch_throughput.measure,
        targets={"tokens_per_cpu_second_ratio": at_least(0.97)},
    ),
    Benchmark(
        name="B2",
        title="what is read once of what requests share",
        measure=prefix_reuse.measure,
        targets={
            **{f"toplu_{of}_4_lanes": at_least(0.97) for of in ("multirc", "quoref", "few_shot")},
            **{f"toplu_{of}_16_lanes": at_least(0.93) for of in ("multirc", "quoref", "few_shot")},
        },
    ),
    Benchmark(
        name="B3",
        title="what a job of real text gains, beside peers",
        measure=job_gain.measure,
        targets={
            "script_cpu_over_toplu": at_least(2.0),
            "toplu_of_the_bound": at_least(0.9),
            "control_over_file_order": at_least(0.98),
        },
        is_selected=False,
    ),
    Benchmark(
        name="B4",
        title="repeated requests run once",
        measure=repeated_requests.measure,
        targets={"run_over_distinct": at_most(1.0)},
    ),
    Benchmark(
        name="B5",
        title="interactive calls beside a batch",
        measure=interference.measure,
        targets={
            "first_token_ratio": at_most(1.2),
            "between_tokens_ratio": at_most(1.3),
            "batch_over_what_is_left": at_least(0.85),
        },
        is_selected=False,
    ),
    Benchmark(
        name="B6",
        title="makespan over its bound, in virtual time",
        measure=scheduling.makespan,
        targets={
            f"{count}_requests_{lanes}_lanes": at_most(1.03)
            for count, lanes in scheduling.MAKESPANS
        },
    ),
    Benchmark(
        name="B7",
        title="the limit of a server, found in virtual time",
        measure=server_limit.measure,
        targets={
            "worst_share_of_the_best": at_least(0.95),
            "windows_to_0.95_at_most": at_most(30),
            "worst_share_where_some_are_refused": at_least(0.9),
        },
    ),
    Benchmark(
        name="B7-http",
        title="the limit of a server, found over HTTP",
        measure=server_limit_http.measure,
        is_selected=False,
        targets={"requests_lost": at_most(0)},
    ),
    Benchmark(
        name="B8",
        title="late jobs, in virtual time",
        measure=scheduling.deadlines,
        targets={
            "late_feasible_sizes_known": at_most(0.0),
            "late_feasible_sizes_off_by_30_percent": at_most(0.0),
            "late_over_optimum_sizes_known": at_most(1.2),
            "late_over_optimum_sizes_off_by_30_percent": at_most(1.15),
            "late_feasible_sizes_learnt": at_most(0.0),
            "late_over_optimum_sizes_learnt": at_most(1.15),
        },
    ),
    Benchmark(
        name="B9",
        title="a small job beside a huge one, in virtual time",
        measure=scheduling.fair_shares,
        targets={
            **{f"a_job_of_{seconds}_s": at_most(1.1) for seconds in (10, 60, 3600)},
            "gap_of_the_counters": at_most(1.0),
        },
    ),
    Benchmark(
        name="B10",
        title="ingest of a large input",
        measure=ingest.measure,
        targets={
            "cpu_over_limit": at_most(3.0),
            "peak_mib": at_most(250.0),
            "pss_of_all_processes_mib": at_most(450.0),
            "create_to_first_request_seconds": at_most(1.0),
        },
    ),
    Benchmark(
        name="B11",
        title="control plane with an engine that costs nothing",
        measure=control_plane.measure,
        targets={
            "requests_per_second": at_least(8000.0),
            "requests_per_second_over_http": at_least(3000.0),
            "over_the_best_peer": at_least(10.0),
        },
    ),
    Benchmark(
        name="B14",
        title="polling beside a large job",
        measure=polling.measure,
        targets={
            "two_processes_busy_p99_ms": at_most(10.0),
            "two_processes_many_p99_ms": at_most(10.0),
        },
    ),
    Benchmark(
        name="B15",
        title="a batch of one request over the call",
        measure=tiny_job.measure,
        targets={"batch_over_call": at_most(1.05)},
    ),
    Benchmark(
        name="B16",
        title="a second worker",
        measure=worker_scaling.measure,
        targets={"two_over_one": at_least(1.7)},
    ),
    Benchmark(
        name="B21",
        title="what a dry run says, beside what then happens",
        measure=dry_run.measure,
        targets={
            "jobs_within_range_of_tokens": at_least(0.9),
            "jobs_within_range_of_time": at_least(0.9),
            "error_of_prompt_tokens": at_most(0.01),
            "seconds_of_all_lines": at_most(30),
        },
    ),
    Benchmark(
        name="inline-results",
        title="a gigabyte of inline results, fetched by Google's SDK",
        measure=inline_results.measure,
        targets={"more_memory_mib": at_most(100.0)},
    ),
    Benchmark(
        name="metrics",
        title="a scrape of a thousand projects",
        measure=metrics_scrape.measure,
        targets={"median_ms": at_most(50.0), "bytes": at_most(1_000_000)},
    ),
    Benchmark(
        name="tracing",
        title="tracing on over off, processor time",
        measure=tracing_cost.measure,
        targets={"batches_on_over_off": at_most(1.03)},
        is_selected=False,
    ),
    Benchmark(
        name="embeddings",
        title="embeddings over the bare engine",
        measure=embedding_throughput.measure,
        is_selected=False,
    ),
    Benchmark(
        name="first-token",
        title="streaming first-token latency, the bare engine over toplu",
        measure=first_token.measure,
        targets={"first_token_ratio": at_least(0.95)},
        is_selected=False,
    ),
    Benchmark(
        name="B17",
        title="structured over free decoding",
        measure=structured_decoding.measure,
        targets={
            "one_lane_record_ratio": at_least(0.95),
            "one_lane_labels_ratio": at_least(0.9),
            "four_lanes_record_per_cpu_ratio": at_least(0.9),
            "four_lanes_labels_per_cpu_ratio": at_least(0.9),
        },
        is_selected=False,
    ),
    Benchmark(
        name="B18",
        title="start of the command line over the bare interpreter",
        measure=command_start.measure,
        targets={"help_over_bare": at_most(10.0)},
    ),
    Benchmark(
        name="B19",
        title="a batch on a real vLLM, beside a plain client on lines in order",
        measure=vllm_batches.measure,
        targets={
            "ample_toplu_over_sorted_by_seconds": at_least(0.95),
            "ample_toplu_over_script_by_seconds": at_least(1.0),
            "short_toplu_over_sorted_by_seconds": at_least(0.95),
            "short_toplu_over_script_by_seconds": at_least(1.0),
            "short_toplu_reused_of_the_bound": at_least(0.9),
            "unshared_toplu_over_sorted_by_seconds": at_least(0.98),
        },
        is_selected=False,
    ),
    Benchmark(
        name="B20",
        title="interactive calls beside a batch on a real vLLM",
        measure=vllm_calls.measure,
        targets={
            "first_token_ratio": at_most(1.3),
            "batch_over_the_rest": at_least(0.85),
        },
        is_selected=False,
    ),
    Benchmark(
        name="idle-connections",
        title="polling beside silent connections",
        measure=idle_connections.measure,
        targets={"beside_p99_ms": at_most(15.0), "closed": at_most(0)},
    ),
)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--size", type=Size, choices=list(Size), default=Size.SELECTION)
    parser.add_argument("--list", action="store_true", help="tell the names alone")
    wanted = parser.parse_args()
    if unknown := set(wanted.names) - set(names):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    for benchmark in BENCHMARKS:
        is_wanted = benchmark.name in wanted.names
        if not wanted.names:
            is_wanted = benchmark.is_selected or wanted.size is not Size.SELECTION
        if is_wanted and wanted.list:
            print(benchmark.name, benchmark.title)
        elif is_wanted:
            run(benchmark, wanted.size)


def run(benchmark: Benchmark, size: Size) -> None:
    """Print each figure, and where it has a target, whether that is hit."""
    print(f"{benchmark.name} {benchmark.title}", flush=True)
    began = time.monotonic()
    for name, figure in benchmark.measure(size).items():
        shown = f"{figure:.3f}" if isinstance(figure, float) else str(figure)
        if (target := benchmark.targets.get(name)) is not None:
            shown = f"{shown:12} {target!s:8} {'hit' if target.is_hit(figure) else 'MISSED'}"
        print(f"  {benchmark.name} {name:44} {shown}", flush=True)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
