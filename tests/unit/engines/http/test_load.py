"""The load of a server is read from whatever it calls its figures."""

import pytest

from toplu.engines.http.load import ServerLoad, Software, read_load

VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a {model}"} 12.0
vllm:num_requests_waiting{engine="0",model_name="a {model}"} 3.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 1.6e+03
vllm:prefix_cache_hits_created{engine="0",model_name="m"} 1.79e+09
vllm:num_preemptions_total{engine="0",model_name="m"} 2.0
vllm:cache_config_info{block_size="16",enable_prefix_caching="True",num_gpu_blocks="100"} 1.0
vllm:time_to_first_token_seconds_bucket{le="+Inf",model_name="m"} 4.0
"""
SGLANG = """sglang:num_running_reqs{model_name="m"} 8.0
sglang:num_queue_reqs{model_name="m"} 4.0
sglang:token_usage{model_name="m"} 0.5
sglang:max_total_num_tokens{model_name="m"} 4096.0
sglang:cached_tokens_total{model_name="m"} 64.0
"""
LLAMA_CPP = "llamacpp:requests_processing 4\nllamacpp:requests_deferred 1\n"


def test_vllm_tells_its_memory_and_what_it_reuses() -> None:
    assert read_load(VLLM) == ServerLoad(
        software=Software.VLLM,
        running=12,
        waiting=3,
        memory_used=0.25,
        memory_tokens=1600,
        keeps_prefixes=True,
        preemptions=2,
        tokens_from_cache=1600,
    )


def test_the_memory_that_vllm_counts_itself_goes_before_its_blocks() -> None:
    told = VLLM.replace('num_gpu_blocks="100"', 'num_gpu_blocks="100",kv_cache_size_tokens="900"')
    load = read_load(told)
    assert load is not None
    assert load.memory_tokens == 900


def test_the_engines_of_one_server_are_summed() -> None:
    load = read_load(VLLM + VLLM.replace('engine="0"', 'engine="1"').replace("0.25", "0.75"))
    assert load is not None
    assert (load.running, load.waiting, load.memory_tokens) == (24, 6, 3200)
    assert load.memory_used == 0.75


def test_sglang_and_llama_cpp_have_names_of_their_own() -> None:
    assert read_load(SGLANG) == ServerLoad(
        software=Software.SGLANG,
        running=8,
        waiting=4,
        memory_used=0.5,
        memory_tokens=4096,
        tokens_from_cache=64,
    )
    assert read_load(LLAMA_CPP) == ServerLoad(software=Software.LLAMA_CPP, running=4, waiting=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>It works!</html>",
        "python_gc_objects_collected_total 3",
        'vllm:num_requests_running{a="b"} 1.0',
        "vllm:num_requests_running 1.0\nvllm:num_requests_waiting NaN",
    ],
)
def test_anything_else_is_no_load(text: str) -> None:
    assert read_load(text) is None
