"""What the devices of a training step send each other, and when that limits it, by arithmetic.

A step adds up over all devices the gradients of all weights and the terms of bits/dim:

    bytes = (parameters + terms) * bytes of the dtype

once, whatever `num_accumulated_parts` is: a device adds up its own parts first. In a ring of n
devices each of n equal shares of these bytes goes round twice, to be added up and to be handed
out, so that each device sends, and receives,

    bytes sent = 2 (n - 1) / n * bytes

A step whose computation takes less time than a link needs for them is limited by that link.
"""

from tf_marscf.benchmarks.operation_count import log_prob_operations
from tf_marscf.config import DequantizationConfig
from tf_marscf.model_size import BYTES, num_dequantizer_parameters, num_parameters

# Gbit/s in each direction. PCIe 4.0 has 16 lanes of 16 Gbit/s, of which 128 of 130 bits are data;
# NVLink 3 (A100) 12 links, NVLink 4 (H100) 18, each of 25 GB/s.
LINKS = {
    "1 Gbit/s": 1.0,
    "10 Gbit/s": 10.0,
    "25 Gbit/s": 25.0,
    "100 Gbit/s": 100.0,
    "PCIe 4.0 x16": 16 * 16 * 128 / 130,
    "NVLink 3": 12 * 25 * 8.0,
    "NVLink 4": 18 * 25 * 8.0,
}
# Of log p: a product forward is two backward, one for each factor's gradient.
_OPERATIONS_WITH_GRADIENT = 3


def all_reduced_bytes(config, dequantization=None):
    """Bytes that a training step adds up over the devices, an `int`.

    Args:
        config: a `MarScfConfig`.
        dequantization: a `DequantizationConfig`, or None for uniform noise.
    """
    dequantization = dequantization or DequantizationConfig()
    num_terms = 2 * config.num_levels + (dequantization.dequantization != "uniform")
    num_values = num_parameters(config) + num_terms
    num_values += num_dequantizer_parameters(dequantization, config.image_shape)
    return BYTES[config.dtype] * num_values


def sent_bytes(num_bytes, num_devices):
    """Bytes that each device of a ring sends to all-reduce `num_bytes`."""
    return 2 * (num_devices - 1) / num_devices * num_bytes


def report_all_reduce(config, dequantization, batch_size, device_counts, report=print):
    """Reports, for each number of devices, bytes and operations of a step and seconds by link.

    Args:
        config: a `MarScfConfig`.
        dequantization: a `DequantizationConfig`.
        batch_size: images a step, over all devices.
        device_counts: integers >= 2.
        report: called with each line of a table.
    """
    num_bytes = all_reduced_bytes(config, dequantization)
    operations = _OPERATIONS_WITH_GRADIENT * log_prob_operations(config, batch_size)
    report(f"{num_parameters(config):,} parameters; a step all-reduces {num_bytes / 1e6:.1f} MB")
    report("Of each device: MB that it sends, GFLOP of its share of the batch with their gradient,")
    report("and seconds that a link takes; a step that computes for less is limited by the link.")
    links = "".join(f"{name:>14}" for name in LINKS)
    report(f"{'devices':>7}{'MB sent':>10}{'GFLOP':>10}{links}")
    for count in device_counts:
        sent = sent_bytes(num_bytes, count)
        seconds = "".join(f"{8 * sent / (rate * 1e9):>14.3g}" for rate in LINKS.values())
        report(f"{count:>7}{sent / 1e6:>10.1f}{operations / count / 1e9:>10.1f}{seconds}")
