"""What a portable export answers: the signatures of a server, of batches of one size."""

import functools

import tensorflow as tf

from tf_marscf.serving.served_model import ServedModel


class PortableSignatures(ServedModel):
    """The functions behind the programs of a portable export, those of `ServedModel`.

    All shapes are known. XLA cannot raise, and leaves out all checks: who calls a program looks at
    what goes in, and whether what comes out is finite.
    """

    def signatures(self, batch_size):
        """A dict from each name to `(function, dict of tensor specs)`, for so many images."""

        def static(spec):
            if spec.shape.rank is None:
                return tf.TensorSpec([len(self._model.levels)], spec.dtype)  # A temperature.
            sizes = [batch_size if size is None else size for size in spec.shape]
            return tf.TensorSpec(sizes, spec.dtype)

        signatures = super().signatures()
        _, request = signatures["sample"]
        request = {name: spec for name, spec in request.items() if name != "num_samples"}
        signatures["sample"] = functools.partial(self.sample_batch, batch_size), request
        return {
            name: (function, {key: static(spec) for key, spec in specs.items()})
            for name, (function, specs) in signatures.items()
        }

    def sample_batch(self, num_samples, seed, temperature, labels=None):
        """`images`, uint8 [num_samples, H, W, C], and their `values` before they are rounded.

        `temperature` is one a level.
        """
        of_class = {} if labels is None else {"label": labels}
        values = self._model.sample(num_samples, seed=seed, temperature=temperature, **of_class)
        return {"images": self._images.scaling.grey_levels(values), "values": values}
