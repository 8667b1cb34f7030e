// How a call is divided among threads. A pure function of shapes and of the number of threads: results never depend on
// timing.
#pragma once
#include "batch.h"

namespace saiki {

struct Plan {
  int lanes;
  bool by_units;  // split the units of every step, with a barrier per step; else the rows of the batch, with none
};

inline double products_of(const Call& call, int gates) {
  const double steps = double(call.batch.offsets[call.batch.time]), width = double(call.width);
  return steps * gates * width * (width + double(call.features));
}

inline bool worth_waking(double products) { return products >= 2e6; }  // some 40 microseconds of one core

inline Plan plan(const Call& call, int gates, int threads) {
  if (threads <= 1 || !worth_waking(products_of(call, gates))) return {1, false};
  const double steps = double(call.batch.offsets[call.batch.time]), width = double(call.width);
  // Too few rows to go round, or so few per lane that every lane would mostly read weights: each reads its own part.
  const double weights = gates * width * width, per_step = steps / double(call.batch.time) * weights;
  constexpr double worth_a_barrier = 5e4;  // products of one step, about a microsecond of one core
  constexpr double in_cache = 131072;      // numbers of the second-level cache that weights may fill
  constexpr double per_row = 12288;        // numbers read per step that cost as much as the arithmetic of one row
  const bool reading = weights > in_cache && double(call.batch.rows) * per_row <= threads * weights;
  if (call.batch.rows < threads || reading) return per_step < worth_a_barrier ? Plan{1, false} : Plan{threads, true};
  return {threads, false};
}

}  // namespace saiki
