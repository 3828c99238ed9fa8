"""LiteLLM's Gemini provider: `litellm_google.py URL` prints what it was answered as JSON."""

import json
import sys

import litellm

answer = litellm.completion(
    model="gemini/gemini-2.5-flash",
    api_base=f"{sys.argv[1]}/v1beta",
    api_key="any",
    messages=[{"role": "user", "content": "one two three"}],
    temperature=0,
)
print(
    json.dumps(
        {
            "text": answer.choices[0].message.content,
            "finish": answer.choices[0].finish_reason,
            "tokens": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        }
    )
)
