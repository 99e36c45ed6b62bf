"""Whatever dies: nothing is lost, nothing is there twice, and the maps are the same.

The environment variable KILLS sets how often something is killed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray
import ray.cloudpickle

import keras_explainable as ke

pytestmark = pytest.mark.ray

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import killed_run  # noqa: E402

# Other processes do not find it.
ray.cloudpickle.register_pickle_by_value(killed_run)


@pytest.fixture(scope="module")
def in_one_process():
    ids = ke.distributed.noise_ids(killed_run.IDS)
    x, model = killed_run.images(), killed_run.build()
    return ke.explain(killed_run.METHOD, model, x, "predicted", ids=ids, verbose=0)


def files(folder):
    return {
        path.name: path.stat().st_mtime_ns for path in folder.glob("maps/*.parquet")
    }


def assert_whole(folder, in_one_process):
    rows = ray.data.read_parquet(str(folder / "maps")).take_all()
    assert sorted(row["path"] for row in rows) == sorted(killed_run.IDS)
    maps = {row["path"]: row["maps"] for row in rows}
    found = np.stack([maps[path] for path in killed_run.IDS])
    np.testing.assert_allclose(found, in_one_process.maps, 1e-4, 1e-6)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["complete"]
    assert (manifest["images"], manifest["failures"]) == (killed_run.COUNT, [])


@pytest.mark.parametrize("seed", range(int(os.environ.get("KILLS", "3"))))
def test_whatever_is_killed(seed, tmp_path, in_one_process):
    folder = tmp_path / "out"
    victim = killed_run.VICTIMS[seed % len(killed_run.VICTIMS)]
    before = {}
    if victim == "driver":
        address = ray.get_runtime_context().gcs_address
        given = [killed_run.__file__, address, str(folder), str(seed), victim]
        code = subprocess.run([sys.executable, *given], check=False).returncode
        assert code == -9
        before = files(folder)
        killed_run.run(folder, seed, victim)  # Nothing is killed twice.
    else:
        killed_run.run(folder, seed, victim)
    assert (tmp_path / "out-killed").exists()
    assert_whole(folder, in_one_process)
    assert {name: files(folder)[name] for name in before} == before


def test_damaged_files_are_replaced_and_other_runs_refused(
    build, images, dataset, tmp_path
):
    def run(**given):
        usual = {"id_column": "path", "output": tmp_path / "out", "batch_size": 5}
        method = given.pop("method", ke.smoothgrad)
        data = given.pop("data", images)
        usual |= {"repetitions": 2}
        return ke.distributed.explain(dataset(data), method, build, **(usual | given))

    spoiled = images | {"3.png": images["3.png"][:4]}
    with pytest.warns(UserWarning, match=r"1 images could not be explained.*'3.png'"):
        assert run(data=spoiled).count() == 9
    one, other = sorted((tmp_path / "out/maps").iterdir())[:2]
    one.write_bytes(one.read_bytes()[:100])
    other.rename(f"{other}.part")
    assert run().count() == 10
    with pytest.raises(ValueError, match="of a run with another params"):
        run(repetitions=3)
    with pytest.raises(ValueError, match="of a run with another method"):
        run(method=ke.vargrad)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/note.txt").touch()
    with pytest.raises(ValueError, match="with other files"):
        run(output=tmp_path / "other")
