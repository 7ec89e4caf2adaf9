"""What a training run would start from: its images, and whether its arguments suit them."""

from tf_marscf.data import load_configured_dataset, summary_lines
from tf_marscf.training.run_settings import check_settings


def report_dry_run(train_dir, data, model_options, training, report=print, **options):
    """Loads the images, says what they are, and checks the arguments of a `TrainingRun`.

    Nothing is written, downloaded or built.

    Args:
        train_dir: as of `TrainingRun`, or None.
        data: a `DataConfig`.
        model_options: dict, arguments of `MarScfConfig` but for `image_shape`.
        training: a `TrainingConfig`.
        report: called with each line of text.
        **options: further arguments of `check_settings`.

    Raises:
        DataUnavailableError: if the images are not at hand.
        InputError, RunError: as of `check_settings`, once all that was found is reported.
    """
    dataset = load_configured_dataset(data, download=False)
    for line in summary_lines(dataset, model_options.get("num_classes") is not None):
        report(line)
    settings = check_settings(dataset, train_dir, data, model_options, training, **options)
    report(
        f"training: {training.num_steps(dataset.num_train_images):,} steps of "
        f"{training.batch_size} images, {settings.config.num_parameters:,} parameters"
    )
    if settings.earlier is not None:
        report(f"the run in {train_dir} would be continued")
    report("dry run: the flags suit the images; nothing was built or written")
