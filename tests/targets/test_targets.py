"""Targets: the value explained is what an independent computation gives."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import smooth, tta

targets = ke.targets
COUNT = 5


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(COUNT, 6, 6, 3)).astype("float32")


@pytest.fixture(scope="module")
def classifier():
    return made(lambda h: layers.Dense(4, activation="softmax")(pooled(h)))


@pytest.fixture(scope="module")
def segmentation():
    return made(lambda h: layers.Conv2D(3, 1, activation="softmax", name="seg")(h))


@pytest.fixture(scope="module")
def autoencoder():
    return made(lambda h: layers.Conv2D(3, 3, padding="same")(h))


@pytest.fixture(scope="module")
def two():
    """Outputs in a dictionary whose first key is not the least."""
    return made(
        lambda h: {
            "label": layers.Dense(4, activation="softmax", name="head")(pooled(h)),
            "age": layers.Dense(2, name="years")(pooled(h)),
        }
    )


def made(end):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    convolution = layers.Conv2D(
        4, 3, padding="same", activation="softplus", name="inner"
    )
    return keras.Model(inputs, end(convolution(inputs)))


def pooled(h):
    return layers.GlobalAveragePooling2D()(h)


def explained(model, x, y, **options):
    return ke.explain(SIGNED_GRADIENTS, model, x, y, verbose=0, **options)


def differences(score, x, at, step=1e-2):
    """Return central differences of ``score(x)`` (N,) by one value of each sample."""
    moved = []
    for sign in (1, -1):
        copy = x.copy()
        copy[(slice(None), *at)] += sign * step
        moved.append(score(copy))
    return (moved[0] - moved[1]) / (2 * step)


def check(model, x, y, score):
    """Check values and derivatives against ``score(x)``, computed by NumPy."""
    values, maps = explained(model, x, y)
    np.testing.assert_allclose(values[:, 0], score(x), rtol=1e-4, atol=1e-5)
    found, expected = maps[:, 2, 3, 1, 0], differences(score, x, (2, 3, 1))
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=1e-4)


def test_a_contrast_and_units_are_of_logits(classifier, x):
    logits, maps = explained(classifier, x, [[2, 0]] * COUNT)
    value, found = explained(classifier, x, targets.contrast(2, 0))
    np.testing.assert_allclose(value[:, 0], logits[:, 0] - logits[:, 1], rtol=1e-4)
    np.testing.assert_allclose(found[..., 0], maps[..., 0] - maps[..., 1], atol=1e-5)
    value, found = explained(classifier, x, targets.units(2, 0))
    np.testing.assert_allclose(value, logits, rtol=1e-5)
    np.testing.assert_allclose(found, maps, atol=1e-6)
    value, _ = explained(classifier, x, targets.units(1, logits=False))
    expected = classifier.predict(x, verbose=0)[:, 1]
    np.testing.assert_allclose(value[:, 0], expected, rtol=1e-5)


def test_the_loss_of_each_image(classifier, x):
    labels = np.array([3, 0, 2, 1, 1])

    def score(x):
        chosen = classifier.predict(x, verbose=0)[np.arange(COUNT), labels]
        return -np.log(chosen)

    name = "sparse_categorical_crossentropy"
    check(classifier, x, targets.loss(labels, name), score)
    values, _ = explained(classifier, x, targets.loss(labels, name))
    one_hot = np.eye(4)[labels]
    object_ = keras.losses.CategoricalCrossentropy()
    same, _ = explained(classifier, x, targets.loss(one_hot, object_))
    np.testing.assert_allclose(same, values, rtol=1e-5)


def evaluated(model, x, labels, loss):
    """Return the loss of each image, as Keras evaluates it."""
    same = keras.Model(model.input, model.output)
    same.compile(loss=loss)
    pairs = ((x[k : k + 1], labels[k : k + 1]) for k in range(len(x)))
    return [same.evaluate(*pair, verbose=0) for pair in pairs]


BINARY = {
    "of images": lambda h: layers.Dense(1, activation="sigmoid")(pooled(h)),
    "of pixels": lambda h: layers.Conv2D(1, 1, activation="sigmoid")(h),
}


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("end", BINARY)
def test_labels_may_lack_the_last_axis_as_for_fit(end, extra, x, rng):
    model = made(BINARY[end])
    shape = numpy(model(x)).shape
    labels = rng.integers(0, 2, shape if extra else shape[:-1])
    values, _ = explained(model, x, targets.loss(labels, "binary_crossentropy"))
    expected = evaluated(model, x, labels, "binary_crossentropy")
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)


def test_the_loss_of_each_label_map(segmentation, x, rng):
    labels = rng.integers(0, 3, (COUNT, 6, 6))
    name = "sparse_categorical_crossentropy"

    def score(x):
        chosen = segmentation.predict(x, verbose=0)[np.arange(COUNT)]
        picked = np.take_along_axis(chosen, labels[..., None], -1)
        return -np.log(picked).mean(axis=(1, 2, 3))

    check(segmentation, x, targets.loss(labels, name), score)


def crossentropy_and_dice(labels, outputs):
    """A loss of each pixel, and one of the batch that it is added to."""
    both = 2 * ops.sum(labels * outputs) / (ops.sum(labels) + ops.sum(outputs))
    return keras.losses.categorical_crossentropy(labels, outputs) - both


def test_copies_of_an_image_do_not_mix_in_a_loss_of_the_user(segmentation, x, rng):
    labels = np.eye(3, dtype="float32")[rng.integers(0, 3, (COUNT, 6, 6))]

    def score(moved):
        return np.array(evaluated(segmentation, moved, labels, crossentropy_and_dice))

    target = targets.loss(labels, crossentropy_and_dice)
    options = {"size": 3, "fill": 0.5, "verbose": 0, "postprocessing": None}
    _, maps = ke.occlusion(segmentation, x, target, **options)
    _, alone = ke.occlusion(segmentation, x, target, batch_size=1, **options)
    np.testing.assert_allclose(maps, alone, rtol=1e-3, atol=1e-5)
    changed = x.copy()
    changed[:, :3, :3] = 0.5
    expected = score(x) - score(changed)  # The only window on the first pixel.
    np.testing.assert_allclose(maps[:, 0, 0, 0], expected, rtol=1e-3, atol=1e-5)


def dice_by_class(labels, outputs):
    both, each = ops.sum(labels * outputs, (0, 1, 2)), ops.sum(labels + outputs, (0, 1))
    return 1 - 2 * both / ops.sum(each, axis=0)


def chosen_by_values(labels, outputs):
    if keras.backend.backend() != "torch":  # Others do not compile such a function.
        return crossentropy_and_dice(labels, outputs)
    weights = ops.ones_like(outputs)
    weights[labels > 0.5] = 2.0
    error = ops.mean(weights * (labels - outputs) ** 2, axis=-1)
    return error if ops.max(outputs) > 0.5 else 2 * error


@pytest.mark.parametrize(
    "loss",
    [
        "dice",
        keras.losses.Tversky(alpha=0.3),
        keras.losses.Dice(axis=(0, 1, 2)),
        keras.losses.Dice(axis=(1, 2)),
        crossentropy_and_dice,
        dice_by_class,
        chosen_by_values,
    ],
)
def test_losses_of_a_whole_batch_are_of_each_image(loss, segmentation, x, rng):
    labels = np.eye(3, dtype="float32")[rng.integers(0, 3, (COUNT, 6, 6))]
    values, _ = explained(segmentation, x, targets.loss(labels, loss))
    expected = evaluated(segmentation, x, labels, loss)
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)


def test_the_reconstruction_error_of_each_image(autoencoder, x):
    def score(moved):
        return ((autoencoder.predict(moved, verbose=0) - x) ** 2).mean(axis=(1, 2, 3))

    check(autoencoder, x, targets.reconstruction(), score)


def test_the_reconstruction_error_of_preprocessed_images(autoencoder, x):
    scores = ke.smoothgrad(
        autoencoder,
        x,
        targets.reconstruction(),
        preprocess=lambda x: x * 2 - 1,
        repetitions=1,
        verbose=0,
    )[0]
    seen = x * 2 - 1
    expected = np.mean((numpy(autoencoder(seen)) - seen) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-4)


def test_a_region_of_each_segmentation(segmentation, x):
    masks = np.random.default_rng(1).uniform(size=(COUNT, 6, 6)) > 0.5
    seen = ke.inspection.logits_model(segmentation)

    def score(x):
        return (numpy(seen(x))[..., 1] * masks).sum(axis=(1, 2))

    check(segmentation, x, targets.region(masks, 1), score)
    boxes = np.array([[0, 1, 3, 4]] * COUNT)
    values, _ = explained(segmentation, x, targets.region(boxes, 2, logits=False))
    expected = segmentation.predict(x, verbose=0)[:, 0:3, 1:4, 2].sum(axis=(1, 2))
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)


def test_the_similarity_with_another_embedding(classifier, x):
    other = np.random.default_rng(1).normal(size=(COUNT, 4))

    def score(x):
        outputs = classifier.predict(x, verbose=0)
        norms = np.linalg.norm(outputs, axis=-1) * np.linalg.norm(other, axis=-1)
        return (outputs * other).sum(axis=-1) / norms

    check(classifier, x, targets.similarity(other), score)


def test_one_of_several_outputs(two, x):
    outputs = two.predict(x, verbose=0)
    listed = keras.Model(two.input, [two.output["label"], two.output["age"]])
    for model, name in ((two, "age"), (listed, 1), (listed, "years")):
        values, _ = explained(model, x, targets.output(name))
        np.testing.assert_allclose(values, outputs["age"], rtol=1e-4, atol=1e-6)
    values, maps = explained(two, x, targets.output("label", then=targets.units(3)))
    logits, expected = explained(two, x, [3] * COUNT)
    np.testing.assert_allclose(values, logits, rtol=1e-5)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    values, _ = explained(two, x, targets.output("label", then=lambda o: o[:, 3]))
    np.testing.assert_allclose(values[:, 0], outputs["label"][:, 3], rtol=1e-4)
    labels = targets.loss([1] * COUNT, "sparse_categorical_crossentropy")
    values, _ = explained(two, x, targets.output("label", then=labels))
    np.testing.assert_allclose(values[:, 0], -np.log(outputs["label"][:, 1]), rtol=1e-4)


def test_a_neuron_and_a_channel_of_a_layer(classifier, x):
    inner = keras.Model(classifier.input, classifier.get_layer("inner").output)
    values, maps = explained(classifier, x, targets.neuron("inner", (2, 3, 1)))
    np.testing.assert_allclose(values[:, 0], numpy(inner(x))[:, 2, 3, 1], atol=1e-5)
    assert not maps[:, 5].any()  # The kernel does not reach so far.
    layer = classifier.get_layer("inner")
    values, _ = explained(classifier, x, targets.neuron(layer, 1))
    expected = numpy(inner(x))[..., 1].mean(axis=(1, 2))
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-4, atol=1e-6)


OWN = targets.Target(
    lambda out, w: ops.sum(out * w, axis=-1), np.eye(4)[[0, 1, 2, 3, 0]]
)
METHODS = {
    "smooth": lambda model, x, y: ke.smoothgrad(
        model, x, y, repetitions=3, batch_size=2, verbose=0, postprocessing=None
    ),
    "integrated": lambda model, x, y: ke.integrated_gradients(
        model, x, y, n_steps=3, verbose=0, postprocessing=None
    ),
    "gradcam": lambda model, x, y: ke.gradcam(
        model, x, y, layer="inner", verbose=0, postprocessing=None
    ),
    "hybrid": lambda model, x, y: ke.smoothgrad(
        model, x, y, repetitions=4, estimator="hybrid", verbose=0, postprocessing=None
    ),
    "occlusion": lambda model, x, y: ke.occlusion(
        model, x, y, verbose=0, postprocessing=None
    ),
    "noise_grad": lambda model, x, y: ke.explain(
        ke.methods.meta.noise_grad(SIGNED_GRADIENTS, 2, seed=0), model, x, y, verbose=0
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_rows_of_data_follow_their_image(name, classifier, x):
    """The data choose a probability, which a function without data can choose, too."""
    values, maps = METHODS[name](classifier, x, OWN)
    for unit in range(4):
        chosen = lambda out, k=unit: out[:, k]  # noqa: E731
        expected = METHODS[name](classifier, x, chosen)
        rows = [row for row in range(COUNT) if row % 4 == unit]
        np.testing.assert_allclose(values[rows], expected[0][rows], rtol=1e-4)
        np.testing.assert_allclose(maps[rows], expected[1][rows], rtol=1e-3, atol=1e-5)


def test_rows_of_data_follow_the_images_of_a_data_set(classifier, x):
    expected = explained(classifier, x, OWN)
    found = explained(classifier, iter([x[:3], x[3:]]), OWN)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)


@pytest.mark.parametrize("listed", [False, True])
def test_a_part_of_the_images_with_data_of_all(listed, classifier, x):
    expected = explained(classifier, x, OWN)
    images = [*x] if listed else x
    found = explained(classifier, images, OWN, steps=2, batch_size=1)
    np.testing.assert_allclose(found[0], expected[0][:2], rtol=1e-5)


def test_steps_are_batches_of_the_same_size_as_without_data(classifier, x):
    expected = explained(classifier, x, OWN)
    found = explained(classifier, x, OWN, steps=2, batch_size=2)
    assert len(found[0]) == 4
    np.testing.assert_allclose(found[1], expected[1][:4], rtol=1e-3, atol=1e-6)


def test_a_target_of_a_subclassed_model(classifier, x):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = classifier

        def call(self, inputs):
            return self.body(inputs)

    found = explained(Subclassed(), x, OWN)
    np.testing.assert_allclose(found[1], explained(classifier, x, OWN)[1], atol=1e-6)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (lambda: targets.loss([0, 1], "mse"), "one row of data for each of the 5"),
        (lambda: targets.loss(["a"] * COUNT, "mse"), "`data` must be an array"),
        (lambda: targets.units(), "at least one unit"),
        (lambda: targets.units(9), "below 4"),
        (lambda: targets.units(-1), "at least 0"),
        (lambda: targets.contrast(1, 4), "below 4"),
        (lambda: targets.region(np.ones((COUNT, 6, 6)), 1), "shape .B, H, W, classes"),
        (lambda: targets.region(np.ones(COUNT), 1), "masks .N, H, W."),
        (lambda: targets.neuron("inner", (9, 0, 0)), "position in values"),
        (lambda: targets.neuron("absent", 0), "named 'absent'"),
        (lambda: targets.output("absent"), "one of the model's outputs"),
        (lambda: targets.Target(3), "`function` must be callable"),
        (lambda: targets.Target(len, logits="no"), "`logits` must be True or False"),
    ],
)
def test_bad_targets_get_one_clear_error(classifier, x, y, match):
    with pytest.raises((ValueError, TypeError), match=match):
        explained(classifier, x, y())


def test_the_inputs_themselves_must_be_an_array(autoencoder, x):
    with pytest.raises(ValueError, match="`x` must be an array"):
        explained(autoencoder, iter([x]), targets.reconstruction())


@pytest.mark.parametrize("meta", [tta(gradients), smooth(tta(gradients, ()), 1)])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: targets.region(np.ones(x.shape[:3]), 0),
        lambda x: targets.output(0, then=targets.region([[0, 0, 2, 2]] * COUNT, 0)),
        lambda x: targets.reconstruction(),
        lambda x: targets.Target(lambda outputs, pictures: outputs[:, 0], x),
        lambda x: targets.neuron("inner", (1, 2, 0)),
    ],
)
def test_positions_of_data_are_not_flipped(meta, make, autoencoder, x):
    with pytest.raises(ValueError, match="flips or scales the images"):
        ke.explain(meta, autoencoder, x, make(x), verbose=0)


@pytest.mark.parametrize("length", [7, None])
def test_labels_of_steps_are_not_flipped(length, rng):
    inputs = keras.Input((length, 4))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(inputs))
    x, labels = rng.normal(size=(2, 7, 4)), rng.integers(0, 3, (2, 7))
    for y in (
        targets.loss(labels, "sparse_categorical_crossentropy"),
        targets.Target(lambda out, w: ops.sum(out[..., 0] * w, axis=-1), labels),
    ):
        with pytest.raises(ValueError, match="flips or scales the images"):
            ke.explain(tta(gradients, ()), model, x, y, verbose=0)


def test_labels_beside_outputs_with_positions_may_be_augmented(rng):
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    head = layers.Dense(6, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, [head, x])
    labels = np.eye(6, dtype="float32")[:2]
    y = targets.output(0, then=targets.loss(labels, "categorical_crossentropy"))
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    assert ke.explain(tta(gradients, ()), model, x, y, verbose=0).maps.any()


def test_data_without_positions_may_be_augmented(classifier, x):
    y = targets.loss([0, 1, 2, 3, 0], "sparse_categorical_crossentropy")
    _, maps = ke.explain(tta(gradients, ()), classifier, x, y, verbose=0)
    plain, flipped = (
        ke.explain(gradients, classifier, each, y, verbose=0)[1]
        for each in (x, x[:, :, ::-1])
    )
    np.testing.assert_allclose(maps, (plain + flipped[:, :, ::-1]) / 2, atol=1e-6)


def test_rows_of_data_that_no_image_has_are_told(classifier, x):
    y = targets.loss([0, 1, 2, 3, 0, 1], "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="has 6 rows of data, and `x` only 5 images"):
        ke.gradients(classifier, iter([x]), y, verbose=0)


def of_any_size(units):
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.Conv2D(units, 3, padding="same")(inputs))


SPATIAL = {
    "reconstruction": lambda masks: targets.reconstruction(),
    "region": lambda masks: targets.region(masks, 1),
    "boxes": lambda masks: targets.region([[1, 2, 4, 5]] * COUNT, 1),
    "loss": lambda masks: targets.loss(
        masks, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ),
    "own": lambda masks: targets.Target(weighed, masks.astype("float32")),
}


def weighed(outputs, masks):
    return ops.sum(outputs[..., 0] * masks, axis=(1, 2))


@pytest.mark.parametrize("case", SPATIAL)
def test_data_of_positions_for_a_model_of_any_size(case, x, rng):
    """The values are those of the same model made for the size of the images."""
    masks = rng.integers(0, 2, (COUNT, 6, 6))
    whole = of_any_size(3)
    fixed = keras.models.clone_model(whole, input_tensors=keras.Input((6, 6, 3)))
    fixed.set_weights(whole.get_weights())
    found, expected = (
        ke.explain(gradients, model, x, SPATIAL[case](masks), verbose=0)
        for model in (whole, fixed)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_labels_of_steps_for_a_model_of_any_length(rng):
    inputs = keras.Input((None, 4))
    outputs = layers.Dense(3, activation="softmax")(inputs)
    model, x = keras.Model(inputs, outputs), rng.normal(size=(2, 7, 4))
    labels = rng.integers(0, 3, (2, 7))
    y = targets.loss(labels, "sparse_categorical_crossentropy")
    found = ke.explain(gradients, model, x.astype("float32"), y, verbose=0)[0]
    chosen = np.take_along_axis(numpy(model(x)), labels[..., None], axis=-1)
    expected = -np.log(chosen).mean(axis=(1, 2))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize(
    "make", [lambda: targets.contrast(1, 0), lambda: targets.units(1, 0)]
)
def test_a_target_of_one_output_asks_which(make, two, x):
    with pytest.raises(ValueError, match=r"`ke\.targets\.output\(name, then="):
        ke.gradients(two, x, make(), verbose=0)


def test_a_layer_called_twice_asks_which_call(x):
    a, b = keras.Input((6, 6, 3), name="a"), keras.Input((6, 6, 3), name="b")
    tower = layers.Dense(4, name="tower")
    ends = [tower(pooled(a)), tower(pooled(b))]
    model = keras.Model([a, b], layers.Subtract()(ends))
    with pytest.raises(ValueError, match=r"called 2 times; .* {'name': 'tower'"):
        explained(model, [x, x], targets.neuron("tower", 1))
    for node in (0, 1):
        y = targets.neuron({"name": "tower", "node": node}, 1)
        maps = explained(model, [x, x], y)[1]
        assert [bool(part.any()) for part in maps] == [node == 0, node == 1]
    both = keras.Model([a, b], ends)
    with pytest.raises(ValueError, match=r"outputs \[0, 1\]; received 'tower'"):
        explained(both, [x, x], targets.output("tower"))


def test_losses_of_half_precision_do_not_overflow(rng):
    """Keras computes its losses in float32, too: squares of 255 are beyond float16."""
    inputs = keras.Input((8, 8, 3))
    picture = layers.Conv2D(3, 3, padding="same", dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, picture)
    model.compile(loss="mse")
    x = rng.uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    expected = [model.evaluate(one[None], one[None], verbose=0) for one in x]
    values, _ = ke.gradients(model, x, ke.targets.reconstruction(), verbose=0)
    np.testing.assert_allclose(values[:, 0], expected, rtol=2e-3)


@pytest.mark.parametrize("with_axis", [False, True])
def test_positions_of_the_ignored_class_do_not_count_for_a_loss(with_axis, rng):
    inputs = keras.Input((6, 6, 3))
    model = keras.Model(inputs, layers.Conv2D(4, 3, activation="softmax")(inputs))
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    labels = rng.integers(0, 4, (2, 4, 4))
    labels[0, 1:], labels[1, :, 2:] = 255, 255
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    y = targets.loss(labels[..., None] if with_axis else labels, loss)
    found = ke.gradients(model, x, y, verbose=0)[0][:, 0]
    pairs = zip(x, labels, strict=True)
    expected = [numpy(loss(label[None], model(one[None]))) for one, label in pairs]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_losses_of_the_user_get_labels_as_they_are(rng):
    def ordinal(labels, outputs):  # Labels (B, 1), as `Model.fit` gives them.
        above = ops.cast(labels > ops.arange(4, dtype=labels.dtype), outputs.dtype)
        return ops.mean((outputs - above) ** 2, axis=-1)

    model = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    x, labels = rng.normal(size=(2, 3)).astype("float32"), np.array([[1], [3]])
    found = ke.gradients(model, x, targets.loss(labels, ordinal), verbose=0)[0][:, 0]
    expected = numpy(ordinal(ops.convert_to_tensor(labels, "int32"), model(x)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def dice_of_classes(labels, outputs):
    chosen = ops.one_hot(ops.cast(labels, "int32"), 3)
    both = ops.sum(chosen * outputs, axis=(1, 2)) / ops.sum(chosen + outputs, (1, 2))
    return 1 - 2 * ops.mean(both, axis=-1)


def variation(labels, outputs):
    loss = keras.losses.sparse_categorical_crossentropy(labels, outputs)
    return loss + ops.mean(ops.abs(outputs[:, 1:] - outputs[:, :-1]))


@pytest.mark.parametrize("loss", [dice_of_classes, variation])
def test_losses_of_the_user_are_given_label_maps_whole(loss, segmentation, x, rng):
    labels = rng.integers(0, 3, (COUNT, 6, 6))
    values, _ = explained(segmentation, x, targets.loss(labels, loss))
    expected = evaluated(segmentation, x, labels, loss)
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_losses_of_the_user_are_given_labels_as_floats(dtype, classifier, x, rng):
    def focal(labels, outputs):
        missed = labels * (1 - outputs) ** 2 * ops.log(outputs)
        return -ops.mean(missed + (1 - labels) * outputs, axis=-1)

    labels = rng.integers(0, 2, (COUNT, 4)).astype(dtype)
    values, _ = explained(classifier, x, targets.loss(labels, focal))
    expected = evaluated(classifier, x, labels, focal)
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)


def test_a_loss_that_adds_positions_up(segmentation, x, rng):
    labels = np.eye(3, dtype="float32")[rng.integers(0, 3, (COUNT, 6, 6))]
    loss = keras.losses.CategoricalCrossentropy(reduction="sum")
    values, _ = explained(segmentation, x, targets.loss(labels, loss))
    np.testing.assert_allclose(
        values[:, 0], evaluated(segmentation, x, labels, loss), rtol=1e-5
    )


def test_data_may_be_what_a_model_returns(classifier, x):
    embeddings = classifier(x)
    found = explained(classifier, x, targets.similarity(embeddings))
    expected = explained(classifier, x, targets.similarity(numpy(embeddings)))
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
