"""Warns of a model whose chat template is missing or cannot show images. mlx_vlm does not: it falls
back to plain text, or leaves the images out of the prompt."""

import logging
from typing import Any

from mlx_vlm.prompt_utils import MODEL_CONFIG, MessageFormat

from launcher.chat_template import USER, render
from launcher.template_kwargs import templates_of
from shared.model_folder import NO_TEMPLATE

logger = logging.getLogger("launcher")

WITHOUT_TEMPLATE = (
    MessageFormat.PROMPT_ONLY,
    MessageFormat.PROMPT_WITH_IMAGE_TOKEN,
    MessageFormat.PROMPT_WITH_START_IMAGE_TOKEN,
)
"""Models made for a bare prompt."""

NO_IMAGES = (
    "This model's chat template cannot show images, so their place is missing in the prompt: "
    "requests with images fail, or the model does not see them. Replace its chat_template.jinja by "
    "that of the original vision model."
)


def warn_about_template(processor: Any, config: Any, *, sees_images: bool) -> None:
    """Logs what the client of such a model would notice only by its answers."""
    form = MODEL_CONFIG.get(str(config.model_type).lower())
    if form in WITHOUT_TEMPLATE:
        return
    if not templates_of(processor):
        logger.warning(NO_TEMPLATE)
    elif sees_images and form not in (None, MessageFormat.TEXT_ONLY):
        try:
            shown = render(processor, config, [USER], num_images=1)
            if shown == render(processor, config, [USER]):
                logger.warning(NO_IMAGES)
        except Exception as error:
            # A template that fails is reported by the requests that it fails.
            logger.info("The chat template was not checked for images: %s", error)
