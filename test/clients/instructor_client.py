"""Sends requests through instructor and prints the results as JSON. Run by python.client.ts.

python instructor_client.py BASE_URL DATA_URL chat

What instructor does with tools is to force the model to call one that has the answer's schema.
"""

import json
import sys
from typing import Literal

import instructor
from instructor.core import InstructorRetryException
from openai import OpenAI
from pydantic import BaseModel

base_url, image, _ = sys.argv[1:]
openai = OpenAI(base_url=base_url, api_key="not needed", max_retries=0)
client = instructor.from_openai(openai, mode=instructor.Mode.JSON_SCHEMA)
tool_client = instructor.from_openai(openai, mode=instructor.Mode.TOOLS)


class Picture(BaseModel):
    color: Literal["red", "green", "blue"]


def ask(*turns: dict, through=client.create, answers=None, **parameters):
    content = ["What is in this image?", instructor.Image.from_base64(image)]
    messages = [{"role": "user", "content": content}, *turns]
    return through(
        model="demo",
        messages=messages,
        response_model=answers,
        max_retries=0,
        **parameters,
    )


def text(completion) -> str:
    return completion.choices[0].message.content


def refusal_of(**parameters) -> InstructorRetryException | None:
    try:
        ask(answers=Picture, **parameters)
    except InstructorRetryException as refusal:
        return refusal


complete = ask()
streamed = ask(stream=True)
turns = [
    {"role": "assistant", "content": text(complete)},
    {"role": "user", "content": "What color is it?"},
]
*_, latest = ask(through=client.create_partial, answers=Picture)
print(
    json.dumps(
        {
            "complete": text(complete),
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in streamed),
            "follow_up": text(ask(*turns)),
            "fits": ask(answers=Picture).color == latest.color,
            "fits_as_tool": isinstance(ask(through=tool_client.create, answers=Picture), Picture),
            "error": str(refusal_of(temperature=3)),
        }
    )
)
