"""Asks a server through the official Python client; prints what it said, as JSON, for the test.

python openai_client.py BASE_URL DATA_URL
"""

import json
import sys

from openai import BadRequestError, OpenAI

base_url, image = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key="sk-local", max_retries=0)
content = [
    {"type": "text", "text": "What is in this image?"},
    {"type": "image_url", "image_url": {"url": image}},
]
question = {"model": "demo", "messages": [{"role": "user", "content": content}]}

whole = client.chat.completions.create(**question)
streamed = ""
with client.chat.completions.create(**question, stream=True) as stream:
    for chunk in stream:
        streamed += chunk.choices[0].delta.content or ""
turns = [
    *question["messages"],
    {"role": "assistant", "content": whole.choices[0].message.content},
    {"role": "user", "content": "What color is it?"},
]
follow_up = client.chat.completions.create(model="demo", messages=turns)
try:
    client.chat.completions.create(**question, temperature=3)
    error = None
except BadRequestError as refused:
    error = {"param": refused.param, "message": refused.body["message"]}

print(
    json.dumps(
        {
            "whole": whole.choices[0].message.content,
            "finish_reason": whole.choices[0].finish_reason,
            "streamed": streamed,
            "follow_up": follow_up.choices[0].message.content,
            "error": error,
        }
    )
)
