from anomalylib.images.known import CATEGORIES, is_mvtec_ad


def files(train, normal, anomalous):
    names = [f"train/good/{number:03d}.png" for number in range(train)]
    return names, ["good"] * normal + ["cut"] * anomalous


def test_the_totals_are_those_of_the_paper():
    assert len(CATEGORIES) == 15
    assert [sum(column) for column in zip(*CATEGORIES.values(), strict=True)] == [3629, 467, 1258]


def test_each_category_is_known_and_nothing_near_it():
    for category, (train, normal, anomalous) in CATEGORIES.items():
        assert is_mvtec_ad(category, *files(train, normal, anomalous))
        assert not is_mvtec_ad(category, *files(train - 1, normal, anomalous))
        assert not is_mvtec_ad(category, *files(train, normal + 1, anomalous - 1))
        assert not is_mvtec_ad(f"{category}s", *files(train, normal, anomalous))


def test_photographs_of_the_same_number_are_not_taken_for_it():
    names, kinds = files(*CATEGORIES["screw"])
    assert not is_mvtec_ad("screw", [name.replace("/0", "/IMG_0") for name in names], kinds)
    assert not is_mvtec_ad("screw", [name.replace("train/good", "normal") for name in names], kinds)
