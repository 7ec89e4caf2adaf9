"""Photographs in folders of classes: a dry run, a training, and what reads its images again."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.running_commands import error_line, run_command
from tf_marscf.data import DataConfig, collect_images
from tf_marscf.errors import InputError, RunError
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import write_evaluation
from tf_marscf.reporting.benchmark_sections import _density_config
from tf_marscf.reporting.configuration_section import _training_command
from tf_marscf.reporting.report_config import ReportConfig
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import RestoredRunConfig, RunConfig
from tf_marscf.training.dry_run import report_dry_run
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

MODEL = {"num_levels": 1, "num_steps": 1, "hidden_channels": 4, "prior": "gaussian"}
SIZES = [(8, 11), (10, 8), (13, 9), (8, 8)]


def store_photographs(root, names=("cat", "dog")):
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in names:
            (root / split / name).mkdir(parents=True)
            for index, size in enumerate(SIZES):
                image = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
                Image.fromarray(image).save(root / split / name / f"{index}.webp", quality=90)
    return root


def data_of(root, **options):
    options = {"crop": "center", "resize": (8, 8), "num_validation_images": 2} | options
    return DataConfig(name="folder", data_dir=str(root), **options)


def training_of(num_epochs=1):
    return TrainingConfig(
        batch_size=4, num_epochs=num_epochs, num_sample_images=4, sample_every=0, jit_compile=False
    )


def run_of(train_dir, data, num_epochs=1, num_classes=2):
    options = MODEL | {"num_classes": num_classes}
    return TrainingRun(str(train_dir), data, options, training_of(num_epochs), progress="none")


def files_below(root):
    return sorted(os.path.join(place, name) for place, _, names in os.walk(root) for name in names)


def test_a_training_is_read_again_as_its_config_says(tmp_path, capsys):
    root = store_photographs(tmp_path / "photographs")
    train_dir = tmp_path / "run"
    run = run_of(train_dir, data_of(root))
    run.run()
    assert "classes: 0 'cat', 1 'dog'" in capsys.readouterr().out
    log = (train_dir / "run.log").read_text()
    assert "crop=center cuts parts off 12 of 16 images" in log
    assert "resize=8x8 reduces 4 of 16 images, by area resampling" in log
    saved = json.loads((train_dir / "config.json").read_text())["data"]
    expected = {"crop": "center", "resize": [8, 8], "resampling": "area"}
    assert saved.items() >= (expected | {"class_names": ["cat", "dog"]}).items()

    # What evaluates, samples, interpolates and reports.
    restored = RestoredRun(RestoredRunConfig(train_dir=str(train_dir)))
    for split, images in run._dataset.splits().items():
        count = int(images.cardinality())
        np.testing.assert_array_equal(
            collect_images(restored.images_of(split), count), collect_images(images, count)
        )
    content, _ = write_evaluation(
        EvaluationConfig(train_dir=str(train_dir), jit_compile=False), progress=False
    )
    results = json.loads((train_dir / "results.json").read_text())
    assert content["bits_per_dim"] == pytest.approx(results["test_bits_per_dim"], rel=1e-6)
    assert content["num_images"] == 8

    # A run goes on with the same images alone.
    for changed in ({"resize": (4, 8)}, {"crop": None}, {"crop": (8, 8)}):
        with pytest.raises(RunError, match="another (data|model)"):
            run_of(train_dir, data_of(root, **changed))
    os.rename(root / "train" / "cat", root / "train" / "eel")
    os.rename(root / "test" / "cat", root / "test" / "eel")
    with pytest.raises(RunError, match="another data: class_names was .*'cat'.* and is .*'eel'"):
        run_of(train_dir, data_of(root))
    os.rename(root / "train" / "eel", root / "train" / "cat")
    os.rename(root / "test" / "eel", root / "test" / "cat")
    run_of(train_dir, data_of(root), num_epochs=2).run()
    assert "continuing after step" in capsys.readouterr().out

    # Other photographs are read alike, or as flags say.
    other = store_photographs(tmp_path / "other", names=["dog"])
    restored = RestoredRun(RestoredRunConfig(train_dir=str(train_dir), data_dir=str(other)))
    assert restored.dataset.labels("test", 2).tolist() == [1, 1, 1, 1]
    stretched = RestoredRun(
        RestoredRunConfig(train_dir=str(train_dir), data_dir=str(other), crop=8, resize=8)
    ).dataset
    middle = collect_images(stretched.test, 1)[0]
    photograph = np.asarray(Image.open(other / "test" / "dog" / "0.webp"))
    np.testing.assert_array_equal(middle, photograph[:, 1:9])
    with pytest.raises(InputError, match="`crop` must be None without `dataset` and `data_dir`"):
        RestoredRunConfig(train_dir=str(train_dir), crop=8)

    # The report's command has the flags, and no fields without one.
    command = _training_command(str(train_dir), RunConfig.load(train_dir))
    assert "--crop=center --resize=8,8" in command
    assert "class_names" not in command and "resampling" not in command
    context = SimpleNamespace(
        run=RunConfig.load(train_dir),
        config=ReportConfig(train_dir=str(train_dir)),
        dataset_name="folder",
    )
    assert _density_config(context).data.to_dict().items() >= expected.items()


def test_runs_of_earlier_versions_go_on_without_names_of_classes(tmp_path):
    root = store_photographs(tmp_path / "photographs")
    data = data_of(root)
    run_of(tmp_path / "run", data).run()
    config_path = tmp_path / "run" / "config.json"
    content = json.loads(config_path.read_text())
    del content["data"]["class_names"]
    config_path.write_text(json.dumps(content))
    for name in ("train", "test"):
        (root / name / "fox").mkdir()
    assert run_of(tmp_path / "run", data).config.data.class_names == ("cat", "dog")
    with pytest.raises(InputError, match="`data_dir` must hold images in the folder of each class"):
        run_of(tmp_path / "new", data)
    assert not (tmp_path / "new").exists()


def dry_run(train_dir, data, num_classes=2):
    lines = []
    options = MODEL | {"num_classes": num_classes}
    report_dry_run(train_dir, data, options, training_of(), report=lines.append)
    return lines


def test_a_dry_run_says_what_was_found_and_writes_nothing(tmp_path):
    root = store_photographs(tmp_path / "photographs")
    before = files_below(tmp_path)
    lines = dry_run(str(tmp_path / "run"), data_of(root))
    assert lines[0] == "data set folder"
    for line in (
        "files: 16 .webp",
        "stored sizes (height x width): 8x8 (4), 8x11 (4), 10x8 (4), 13x9 (4)",
        "crop=center cuts parts off 12 of 16 images",
        "resize=8x8 reduces 4 of 16 images, by area resampling",
        "classes: 2",
    ):
        assert line in lines
    assert lines[-2].startswith("training: 1 steps of 4 images, ")
    assert lines[-1] == "dry run: the flags suit the images; nothing was built or written"
    assert files_below(tmp_path) == before


def test_a_dry_run_finds_what_a_training_would(tmp_path):
    root = store_photographs(tmp_path / "photographs")
    with pytest.raises(InputError, match=r"The 16 images have 4 sizes, .*--resize=HEIGHT,WIDTH"):
        dry_run(None, data_of(root, crop=None, resize=None))
    with pytest.raises(InputError, match="`num_classes` must be the number of classes in .*got 3"):
        dry_run(None, data_of(root), num_classes=3)
    with pytest.raises(InputError, match="`image_shape` must have a height divisible"):
        dry_run(None, data_of(root, resize=7))
    (root / "test" / "dog" / "0.webp").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=f"{root / 'test' / 'dog' / '0.webp'} must be a PNG"):
        dry_run(None, data_of(root))


@pytest.mark.slow
def test_the_command_of_a_dry_run(tmp_path):
    process = run_command("train.py", "--dataset=digits", "--num_levels=2", "--dry_run")
    assert process.returncode == 0, process.stderr
    assert "train: 1,297 images, grey levels 0 to 16, 17 of 17 are used" in process.stdout
    assert process.stdout.endswith("nothing was built or written\n")
    train_dir = tmp_path / "run"
    arguments = ["--dataset=digits", f"--train_dir={train_dir}", "--num_levels=2"]
    for more, expected in (
        (["--dry_run", "--resize=8"], "`resize` must be None for dataset 'digits'"),
        (["--dry_run", "--crop=middle"], "`crop` must be 'center' or N or HEIGHT,WIDTH"),
        (["--resize=8,8,8"], "`resize` must be N or HEIGHT,WIDTH, integers in 1 ... 65535; got"),
        (["--dry_run=perhaps"], "--dry_run=perhaps"),
    ):
        process = run_command("train.py", *arguments, *more)
        assert process.returncode == 2
        assert expected in error_line(process)
    assert not train_dir.exists()
