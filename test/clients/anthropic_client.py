"""Sends requests through Anthropic's Python client and prints the results as JSON.

Run by python.client.ts:

python anthropic_client.py BASE_URL DATA_URL anthropic
"""

import json
import sys
from typing import Literal

from anthropic import Anthropic, BadRequestError
from pydantic import BaseModel

base_url, image, _ = sys.argv[1:]
client = Anthropic(base_url=base_url, api_key="not needed", max_retries=0)
source = {"type": "base64", "media_type": "image/png", "data": image.split(",")[1]}
content = [
    {"type": "image", "source": source},
    {"type": "text", "text": "What is in this image?"},
]
messages = [{"role": "user", "content": content}]
question = {"model": "demo", "max_tokens": 60, "messages": messages}
tool = {
    "name": "paint",
    "description": "Paints over the picture.",
    "input_schema": {"type": "object", "properties": {"color": {"type": "string"}}},
}
call = {"type": "tool_use", "id": "call_1", "name": "paint", "input": {"color": "red"}}
result = {"type": "tool_result", "tool_use_id": "call_1", "content": "painted"}


class Picture(BaseModel):
    color: Literal["red", "green", "blue"]


def text(**parameters) -> str:
    return client.messages.create(**{**question, **parameters}).content[0].text


complete = client.messages.create(**question)
with client.messages.stream(**question) as stream:
    streamed = "".join(stream.text_stream)
    last = stream.get_final_message()
turns = [
    *messages,
    {"role": "assistant", "content": complete.content},
    {"role": "user", "content": "What color is it?"},
]
after_tool = [
    *messages,
    {"role": "assistant", "content": [call]},
    {"role": "user", "content": [result]},
]
try:
    text(max_tokens=0)
    error = None
except BadRequestError as refusal:
    error = str(refusal)

print(
    json.dumps(
        {
            "complete": complete.content[0].text,
            "streamed": streamed,
            "usage": complete.usage.output_tokens == last.usage.output_tokens,
            "follow_up": text(messages=turns),
            "with_tool": text(tools=[tool]),
            "after_tool": text(messages=after_tool, tools=[tool]) != "",
            "fits": isinstance(
                client.messages.parse(**question, output_format=Picture).parsed_output,
                Picture,
            ),
            "error": error,
        }
    )
)
