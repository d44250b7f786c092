"""Sends requests through Pydantic AI and prints the results as JSON. Run by python.client.ts.

python pydantic_ai_client.py BASE_URL DATA_URL chat|responses
"""

import json
import sys
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

base_url, image, api = sys.argv[1:]
Model = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}[api]
model = Model("demo", provider=OpenAIProvider(base_url=base_url, api_key="not needed"))
ask = ["What is in this image?", BinaryContent.from_data_uri(image)]
agent = Agent(model)
painter = Agent(model)


class Picture(BaseModel):
    color: Literal["red", "green", "blue"]


@painter.tool_plain
def paint(color: str) -> str:
    """Paints over the picture."""
    return "painted"


complete = agent.run_sync(ask)
streamed = agent.run_stream_sync(ask)
follow_up = agent.run_sync("What color is it?", message_history=complete.all_messages())
call = ToolCallPart("paint", {"color": "red"}, tool_call_id="call_1")
result = ToolReturnPart("paint", "painted", tool_call_id="call_1")
after_tool = painter.run_sync(
    message_history=[
        ModelRequest([UserPromptPart(ask)]),
        ModelResponse([call]),
        ModelRequest([result]),
    ]
)
with_tool = painter.run_sync(ask)
picture = agent.run_sync(ask, output_type=NativeOutput(Picture))
try:
    agent.run_sync(ask, model_settings={"temperature": 3})
    error = None
except ModelHTTPError as refusal:
    error = str(refusal)

print(
    json.dumps(
        {
            "complete": complete.output,
            "streamed": "".join(streamed.stream_text(delta=True)),
            "usage": complete.usage.output_tokens == streamed.usage.output_tokens,
            "follow_up": follow_up.output,
            "with_tool": with_tool.output,
            "after_tool": after_tool.output != "",
            "fits": isinstance(picture.output, Picture),
            "error": error,
        }
    )
)
