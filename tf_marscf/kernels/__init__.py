"""The fast ways to compute what networks, bijectors and distributions say.

Each equals a plain form in values and gradients, and a test, `tests/*/test_*.py`, shows it. The
plain forms of the model stand in `reference.py` and `reference_networks.py`. What a kernel asks
about devices stands in `devices.py`.

fast                       | plain form it equals           | test_                | used
---------------------------|--------------------------------|----------------------|----------------
conv_lstm_recurrence       | reference.conv_lstm            | conv_lstm            | everywhere
sample_channels            | reference.sample_prior         | priors               | everywhere
convolve                   | reference_networks.convolution | conv_lstm            | everywhere
SpectralConvolution        | DirectConvolution              | conv_lstm            | exact, small *
CompactSpectralConvolution | SpectralConvolution            | conv_lstm            | few images *
DenseChannels              | ImageChannels                  | channel_convolutions | spectral, small
GatheredChannels           | ImageChannels                  | channel_convolutions | other spectral
dot_product_attention      | reference_networks.attention   | written_gradients    | everywhere
mixture_terms              | reference.logit_mixture_cdf    | mixture_logit_cdf    | everywhere
LayerStack                 | layer after layer              | layer_stack          | everywhere
recomputed_layer_loop      | layer_loop                     | layer_stack          | graphs
recomputed                 | the function itself            | recomputation        | if asked for
in_batch_parts             | the function itself            | batch_parts          | CPU graphs *
compiled_by_xla            | the function itself            | compiled_by_xla      | graphs
whole_by_xla               | the function itself            | compiled_steps       | GPUs *
exact_matmul               | tf.matmul                      | tensor_float_32      | GPUs *

* The Fourier transforms of spectral convolutions take full float32 or float64: on GPUs with
TensorFloat-32 on, and in half precision, convolutions are direct (`fastest_convolution`). Compact
are those of single steps, of up to 8 maps. Batches are split into parts where a graph runs on CPUs
with one thread an operation (`num_operations_at_once`). XLA compiles the whole of what is large
where there is a GPU, or where it is asked for (`is_compiled`). A product is made exact where a GPU
would use TensorFloat-32.
"""
