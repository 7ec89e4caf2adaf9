from matplotlib.figure import Figure

from tf_marscf.reporting.training_curves import TrainingCurves
from tf_marscf.reporting.training_section import draw_training_curves, panels_of

CURVES = TrainingCurves(
    train={
        "bits_per_dim": {1: 90.0, 2: 4.0, 3: 3.5, 4: 3.0},
        "prior_bits_per_dim/level_1": {1: 1.0, 2: 0.5},
        "prior_bits_per_dim/level_2": {1: 1.5, 2: 0.7},
        "gradient_norm": {1: 5.0},
    },
    validation={"bits_per_dim": {2: 4.2, 4: 3.2}, "average_bits_per_dim": {4: 3.1}},
)


def test_there_are_panels_for_what_was_logged_only():
    assert [panel.title.split()[0] for panel in panels_of(CURVES)] == [
        "Bits/dim",
        "Prior",
        "Gradient",
    ]
    assert panels_of(TrainingCurves({}, {})) == []
    assert not TrainingCurves({}, {})


def test_a_line_for_each_level_and_split():
    figure = Figure()
    draw_training_curves(figure, CURVES)
    bits, prior, gradient = [axes for axes in figure.axes if axes.axison]
    labels = [line.get_label() for line in bits.lines]
    assert labels == ["training batch", "validation", "validation, average of the weights"]
    assert [line.get_label() for line in prior.lines] == ["level 1", "level 2"]
    assert prior.lines[1].get_ydata().tolist() == [1.5, 0.7]
    assert gradient.get_legend() is None


def test_the_first_values_do_not_flatten_the_others_and_are_told():
    figure = Figure()
    draw_training_curves(figure, CURVES)
    bits = figure.axes[0]
    assert 4.2 < bits.get_ylim()[1] < 10.0
    assert "from 90.00 at the start" in bits.get_title()


def test_rows_best_and_last():
    rows = CURVES.rows()
    assert len(rows) == 12
    assert rows[0] == {"split": "train", "tag": "bits_per_dim", "step": 1, "value": 90.0}
    assert CURVES.best_validation() == (4, 3.1)
    assert CURVES.last_step == 4
