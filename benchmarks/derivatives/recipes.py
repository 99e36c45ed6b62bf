"""How to call what cannot be called by a guess; a name can have several recipes."""

from benchmarks.derivatives.recipe import Recipe
from benchmarks.derivatives.recipes_of_functions import OPS
from benchmarks.derivatives.recipes_of_images import IMAGES
from benchmarks.derivatives.recipes_of_layers import LAYERS

#: By public name, as in `namespaces`.
RECIPES: dict[str, list[Recipe]] = (
    {f"ops.{name}": recipes for name, recipes in OPS.items()}
    | {f"ops.image.{name}": recipes for name, recipes in IMAGES.items()}
    | {f"layers.{name}": recipes for name, recipes in LAYERS.items()}
)

#: What has no values to differentiate, or no derivatives that could be wrong.
NOT_DIFFERENTIABLE = {
    "layers.Input": "makes symbolic inputs",
    "layers.InputLayer": "makes symbolic inputs",
    "layers.InputSpec": "describes inputs",
    "layers.Layer": "is abstract",
    "layers.Wrapper": "is abstract",
    "layers.deserialize": "makes layers",
    "layers.serialize": "describes layers",
    "activations.deserialize": "makes functions",
    "activations.get": "makes functions",
    "activations.serialize": "describes functions",
    "ops.convert_to_numpy": "leaves the framework",
    "ops.custom_gradient": "has the derivatives that it is given",
    "ops.empty": "has any values",
    "ops.empty_like": "has any values",
    "ops.jvp": "is a derivative",
    "ops.stop_gradient": "has no derivative on purpose",
}

_MAKERS = (
    "arange bartlett blackman eye full hamming hanning identity kaiser ones tri zeros"
)
NOT_DIFFERENTIABLE |= {f"ops.{name}": "makes constants" for name in _MAKERS.split()}

_INTEGERS = "ctc_decode digitize in_top_k multi_hot unravel_index"
NOT_DIFFERENTIABLE |= {f"ops.{name}": "is about integers" for name in _INTEGERS.split()}

_ENCODERS = (
    "CategoryEncoding Discretization IntegerLookup StringLookup TextVectorization"
)
NOT_DIFFERENTIABLE |= {
    f"layers.{name}": "encodes categories or text" for name in _ENCODERS.split()
}

_FOREIGN = "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper"
NOT_DIFFERENTIABLE |= {
    f"layers.{name}": "runs foreign code" for name in _FOREIGN.split()
}
NOT_DIFFERENTIABLE |= {"layers.MaxNumBoundingBoxes": "is about boxes"}
