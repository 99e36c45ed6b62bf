"""Localisation scores of maps with known answers."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_explainable.metrics import (
    auc,
    best_iou,
    focus,
    mosaics,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
)

METRICS = [pointing_game, relevance_mass_accuracy, relevance_rank_accuracy, auc]
METRICS += [best_iou]
BOXES = np.array([[1, 2, 3, 6], [0, 0, 4, 2], [3, 1, 6, 3]])


def masks_of(boxes, size=(6, 8)):
    masks = np.zeros((len(boxes), *size), bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return masks


MASKS = masks_of(BOXES)


def random_maps(count=3, k=2, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, 6, 8, k))


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_map_scores_1_and_its_opposite_0(metric):
    maps = MASKS[..., None] * np.array([1.0, 5.0]) - [0, 1]
    np.testing.assert_allclose(metric(maps, MASKS), 1)
    worst = 0 if metric is not best_iou else MASKS.mean(axis=(1, 2))[:, None]
    np.testing.assert_allclose(metric(1 - maps, MASKS)[:, :1], worst)
    assert metric.higher_is_better


@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_map_scores_as_a_random_one(metric):
    constant = metric(np.ones((3, 6, 8, 1)), MASKS)
    part = MASKS.mean(axis=(1, 2))[:, None]
    np.testing.assert_allclose(constant, 0.5 if metric is auc else part)
    if metric is not best_iou:  # The best of all thresholds is better than chance.
        scores = [metric(random_maps(k=400), MASKS)]
        np.testing.assert_allclose(
            np.mean(scores, axis=(0, 2)), constant[:, 0], 0, 0.06
        )


@pytest.mark.parametrize("metric", METRICS)
def test_scaling_does_not_count_but_the_sign_does(metric):
    maps = random_maps() - 0.5
    scores = metric(maps, MASKS)
    assert scores.shape == (3, 2)
    np.testing.assert_allclose(metric(3 * maps, MASKS), scores)
    assert not np.allclose(metric(-maps, MASKS), scores)
    np.testing.assert_array_equal(metric(maps[1:2], MASKS[1:2]), scores[1:2])


@pytest.mark.parametrize("metric", METRICS)
def test_masks_can_be_boxes_numbers_or_those_of_each_unit(metric):
    maps = random_maps()
    scores = metric(maps, MASKS)
    np.testing.assert_array_equal(metric(maps, BOXES), scores)
    np.testing.assert_array_equal(metric(maps, MASKS * 255), scores)
    both = np.stack([MASKS, MASKS[:, ::-1]], axis=-1)
    np.testing.assert_array_equal(metric(maps, both)[:, 0], scores[:, 0])
    other = metric(maps, MASKS[:, ::-1])
    np.testing.assert_array_equal(metric(maps, both)[:, 1], other[:, 1])
    flat = metric(maps.reshape(3, 48, 2), MASKS.reshape(3, 48))
    np.testing.assert_array_equal(flat, scores)


def test_values_against_loops():
    maps = np.round(random_maps() * 10) / 10  # With ties.
    roc, iou = auc(maps, MASKS), best_iou(maps, MASKS)
    for n, k in np.ndindex(3, 2):
        map_, mask = maps[n, ..., k], MASKS[n]
        wanted = roc_auc_score(mask.ravel(), map_.ravel())
        np.testing.assert_allclose(roc[n, k], wanted)
        shown = [map_ >= t for t in np.unique(map_)]
        ious = [(s & mask).sum() / (s | mask).sum() for s in shown]
        np.testing.assert_allclose(iou[n, k], max(ious))


def test_ranks_with_ties_are_expected_values():
    map_ = np.array([5.0, 4, 4, 4, 1, 0])[None, :, None]
    mask = np.array([0, 1, 0, 0, 1, 1])[None]
    # The highest is outside; two of three are taken, of which one is inside.
    np.testing.assert_allclose(relevance_rank_accuracy(map_, mask), [[2 / 3 / 3]])


def test_tolerance_is_a_distance_from_the_mask():
    maps = np.zeros((1, 6, 8, 1))
    maps[0, 4, 7] = 1  # Two rows and two columns away from the mask.
    for tolerance, hit in (0, 0), (2.8, 0), (2.9, 1):
        score = pointing_game(maps, MASKS[:1], tolerance=tolerance)
        np.testing.assert_array_equal(score, [[hit]])


def test_undefined_scores_are_nan():
    everything = np.ones((1, 6, 8))
    assert np.isnan(auc(random_maps(1), everything)).all()
    assert np.isnan(relevance_mass_accuracy(-random_maps(), MASKS)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        (MASKS[:, :5], ValueError, r"the size of the maps, \(3, 6, 8\), or be boxes"),
        (MASKS[:2], ValueError, "`masks` must have the size"),
        (1, ValueError, "`masks` must have the size"),
        (BOXES * 1.0, TypeError, "`masks` must be integers if they are boxes"),
        (
            BOXES + np.array([[0], [9], [9]]),
            ValueError,
            "received none for images 1, 2",
        ),
        (MASKS & (MASKS.sum((1, 2)) > 6)[:, None, None], ValueError, "for image 2"),
        (np.where(MASKS, np.nan, 1), ValueError, "`masks` must be finite"),
    ],
)
def test_errors(metric, masks, error, message):
    with pytest.raises(error, match=message):
        metric(random_maps(), masks)


def test_tensors_are_taken():
    maps = keras.ops.convert_to_tensor(random_maps(), "float32")
    masks = keras.ops.convert_to_tensor(MASKS)
    assert pointing_game(keras.ops.cast(maps, "bfloat16"), masks).shape == (3, 2)


LABELS = np.arange(20) % 5
IMAGES = np.broadcast_to(LABELS[:, None, None, None], (20, 2, 3, 1)) * 1.0


def test_mosaics_have_a_class_in_each_cell():
    images, classes = mosaics(IMAGES, LABELS, grid=(2, 2), count=7)
    assert images.shape == (7, 4, 6, 1)
    assert all(len({*row}) == 4 for row in classes.tolist())
    corners = images[:, ::2, ::3, 0].reshape(7, 4)
    np.testing.assert_array_equal(corners, classes)
    np.testing.assert_array_equal(images[:, 1::2, 2::3, 0].reshape(7, 4), classes)
    again, _ = mosaics(IMAGES, LABELS[:, None], grid=(2, 2), count=7)
    np.testing.assert_array_equal(again, images)


def test_focus_is_the_share_in_the_right_cell():
    images, classes = mosaics(IMAGES, LABELS, grid=(1, 3), count=4)
    maps = 1.0 * (images == classes[:, None, None])
    np.testing.assert_allclose(focus(maps, grid=(1, 3)), 1)
    np.testing.assert_allclose(focus(np.ones((2, 4, 6, 6)), grid=(2, 3)), 1 / 6)
    second = focus(maps[..., [0]], [1] * 4, grid=(1, 3))
    np.testing.assert_allclose(second, 0)  # The map is that of the first cell.


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mosaics(IMAGES, LABELS, grid=(2, 3)),
            ValueError,
            "at least 6 classes",
        ),
        (lambda: mosaics(IMAGES, LABELS[1:]), ValueError, "`x` and `y` must be images"),
        (lambda: mosaics(IMAGES, LABELS * 1.0), TypeError, "`y` must be integers"),
        (lambda: mosaics(IMAGES, LABELS, grid=4), ValueError, "`grid` must be"),
        (lambda: focus(IMAGES), ValueError, "must be of 4 units, one for each cell"),
        (lambda: focus(IMAGES, [[4]] * 20), ValueError, "numbers from 0 to 3"),
        (lambda: focus(IMAGES, [[0.0]] * 20), TypeError, "`cells` must be integers"),
        (lambda: focus(IMAGES[0]), ValueError, r"\(N, H, W, K\) for mosaics"),
    ],
)
def test_errors_of_mosaics(call, error, message):
    with pytest.raises(error, match=message):
        call()
