"""Draw the picture in the README: samples, their gradients and SmoothGrad maps.

python tools/make_readme_picture.py [docs/_static/smoothgrad.png]
"""

import sys

import keras_explainable as ke

SHOWN = [0, 2, 6, 7, 8, 10]


def main(path="docs/_static/smoothgrad.png"):
    """Draw and save the picture."""
    model, samples = ke.demo.load_model(), ke.demo.load_samples()
    images, labels = samples.images[SHOWN], samples.labels[SHOWN]
    clipped = {"postprocessing": ke.filters.percentile_normalize}
    _, plain = ke.gradients(model, images, labels, **clipped)
    _, smooth = ke.smoothgrad(model, images, labels, repetitions=200, **clipped)
    panels = [*images, *plain, *smooth]
    ke.utils.visualize(panels, cols=len(SHOWN), figsize=(6, 3), to_file=path)


if __name__ == "__main__":
    main(*sys.argv[1:])
