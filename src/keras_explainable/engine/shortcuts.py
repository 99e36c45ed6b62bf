"""Methods with their usual postprocessing, in one call.

What type checkers see is ``shortcuts.pyi``, which ``tools/make_stubs.py`` writes.
"""

from collections.abc import Callable

from keras_explainable import filters
from keras_explainable.engine import smoothgrad as _smoothgrad
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.engine.partial_explain import partial_explain
from keras_explainable.engine.postprocessing import Postprocessing
from keras_explainable.engine.shortcut_docstrings import (
    document_function,
    document_method,
)
from keras_explainable.methods import attention, cams, gradient, meta, perturbation
from keras_explainable.types import Method


def _shortcut(
    method: Method, postprocessing: Postprocessing
) -> Callable[..., AnyExplanation]:
    function = partial_explain(method, postprocessing=postprocessing)
    return document_method(function, method)


gradients = _shortcut(gradient.gradients, filters.normalize)
guided_gradients = _shortcut(gradient.guided_gradients, filters.normalize)
attnlrp = _shortcut(gradient.attnlrp, filters.signed_normalize)
full_gradients = _shortcut(gradient.full_gradients, filters.normalize)
input_x_gradient = _shortcut(gradient.input_x_gradient, filters.signed_normalize)
integrated_gradients = _shortcut(
    gradient.integrated_gradients, filters.signed_normalize
)
expected_gradients = _shortcut(gradient.expected_gradients, filters.signed_normalize)

cam = _shortcut(cams.cam, filters.positive_normalize)
gradcam = _shortcut(cams.gradcam, filters.positive_normalize)
gradcampp = _shortcut(cams.gradcampp, filters.positive_normalize)
hirescam = _shortcut(cams.hirescam, filters.positive_normalize)
layercam = _shortcut(cams.layercam, filters.positive_normalize)
scorecam = _shortcut(cams.scorecam, filters.positive_normalize)
minmaxcam = _shortcut(cams.minmaxcam, filters.positive_normalize)
d_minmaxcam = _shortcut(cams.d_minmaxcam, filters.positive_normalize)
minmaxgradcam = _shortcut(cams.minmaxgradcam, filters.positive_normalize)
d_minmaxgradcam = _shortcut(cams.d_minmaxgradcam, filters.positive_normalize)

attention_rollout = _shortcut(attention.attention_rollout, filters.normalize)
gradient_attention_rollout = _shortcut(
    attention.gradient_attention_rollout, filters.normalize
)
transformer_attribution = _shortcut(
    attention.transformer_attribution, filters.normalize
)

occlusion = _shortcut(perturbation.occlusion, filters.signed_normalize)
rise = _shortcut(perturbation.rise, filters.normalize)

smoothgrad = document_function(_smoothgrad.smoothgrad, meta.smooth)
smoothgrad_squared = document_function(_smoothgrad.smoothgrad_squared, smoothgrad)
vargrad = document_function(_smoothgrad.vargrad, smoothgrad)
