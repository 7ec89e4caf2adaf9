"""JSON of TensorFlow Serving's REST interface, with the rules of its json_tensor.cc."""

import json
import math

import numpy as np
import tensorflow as tf

_MAX_QUOTED = 256
_TYPE_NAMES = {dict: "Object", list: "Array", str: "String", type(None): "Null"}


class JsonError(ValueError):
    """A body that the server refuses: INVALID_ARGUMENT."""


def read_body(body):
    """The object in the body of a request; its `signature_name` is a string, "" if missing."""
    text = body.decode()
    if not text:
        raise JsonError("JSON Parse error: The document is empty")
    try:
        # As the server does, it takes NaN and Infinity, and stops where the object ends.
        content, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except json.JSONDecodeError as error:
        raise JsonError(f"JSON Parse error: Invalid value. at offset: {error.pos}") from error
    if not isinstance(content, dict):
        raise JsonError(f"JSON Value: {_quoted(content)} Is not object")
    content.setdefault("signature_name", "")
    if not isinstance(content["signature_name"], str):
        raise JsonError(
            f"JSON Value: {_quoted(content)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return content


def read_inputs(content, infos):
    """The inputs of a request as a dict of arrays, and whether they came in rows.

    Args:
        content: what `read_body` returned.
        infos: the `TensorInfo`s of the signature's inputs, by name.
    """
    has_rows, has_columns = "instances" in content, "inputs" in content
    if has_rows and has_columns:
        raise JsonError(
            f"JSON Value: {_quoted(content)} Not formatted correctly expecting only one of 'inputs'"
            " or 'instances' keys to exist "
        )
    if has_rows:
        return _from_rows(content, infos), True
    if has_columns:
        return _from_columns(content["inputs"], infos), False
    raise JsonError("Missing 'inputs' or 'instances' key")


def _from_rows(content, infos):
    rows = content["instances"]
    if not isinstance(rows, list):
        raise JsonError(f"JSON Value: {_quoted(content)} Expecting 'instances' to be an list/array")
    if not rows:
        raise JsonError(f"JSON Value: {_quoted(content)} No values in 'instances' array")
    are_objects = _is_named(rows[0])
    if not are_objects and len(infos) > 1:
        raise JsonError(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = {}
    for number, row in enumerate(rows):
        if _is_named(row) != are_objects:
            found, expected = ("object", "value/list") if _is_named(row) else ("list", "object")
            raise JsonError(f"Expecting {expected} but got {found} at item {number} of input list")
        named = row if are_objects else {next(iter(infos)): row}
        for name, value in named.items():
            try:
                _add_row(columns, name, value, infos)
            except JsonError as error:
                key = f" key: {name}" if are_objects else ""
                raise JsonError(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: {error}"
                ) from error
        if set(named) != set(infos):
            raise JsonError(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{_quoted(row)} keys must be equal to: {','.join(sorted(infos))}"
            )
    return {name: np.stack(column) for name, column in columns.items()}


def _add_row(columns, name, value, infos):
    if name not in infos:
        raise JsonError(f"JSON object: does not have named input: {name}")
    array = _array(value, infos[name].dtype)
    column = columns.setdefault(name, [])
    if column and column[0].size != array.size:
        raise JsonError(f"Expecting tensor size: {column[0].size} but got: {array.size}")
    if column and column[0].shape != array.shape:
        raise JsonError(f"Expecting shape {column[0].shape} but got: {array.shape}")
    column.append(array)


def _from_columns(value, infos):
    if not _is_named(value):
        if len(infos) > 1:
            raise JsonError(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        ((name, info),) = infos.items()
        return {name: _array(value, info.dtype)}
    for name in infos:  # Further names are passed over.
        if name not in value:
            raise JsonError(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(value[name], info.dtype) for name, info in infos.items()}


def _is_named(value):
    """Whether an object names tensors, and is not bytes in base64."""
    is_base64 = isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)
    return isinstance(value, dict) and not is_base64


def _array(value, dtype):
    """An array of nested lists, whose shape is that of the first elements."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    numbers = []
    _add_numbers(value, shape, 0, dtype, numbers)
    kind = np.float32 if dtype == tf.float32.as_datatype_enum else np.int64
    # Integers of 8 bits are taken modulo 256.
    array = np.array(numbers, kind).astype(tf.as_dtype(dtype).as_numpy_dtype)
    return array.reshape(shape)


def _add_numbers(value, shape, level, dtype, numbers):
    if isinstance(value, list):
        if level >= len(shape):
            raise JsonError(
                f"Encountered list at unexpected level: {level} expected < {len(shape)}"
            )
        if len(value) != shape[level]:
            raise JsonError(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected "
                f"size: {shape[level]}"
            )
        for one in value:
            _add_numbers(one, shape, level + 1, dtype, numbers)
        return
    if level != len(shape):
        raise JsonError(
            f"JSON Value: {_quoted(value)} found at incorrect level: {level + 1} in the JSON DOM. "
            f"Expected at level: {len(shape)}"
        )
    types = (int, float) if dtype == tf.float32.as_datatype_enum else int
    is_number = isinstance(value, types) and not isinstance(value, bool)
    if not is_number or (isinstance(value, int) and types is int and not -(2**31) <= value < 2**31):
        kind = _TYPE_NAMES.get(type(value), str(value) if isinstance(value, bool) else "Number")
        raise JsonError(
            f"JSON Value: {_quoted(value)} Type: {kind} is not of expected type: "
            f"{tf.as_dtype(dtype).name}"
        )
    numbers.append(value)


def _quoted(value):
    return json.dumps(value)[:_MAX_QUOTED]


def write_outputs(outputs, in_rows):
    """The body of an answer: a dict of arrays, in rows or in columns."""
    if not in_rows:
        return '{\n    "outputs": ' + _written(outputs, "    ") + "\n}"
    for name, array in outputs.items():
        if array.ndim == 0:
            raise JsonError(f"Tensor name: {name} has no shape information ")
    sizes = {len(array) for array in outputs.values()}
    if len(sizes) > 1:
        raise JsonError(f"Tensor name: {name} has inconsistent batch size: {len(array)}")
    rows = [
        _written({name: array[row] for name, array in outputs.items()}, "        ")
        for row in range(sizes.pop())
    ]
    return '{\n    "predictions": [' + ", ".join(rows) + "\n    ]\n}"


def _written(outputs, indent):
    """Several outputs are an object, one is its value."""
    if len(outputs) == 1:
        (array,) = outputs.values()
        return _written_array(array)
    lines = [f'{indent}    "{name}": {_written_array(one)}' for name, one in outputs.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _written_array(array):
    if np.ndim(array):
        return "[" + ", ".join(map(_written_array, array)) + "]"
    return _written_float(array) if array.dtype == np.float32 else str(int(array))


def _written_float(value):
    """Six digits, or nine where six are another number; whole numbers end with .0."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:g}"
    if np.float32(text) != value:
        text = f"{value:.9g}"
    return text if "." in text or "e" in text else f"{text}.0"
