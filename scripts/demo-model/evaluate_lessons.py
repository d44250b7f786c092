"""Evaluates the third round of training through a running Sightglass. Does not need torch.

npm start -- --port 18080 --model-path FOLDER --allow-text-only    # in another terminal
python evaluate_lessons.py http://127.0.0.1:18080
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError

from call_cases import call_cases
from client import chat
from json_cases import json_cases
from lesson_questions import Question
from place_cases import page_cases, place_cases

AT_A_TIME = 8


def lesson_cases(n: int) -> dict[str, list[Question]]:
    """All rows, with n questions in a full one."""
    return {**json_cases(n), **call_cases(n), **page_cases(n), **place_cases(n)}


def main() -> None:
    """Asks every question and prints a line for each row."""
    parser = argparse.ArgumentParser(description="Evaluates the third round of the demo model.")
    parser.add_argument("base", help="the address of the service, without /v1")
    parser.add_argument("--n", type=int, default=60, help="questions in a full row")
    parser.add_argument("--show", type=int, default=2, help="wrong answers to print for each row")
    parser.add_argument("--tokens", type=int, default=200, help="the maximum in an answer")
    options = parser.parse_args()

    def ask(question: Question) -> Any:
        try:
            (reply,) = chat(
                options.base, "demo", question.messages, False, options.tokens, **question.more
            )
            return question.read(reply)
        except HTTPError as error:
            return f"{error.code}: {error.read().decode()[:200]}"

    right, asked, began = 0, 0, time.monotonic()
    for name, row in lesson_cases(options.n).items():
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            answers = list(pool.map(ask, row))
        wrong = [(q.wanted, got) for q, got in zip(row, answers) if got != q.wanted]
        asked, right = asked + len(row), right + len(row) - len(wrong)
        print(f"{name:46s} {len(row) - len(wrong):4d} of {len(row)}", flush=True)
        for wanted, got in wrong[: options.show]:
            print(f"      wanted {wanted!r}\n      got    {got!r}")
    print(f"{'all':46s} {right:4d} of {asked} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
