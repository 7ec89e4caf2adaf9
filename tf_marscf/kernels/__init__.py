"""The fast ways to compute what networks, bijectors and distributions say.

Each equals a plain form in values and gradients, and a test, `tests/*/test_*.py`, shows it. The
plain forms of the model stand in `reference.py` and beside it (`reference_*.py`). Which of several
fast ways runs on a device is decided in `choices.py`, which asks `devices.py` what there is.

fast                       | plain form it equals           | test_                | used
---------------------------|--------------------------------|----------------------|----------------
conv_lstm_recurrence       | reference.conv_lstm            | conv_lstm            | everywhere
sample_channels            | reference.sample_prior         | priors               | everywhere
convolve                   | reference_networks.convolution | conv_lstm            | everywhere
SpectralConvolution        | DirectConvolution              | conv_lstm            | by choice *
CompactSpectralConvolution | SpectralConvolution            | conv_lstm            | by choice
DenseChannels              | ImageChannels                  | channel_convolutions | by choice
GatheredChannels           | ImageChannels                  | channel_convolutions | other spectral
dot_product_attention      | reference_networks.attention   | written_gradients    | everywhere
mixture_terms              | logit_mixture_cdf (reference)  | mixture_logit_cdf    | everywhere
LayerStack                 | layer after layer              | layer_stack          | by choice
recomputed_layer_loop      | layer_loop                     | layer_stack          | graphs
recomputed                 | the function itself            | recomputation        | if asked for
in_batch_parts             | the function itself            | batch_parts          | by choice
compiled_by_xla            | the function itself            | compiled_by_xla      | by choice
whole_by_xla               | the function itself            | compiled_steps       | by choice
exact_matmul               | tf.matmul                      | tensor_float_32      | GPUs *

* The Fourier transforms of spectral convolutions take full float32 or float64: on GPUs with
TensorFloat-32 on, and in half precision, there is no choice: convolutions are direct. A product is
made exact where a GPU would use TensorFloat-32.
"""
