// One call of a cell that runs step by step: its input is projected a chunk of time at a time, and so are the gradients of input and
// weights taken; between them is what must follow time. Packed as `Batch` says.
#pragma once
#include "batch.h"
#include "team.h"

namespace saiki {

constexpr int max_products = 32, max_vectors_of_cell = 4;

// A product W a inside a step, a being what a cell enters: [rows, depth] times [depth], and what is done to the result: layer norm
// where there is a gain, and the bias.
struct Product {
  long rows, depth;
  const void *weight, *bias, *gain;
  long shared;      // column of the gates whose gradient is that of the result too; -1: none
  void *entered;    // [steps, depth], what was entered; null when no gradient will be asked
  void *dweight, *dbias, *dgain;
};

// The gates of all steps, W x: layer norm where there is a gain, and the bias. dx may be null.
struct Input {
  long features;
  const void *x, *weight, *bias, *gain;  // [steps, features], [columns, features], [columns], [columns]
  void *dx, *dweight, *dbias, *dgain;
};

struct Steps {
  // Whether something changes the state behind the cell, so that y is not what the cell gave.
  bool changed() const { return transitions || zones; }

  Batch batch;
  long columns, width;                // numbers in a row of the gates; units
  bool coupled, relu, before;         // options of the lstm, of elman and indrnn, of the gru
  bool highway;                       // the input itself goes up (sru), so that dx has a part that is not of the gates
  Input input;
  const void *zones, *mask;           // shares of zoneout; mask of h, [rows, units of h]
  long zone_row;                      // numbers between rows of zones; 0: one row for all
  int products, transitions;          // the last products are layers on h behind the step
  Product product[max_products];
  long vector_size[max_vectors_of_cell];
  const void* vector[max_vectors_of_cell];
  void* dvector[max_vectors_of_cell];
  long size[max_states];              // units of every part of the state
  const void* initial[max_states];
  void *y, *final[max_states], *saved;  // y: backward, what forward gave
  const void *dy, *dfinal[max_states];
  void *dinitial[max_states];
};

// One product of matrices; see product.h.
struct Matrices {
  long rows, columns, depth;
  bool across, turned;  // A B'; A' B; neither: A B
  const void *a, *b;
  void* c;
};

constexpr const char* step_names[] = {"elman", "gru", "lstm", "slstm", "rhn", "indrnn", "sru", "lru", "mingru", "gru_d", "cfc"};
constexpr int step_count = int(sizeof step_names / sizeof *step_names);

struct StepKernels {
  bool sees;                     // backward reads y
  int states, outputs, vectors;  // parts of the state, those that go up, vectors that it may take
  long (*saved_row)(const Steps&);
  void (*forward)(const Steps&, Team&);
  void (*backward)(const Steps&, Team&);
};

struct StepTable {
  StepKernels cells[step_count][2];  // float, double
  void (*product[2])(const Matrices&, Team&);
};

}  // namespace saiki
