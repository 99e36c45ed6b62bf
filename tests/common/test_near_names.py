"""Names that resemble one that does not exist."""

from keras_explainable.common.near_names import listing, nearest, question


def test_up_to_three_names_are_asked_for():
    known = ["conv1_bn", "conv2_bn", "conv3_bn", "conv4_bn", "Dense", "pool"]
    assert len(nearest("conv1_b", known)) == 3
    assert nearest("conv1_b", known)[0] == "conv1_bn"
    assert question("dens", known) == "; did you mean Dense?"
    assert question("po", ["pool", "poll"]) == "; did you mean pool or poll?"
    assert question("xyz", known) == ""
    assert question("", known) == ""
    assert listing("layers", "po", ["pool"]) == "1 layers ['pool']; did you mean pool?"
    many = [f"conv{number}" for number in range(150)]
    found = listing("layers", "conv_1", many)
    assert found.startswith("150 layers; did you mean conv1, ")
    assert found.count("conv") == 3
    last = "['conv147', 'conv148', 'conv149']"
    assert listing("layers", "x", many) == f"150 layers, the last of them {last}."
