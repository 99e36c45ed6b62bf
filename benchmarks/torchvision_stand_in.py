"""A stand-in for torchvision, which other packages import for what is not used here.

There is no build of it for a CPU's PyTorch on PyPI.
"""

from types import ModuleType

#: What they import, by module.
NAMES = {
    "torchvision": [],
    "torchvision.models": [],
    "torchvision.models.resnet": ["Bottleneck", "BasicBlock"],
    "torchvision.transforms": ["Compose", "Normalize", "ToTensor"],
    "torchvision.transforms.functional": ["resize"],
}


def modules() -> dict[str, ModuleType]:
    """Return empty modules by name, for ``sys.modules``."""
    made = {name: ModuleType(name) for name in NAMES}
    for name, module in made.items():
        for each in NAMES[name]:
            setattr(module, each, type(each, (), {}))
    return made
