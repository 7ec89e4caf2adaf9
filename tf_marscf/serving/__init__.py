"""Export of trained models as SavedModels for TensorFlow Serving."""
