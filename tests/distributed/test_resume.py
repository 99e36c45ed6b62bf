"""Whatever dies: nothing is lost, nothing is there twice, and the maps are the same.

The environment variables KILLS and NODES set how often something is killed.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import ray
import ray.cloudpickle

import keras_explainable as ke
from keras_explainable.distributed.output_folder import OutputFolder
from keras_explainable.distributed.result_columns import FAILURE
from keras_explainable.distributed.resumable_run import run_into

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


def assert_whole(result, folder, in_one_process):
    rows = result.take_all()
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
    result = killed_run.run(folder, seed, victim)  # Nothing is killed twice.
    assert (tmp_path / "out-killed").exists()
    assert_whole(result, folder, in_one_process)
    assert {name: files(folder)[name] for name in before} == before


@ray.remote(num_cpus=3)
class Idle:
    """Leaves the head node one CPU, so that workers are on the others."""


@pytest.fixture
def nodes(cluster):
    """Two more nodes, on which the workers are."""
    idle = Idle.remote()
    ray.get(idle.__ray_ready__.remote())
    yield [cluster.add_node(num_cpus=cpus) for cpus in (1, 2)]
    for node in [*cluster.worker_nodes]:
        cluster.remove_node(node)
    ray.kill(idle)


def remove(cluster, node, folder, files):
    """Kill all processes of a node as soon as a folder has a number of files."""
    while len([*folder.glob("maps/*.parquet")]) < files:
        time.sleep(0.01)
    cluster.remove_node(node, allow_graceful=False)


@pytest.mark.parametrize("seed", range(int(os.environ.get("NODES", "1"))))
def test_a_machine_dies(cluster, nodes, seed, tmp_path, in_one_process):
    folder = tmp_path / "out"
    given = cluster, nodes[0], folder, 3 + seed
    killer = threading.Thread(target=remove, args=given, daemon=True)
    killer.start()
    result = killed_run.run(str(folder), prepare=killed_run.slowly)
    killer.join()
    assert_whole(result, folder, in_one_process)


class Lossy:
    """Results of a run that stores those of two images, and loses a machine then."""

    def __init__(self, folder, ids):
        self.folder, self.ids = folder, ids

    def iter_batches(self, **given):
        if self.ids:
            maps = np.zeros((len(self.ids[:2]), 1))
            columns = {"path": np.array(self.ids[:2]), "maps": maps}
            yield self.folder.store({**columns, FAILURE: [""] * len(maps)})
            raise ray.exceptions.ObjectLostError("00" * 28, None, "")


def test_a_run_continues_as_long_as_it_stores_something(tmp_path):
    data, attempts = ray.data.from_items([{"path": own} for own in "abcde"]), []

    def explained(folder, left):
        attempts.append(sorted(row["path"] for row in left.take_all()))
        return Lossy(folder, attempts[-1])

    folder = OutputFolder(str(tmp_path), "path")
    folder.begin({})
    rows = run_into(folder, data, explained).take_all()
    assert attempts == [[*"abcde"], [*"cde"], [*"e"], []]
    assert sorted(row["path"] for row in rows) == [*"abcde"]
    with pytest.raises(ray.exceptions.ObjectLostError):  # The same file again.
        run_into(folder, data.limit(0), lambda *_: Lossy(folder, [*"abcde"]))


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
