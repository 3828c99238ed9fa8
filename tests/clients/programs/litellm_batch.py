"""LiteLLM's calls for files and batches: `litellm_batch.py URL` prints what it saw as JSON."""

import json
import sys
import time

import litellm

SERVER = {
    "custom_llm_provider": "openai",
    "api_base": f"{sys.argv[1]}/openai/v1",
    "api_key": "any",
}
TRIES_MAX = 1000
line = {
    "custom_id": "c",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "one two"}]},
}
answer = litellm.completion(
    model="openai/gemini-2.5-flash",
    api_base=SERVER["api_base"],
    api_key="any",
    messages=[{"role": "user", "content": "one two three"}],
)
file = litellm.create_file(
    file=("input.jsonl", json.dumps(line).encode()), purpose="batch", **SERVER
)
batch = litellm.create_batch(
    completion_window="24h",
    endpoint="/v1/chat/completions",
    input_file_id=file.id,
    **SERVER,
)
for _ in range(TRIES_MAX):
    batch = litellm.retrieve_batch(batch_id=batch.id, **SERVER)
    if batch.status == "completed":
        break
    time.sleep(0.05)
content = litellm.file_content(file_id=batch.output_file_id, **SERVER)
output = json.loads(content.content.splitlines()[0])
print(
    json.dumps(
        {
            "text": answer.choices[0].message.content,
            "status": batch.status,
            "line": output["response"]["body"]["choices"][0]["message"]["content"],
        }
    )
)
