// The problem one call solves: a ragged batch, and the tensors around it.
//
// Rows of the batch are sorted by length, longest first. At time t the first counts[t] of them are active, and no padded
// step is ever computed. What only a kernel sees (`saved`) is packed: row b at time t is its row offsets[t] + b. The
// tensors of the caller (x, y and their gradients) may be packed too, or padded in any order: row b at time t is their row
// starts[t] + places[b]; in the states it is row origins[b].
#pragma once
#include <cstdint>

namespace saiki {

constexpr int max_states = 4;

struct Batch {
  long time, rows;         // steps of the longest row; rows of the batch, empty ones included
  const int64_t* counts;   // [time], non-increasing, >= 1
  const int64_t* offsets;  // [time + 1], running sum of counts
  bool reverse;            // time runs backwards, each row from its own last step
  const int64_t* starts;   // [time, or padded where that is more]
  const int64_t *places, *origins;  // [rows]
  long padded;             // times of a padded batch, whose rest becomes zero; 0: packed

  // The processing order: step p of 0 .. time - 1 happens at time at(p).
  long at(long p) const { return reverse ? time - 1 - p : p; }
  long count(long p) const { return p < 0 || p >= time ? 0 : counts[at(p)]; }
  long row(long p) const { return offsets[at(p)]; }
  long place(long p, long b) const { return starts[at(p)] + places[b]; }
};

// Pointers are to float or double, as the kernel says; gate order and shapes are those of torch.nn. Null means absent.
struct Call {
  Batch batch;
  long features, width;
  bool by_units;  // see plan.h
  const void *x, *weight_ih, *weight_hh, *bias_ih, *bias_hh;
  const void* initial[max_states];  // [rows, width] each
  void* y;                          // [steps or padded places, width]
  void* final[max_states];          // [rows, width] each
  void* saved;                      // [steps, saved_width], for backward; null when no gradient will be asked
  // backward only: gradients coming in, gradients going out
  const void* dy;
  const void* dfinal[max_states];
  void *dx, *dweight_ih, *dweight_hh, *dbias_ih, *dbias_hh;
  void* dinitial[max_states];
};

// A linear recurrence, elementwise and packed: y_t = decay_t y_{t-1} + inflow_t. All are [steps, width], states [rows, width].
struct Scan {
  Batch batch;
  long width;
  const void *decay, *inflow, *initial;
  void *y, *final;
  // backward only: gradients coming in (null: none), gradients going out
  const void *dy, *dfinal;
  void *ddecay, *dinflow, *dinitial;
};

// A reservoir with a constant sparse matrix, packed: drive and y are [steps, width], states [rows, width]; row u of the matrix has
// the weights starts[u] .. starts[u + 1] - 1.
struct Reservoir {
  Batch batch;
  long width;
  double leak;
  bool squash;  // tanh, or the identity
  const int64_t* starts;
  const int32_t* columns;
  const void *weights, *drive, *initial;
  void *y, *final;
};

}  // namespace saiki
