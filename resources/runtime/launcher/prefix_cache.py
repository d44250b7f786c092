"""Has mlx_vlm's prefix cache serve conversations about pictures.

For a model with the plain KV cache (Qwen2-VL and most others) mlx_vlm 0.7.10 keeps prompts as
blocks, and gives none of them back when a picture is among them (`apc_lookup_plan`, `apc.py`):
every follow-up question would read the whole conversation anew. Its other way, a checkpoint of the
whole prompt under the hash of its pictures, is what other models have. Here all have it.
"""

from typing import Any

from mlx_vlm import apc, apc_adapters
from other_version import other_version


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    plan = apc_adapters.PrefixCachePlan
    as_expected = isinstance(getattr(plan, "strategy", None), property)
    if not as_expected or not hasattr(apc, "self_check_model_apc"):
        raise other_version("its prefix cache has changed")
    plan.strategy = property(lambda self: "checkpoint" if self.restorable else None)
    self_check = apc.self_check_model_apc

    def check_own_caches(model: Any, **options: Any) -> Any:
        """Not for the plain cache: the check calls it an error, though the cache serves it."""
        has_own = hasattr(getattr(model, "language_model", model), "make_cache")
        return self_check(model, **options) if has_own else None

    apc.self_check_model_apc = check_own_caches
