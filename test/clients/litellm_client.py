"""Sends requests through LiteLLM and prints the results as JSON. Run by python.client.ts.

python litellm_client.py BASE_URL DATA_URL openai|anthropic

Through Anthropic's API it asks for an object by forcing the model to call a tool that has the
object's schema.
"""

import json
import sys
from typing import Literal

import litellm
from pydantic import BaseModel

litellm.suppress_debug_info = True  # it is printed on stdout
base_url, image, provider = sys.argv[1:]
content = [
    {"type": "text", "text": "What is in this image?"},
    {"type": "image_url", "image_url": {"url": image}},
]
messages = [{"role": "user", "content": content}]
tool = {
    "type": "function",
    "function": {
        "name": "paint",
        "description": "Paints over the picture.",
        "parameters": {"type": "object", "properties": {"color": {"type": "string"}}},
    },
}
call = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "paint", "arguments": '{"color":"red"}'},
}


class Picture(BaseModel):
    color: Literal["red", "green", "blue"]


def ask(**parameters):
    return litellm.completion(
        model=f"{provider}/demo",
        api_base=base_url,
        api_key="not needed",
        num_retries=0,
        **{"messages": messages, **parameters},
    )


def text(**parameters) -> str:
    return ask(**parameters).choices[0].message.content


def fits(answer: str) -> bool:
    return isinstance(Picture.model_validate_json(answer), Picture)


complete = ask()
chunks = list(ask(stream=True, stream_options={"include_usage": True}))
streamed = litellm.stream_chunk_builder(chunks)
turns = [
    *messages,
    {"role": "assistant", "content": complete.choices[0].message.content},
    {"role": "user", "content": "What color is it?"},
]
after_tool = [
    *messages,
    {"role": "assistant", "content": None, "tool_calls": [call]},
    {"role": "tool", "tool_call_id": "call_1", "content": "painted"},
]
try:
    ask(temperature=3)
    error = None
except litellm.BadRequestError as refusal:
    error = str(refusal)

print(
    json.dumps(
        {
            "complete": complete.choices[0].message.content,
            "streamed": streamed.choices[0].message.content,
            "usage": complete.usage.completion_tokens == streamed.usage.completion_tokens,
            "follow_up": text(messages=turns),
            "with_tool": text(tools=[tool]),
            "after_tool": text(messages=after_tool, tools=[tool]) != "",
            "fits": fits(text(response_format=Picture, max_tokens=60)),
            "error": error,
        }
    )
)
