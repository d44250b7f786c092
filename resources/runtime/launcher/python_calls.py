"""Tool calls written as Python, such as `[name(key="value")]`."""

import ast
import re

from launcher.call_json import InsideValueError, scan
from launcher.written_calls import Prepared, ReadOptions

CONSTANTS = {"true": True, "false": False, "null": None}


class Constants(ast.NodeTransformer):
    """Makes JSON's constants in a Python expression Python's."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(CONSTANTS[node.id]) if node.id in CONSTANTS else node


PYTHON_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def prepare_pythonic(body: str, options: ReadOptions) -> Prepared:
    text = body.strip()
    expression = _python(text)
    if expression is None:
        found = scan(text if text.startswith("[") else f"[{text}]", "\"'")
        if found.in_string:
            raise InsideValueError("The text ends inside a string.")
        if not options.repair:
            raise ValueError("It is not Python.")
        text = PYTHON_STRING.sub(lambda string: string[0].replace("\n", "\\n"), text)
        expression = _python(text)
        if expression is None:
            text = found.fixed + found.open
            expression = _python(text)
        if expression is None:
            return [_with_apostrophes(text, options)], None, ""
    if options.repair:
        if isinstance(expression, ast.Call):
            expression = ast.List([expression], ast.Load())
        text = ast.unparse(Constants().visit(expression))
    return [text], None, ""


def _python(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _with_apostrophes(text: str, options: ReadOptions) -> str:
    """A text that mlx_vlm's parser tolerates: strings with their own quotation marks in them. Those
    within words are apostrophes; any other may be the end of the string."""
    call = options.call_format.module.parse_tool_call(text)
    for value in call["arguments"].values():
        is_several = isinstance(value, tuple)
        if is_several or (isinstance(value, str) and re.search(r"\B['\"]|['\"]\B", value)):
            raise ValueError("A string may end in several places.")
    return text
