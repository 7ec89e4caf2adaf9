/* Serves a SavedModel through TensorFlow's C interface, the loader of servers.
 *
 * load_saved_model EXPORT NUM_THREADS < REQUESTS
 *
 * Every thread answers all requests, on one session; with 0 threads, each request is answered as soon
 * as it is read, as a server does. A request is a line of words,
 *   NAME INPUT... -- OUTPUT...
 *   INPUT:  OPERATION DTYPE RANK DIMENSION... FILE   the tensor's bytes are read from FILE
 *   OUTPUT: OPERATION INDEX                          its bytes go to NAME.OUTPUT_NUMBER.THREAD
 * For each request a thread prints "THREAD NAME: ok", or the number of the error's code and its
 * message; it goes on with the next one. The status is 0, or 1 if the model cannot be loaded or a
 * request cannot be read.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MAX_TENSORS 8
#define MAX_RANK 8
#define MAX_REQUESTS 64
#define MAX_THREADS 16
#define MAX_LINE 4096

typedef struct {
  char name[256];
  int num_inputs, num_outputs;
  TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  TF_Tensor *input_tensors[MAX_TENSORS];
} Request;

static TF_Session *session;
static Request requests[MAX_REQUESTS];
static int num_requests;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static const char *word(void) {
  const char *next = strtok(NULL, " \n");
  if (next == NULL) fail("usage", "a request ends too early");
  return next;
}

static TF_Output find(TF_Graph *graph, const char *name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper == NULL) fail("no such operation", name);
  return output;
}

static TF_Tensor *read_tensor(TF_DataType dtype, int rank, int64_t *dimensions, const char *path) {
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

static void read_request(TF_Graph *graph, char *line, Request *request) {
  snprintf(request->name, sizeof request->name, "%s", strtok(line, " \n"));
  const char *next = word();
  for (; strcmp(next, "--") != 0; next = word(), ++request->num_inputs) {
    if (request->num_inputs == MAX_TENSORS) fail("usage", "too many inputs");
    request->inputs[request->num_inputs] = find(graph, next, 0);
    TF_DataType dtype = (TF_DataType)atoi(word());
    int rank = atoi(word());
    int64_t dimensions[MAX_RANK];
    if (rank > MAX_RANK) fail("usage", "too high a rank");
    for (int axis = 0; axis < rank; ++axis) dimensions[axis] = atoll(word());
    request->input_tensors[request->num_inputs] = read_tensor(dtype, rank, dimensions, word());
  }
  while ((next = strtok(NULL, " \n")) != NULL) {
    if (request->num_outputs == MAX_TENSORS) fail("usage", "too many outputs");
    request->outputs[request->num_outputs++] = find(graph, next, atoi(word()));
  }
}

static void answer(Request *request, long thread, TF_Status *status) {
  TF_Tensor *outputs[MAX_TENSORS] = {NULL};
  TF_SessionRun(session, NULL, request->inputs, request->input_tensors, request->num_inputs,
                request->outputs, outputs, request->num_outputs, NULL, 0, NULL, status);
  char result[1024] = "ok";
  if (TF_GetCode(status) != TF_OK)
    snprintf(result, sizeof result, "%d %s", (int)TF_GetCode(status), TF_Message(status));
  else
    for (int number = 0; number < request->num_outputs; ++number) {
      char path[512];
      snprintf(path, sizeof path, "%s.%d.%ld", request->name, number, thread);
      write_tensor(path, outputs[number]);
      TF_DeleteTensor(outputs[number]);
    }
  for (char *end = result; *end; ++end)
    if (*end == '\n') *end = ' ';
  printf("%ld %s: %s\n", thread, request->name, result);
}

static void *answer_all(void *argument) {
  long thread = (long)argument;
  TF_Status *status = TF_NewStatus();
  /* Each thread starts with another request, so that different signatures meet. */
  for (int index = 0; index < num_requests; ++index)
    answer(&requests[(index + thread) % num_requests], thread, status);
  TF_DeleteStatus(status);
  return NULL;
}

static void delete_inputs(Request *request) {
  for (int input = 0; input < request->num_inputs; ++input)
    TF_DeleteTensor(request->input_tensors[input]);
}

int main(int argc, char **argv) {
  int num_threads = argc == 3 ? atoi(argv[2]) : -1;
  if (num_threads < 0 || num_threads > MAX_THREADS)
    fail("usage", "load_saved_model EXPORT NUM_THREADS < REQUESTS");
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  if (TF_GetCode(status) != TF_OK) fail("cannot load", TF_Message(status));

  char line[MAX_LINE];
  while (num_threads == 0 && fgets(line, sizeof line, stdin) != NULL) {
    Request request = {.num_inputs = 0};
    read_request(graph, line, &request);
    answer(&request, 0, status);
    fflush(stdout);
    delete_inputs(&request);
  }
  for (; fgets(line, sizeof line, stdin) != NULL; ++num_requests) {
    if (num_requests == MAX_REQUESTS) fail("usage", "too many requests");
    read_request(graph, line, &requests[num_requests]);
  }
  pthread_t threads[MAX_THREADS];
  for (long thread = 0; thread < num_threads; ++thread)
    if (pthread_create(&threads[thread], NULL, answer_all, (void *)thread) != 0)
      fail("cannot start", "a thread");
  for (int thread = 0; thread < num_threads; ++thread) pthread_join(threads[thread], NULL);

  for (int index = 0; index < num_requests; ++index) delete_inputs(&requests[index]);
  TF_CloseSession(session, status);
  if (TF_GetCode(status) != TF_OK) fail("cannot close", TF_Message(status));
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
