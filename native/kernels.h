// The table of kernels of one instruction set. Adding a cell adds its header to kernels.cc and its name to `cell_names`.
#pragma once
#include "batch.h"
#include "team.h"

namespace saiki {

constexpr const char* cell_names[] = {"elman_tanh", "elman_relu", "lstm", "gru"};
constexpr int cell_count = int(sizeof cell_names / sizeof *cell_names);

struct CellKernels {
  int gates, states;
  long (*saved_row)(const Call&);
  void (*forward)(const Call&, Team&);
  void (*backward)(const Call&, Team&);
  size_t (*stream_bytes)(const Call&);
  void (*stream_begin)(const Call&, void* block);
  void (*stream_push)(void* block, const void* x, void* y, Team&);
  void (*stream_state)(void* block, int number, void* numbers, bool set);
};

struct Kernels {
  const char* isa;
  int vector_bytes;
  CellKernels cells[cell_count][2];  // float, double
  void (*scan_forward[2])(const Scan&, Team&);
  void (*scan_backward[2])(const Scan&, Team&);
  void (*reservoir[2])(const Reservoir&, Team&);
  double (*rate[2])(double seconds);   // GFLOP/s of the micro-kernel alone, on data that fits the first-level cache
};

}  // namespace saiki
