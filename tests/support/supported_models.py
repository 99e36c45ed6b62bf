"""Which methods support which kinds of models, and the messages of the errors.

    python tests/support/supported_models.py

prints the table of docs/supported_models.md.
"""

import sys
from pathlib import Path

METHODS = {
    "smoothgrad": {"repetitions": 2},
    "gradcam": {},
    "full_gradients": {},
    "occlusion": {},
    "rise": {"repetitions": 2, "seed": 0},
}
ALL = tuple(METHODS)
SINGLE = ("full_gradients", "occlusion", "rise")

#: Kinds of models that methods refuse, with a pattern of the message.
REFUSED = {
    "two_inputs": (SINGLE, "`model` must have one input"),
    "mask_input": (SINGLE, "`model` must have one input"),
    "siamese": (SINGLE, "`model` must have one input"),
    "named_inputs": (SINGLE, "`model` must have one input"),
    "channels_first": (ALL, "`model` must have the channels on its last axis"),
    "legacy": (ALL, "`model` must be a Keras 3 model; .* of tf_keras"),
    "quantized": (ALL, "`model` must not be quantized"),
    "segmentation": (ALL, "`y` be a function of its outputs"),
    "detection": (ALL, "`y` be a function of its outputs"),
    "subclassed": (("gradcam", "full_gradients"), "Functional or Sequential"),
    "table": (("gradcam", "full_gradients"), "spatial"),
}

#: Kinds of models that all methods support with a function of the outputs for `y`.
BY_FUNCTION = ("segmentation", "detection")

NOTES = {
    **dict.fromkeys(BY_FUNCTION, "with a function for `y`"),
    "float64": "not on JAX, which has it switched off",
    "distributed": "TensorFlow only",
    "legacy": "Keras 2",
}


def table(kinds):
    """Return a Markdown table with a row for each kind of model."""
    titles = ["", *(f"`{name}`" for name in METHODS)]
    rows = [titles, ["---"] * len(titles)]
    for kind in kinds:
        methods, _ = ((), "") if kind in BY_FUNCTION else REFUSED.get(kind, ((), ""))
        marks = ["no" if name in methods else "yes" for name in METHODS]
        note = f" ({NOTES[kind]})" if kind in NOTES else ""
        rows.append([kind.replace("_", " ") + note, *marks])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from support.model_kinds import KINDS

    sys.stdout.write(table(KINDS))
