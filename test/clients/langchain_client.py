"""Sends requests through LangChain's ChatOpenAI and prints the results as JSON.

Run by python.client.ts:

python langchain_client.py BASE_URL DATA_URL chat|responses
"""

import json
import operator
import sys
from functools import reduce
from typing import Literal

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import BadRequestError
from pydantic import BaseModel

base_url, image, api = sys.argv[1:]
model = ChatOpenAI(
    model="demo",
    base_url=base_url,
    api_key="not needed",
    max_retries=0,
    use_responses_api=api == "responses",
    stream_usage=True,
)
ask = HumanMessage(
    [
        {"type": "text", "text": "What is in this image?"},
        {"type": "image_url", "image_url": {"url": image}},
    ]
)


class Picture(BaseModel):
    color: Literal["red", "green", "blue"]


@tool
def paint(color: str) -> str:
    """Paints over the picture."""
    return "painted"


def count(message: AIMessage) -> int:
    return message.usage_metadata["output_tokens"]


complete = model.invoke([ask])
chunks = list(model.stream([ask]))
streamed = reduce(operator.add, chunks)
follow_up = model.invoke([ask, complete, HumanMessage("What color is it?")])
call = {"id": "call_1", "name": "paint", "args": {"color": "red"}}
after_tool = [
    ask,
    AIMessage("", tool_calls=[call]),
    ToolMessage("painted", tool_call_id="call_1"),
]
picture = model.with_structured_output(Picture, method="json_schema").invoke([ask])
try:
    model.invoke([ask], temperature=3)
    error = None
except BadRequestError as refusal:
    error = str(refusal)

print(
    json.dumps(
        {
            "complete": complete.text,
            "streamed": streamed.text,
            "usage": count(complete) == count(streamed),
            "follow_up": follow_up.text,
            "with_tool": model.bind_tools([paint]).invoke([ask]).text,
            "after_tool": model.bind_tools([paint]).invoke(after_tool).text != "",
            "fits": isinstance(picture, Picture),
            "error": error,
        }
    )
)
