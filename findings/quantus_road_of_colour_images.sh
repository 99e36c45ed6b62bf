#!/usr/bin/env bash
# Quantus' ROAD fails for images of three channels.
#
# With Quantus 0.6.0 on PyTorch 2.13.0, `quantus.ROAD` scores maps of images with one
# channel. For images of three channels, it raises an IndexError, whether the maps have
# one channel or three: positions of all channels are looked up among the pixels of one.
# `quantus.PixelFlipping` scores the same images and maps.
# Seen on Linux, Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet quantus==0.6.0 torch==2.13.0 numpy==2.4.6 \
  scipy==1.15.3
cat > "$folder/road.py" << 'PROGRAM'
import numpy as np, quantus, torch

quiet = {"display_progressbar": False, "disable_warnings": True}


def tried(metric, channels, of_maps):
    torch.manual_seed(0)
    layers = torch.nn.Flatten(), torch.nn.Linear(channels * 64, 4)
    rng = np.random.default_rng(0)
    x = rng.random((2, channels, 8, 8)).astype("float32")
    maps = rng.random((2, of_maps, 8, 8)).astype("float32")
    given = {"x_batch": x, "y_batch": np.array([0, 1]), "a_batch": maps}
    try:
        metric(model=torch.nn.Sequential(*layers).eval(), **given, channel_first=True)
        return "scored"
    except IndexError as error:
        return type(error).__name__


for channels, of_maps in ((1, 1), (3, 1), (3, 3)):
    road = quantus.ROAD(percentages=[50], **quiet)
    flipping = quantus.PixelFlipping(features_in_step=8, **quiet)
    images = f"{channels} channels, maps of {of_maps}"
    print(images, "-> ROAD:", tried(road, channels, of_maps))
    print(images, "-> pixel flipping:", tried(flipping, channels, of_maps))
PROGRAM
"$folder/venv/bin/python" "$folder/road.py" 2> "$folder/errors" | tee "$folder/seen"
diff "$folder/seen" - << 'SEEN'
1 channels, maps of 1 -> ROAD: scored
1 channels, maps of 1 -> pixel flipping: scored
3 channels, maps of 1 -> ROAD: IndexError
3 channels, maps of 1 -> pixel flipping: scored
3 channels, maps of 3 -> ROAD: IndexError
3 channels, maps of 3 -> pixel flipping: scored
SEEN
