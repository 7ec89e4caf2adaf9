/* Runs one signature of a SavedModel through TensorFlow's C interface, the loader of servers.
 *
 * load_saved_model EXPORT INPUT... -- OUTPUT...
 *   INPUT:  OPERATION DTYPE RANK DIMENSION... FILE   the tensor's bytes are read from FILE
 *   OUTPUT: OPERATION INDEX FILE                     the tensor's bytes are written to FILE
 * It ends with status 0, or with 1 and one line on the error stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MAX_TENSORS 8
#define MAX_RANK 8

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void check(TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static TF_Output find(TF_Graph *graph, const char *name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper == NULL) fail("no such operation", name);
  return output;
}

static TF_Tensor *read_tensor(const char *path, TF_DataType dtype, int rank, int64_t *dimensions) {
  size_t size = TF_DataTypeSize(dtype);
  for (int axis = 0; axis < rank; ++axis) size *= (size_t)dimensions[axis];
  TF_Tensor *tensor = TF_AllocateTensor(dtype, dimensions, rank, size);
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("cannot open", path);
  if (fread(TF_TensorData(tensor), 1, size, file) != size) fail("cannot read", path);
  fclose(file);
  return tensor;
}

static void write_tensor(const char *path, TF_Tensor *tensor) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) fail("cannot open", path);
  size_t size = TF_TensorByteSize(tensor);
  if (fwrite(TF_TensorData(tensor), 1, size, file) != size) fail("cannot write", path);
  fclose(file);
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage", "load_saved_model EXPORT INPUT... -- OUTPUT...");
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "cannot load");

  TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  TF_Tensor *input_tensors[MAX_TENSORS], *output_tensors[MAX_TENSORS] = {NULL};
  const char *output_paths[MAX_TENSORS];
  int num_inputs = 0, num_outputs = 0, argument = 2;
  for (; argument < argc && strcmp(argv[argument], "--") != 0; ++num_inputs) {
    if (num_inputs == MAX_TENSORS) fail("usage", "too many inputs");
    inputs[num_inputs] = find(graph, argv[argument++], 0);
    TF_DataType dtype = (TF_DataType)atoi(argv[argument++]);
    int rank = atoi(argv[argument++]);
    int64_t dimensions[MAX_RANK];
    if (rank > MAX_RANK) fail("usage", "too high a rank");
    for (int axis = 0; axis < rank; ++axis) dimensions[axis] = atoll(argv[argument++]);
    input_tensors[num_inputs] = read_tensor(argv[argument++], dtype, rank, dimensions);
  }
  for (++argument; argument + 2 < argc; argument += 3, ++num_outputs) {
    if (num_outputs == MAX_TENSORS) fail("usage", "too many outputs");
    outputs[num_outputs] = find(graph, argv[argument], atoi(argv[argument + 1]));
    output_paths[num_outputs] = argv[argument + 2];
  }

  TF_SessionRun(session, NULL, inputs, input_tensors, num_inputs, outputs, output_tensors,
                num_outputs, NULL, 0, NULL, status);
  check(status, "cannot run");
  for (int index = 0; index < num_outputs; ++index)
    write_tensor(output_paths[index], output_tensors[index]);
  TF_CloseSession(session, status);
  check(status, "cannot close");
  return 0;
}
