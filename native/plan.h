// How a call is divided among threads. A pure function of shapes and of the number of threads: results never depend on
// timing.
#pragma once
#include "batch.h"

namespace saiki {

struct Plan {
  int lanes;
  bool by_units;  // split the units of every step, with a barrier per step; else the rows of the batch, with none
};

inline Plan plan(const Call& call, int gates, int threads) {
  const double steps = double(call.batch.offsets[call.batch.time]), width = double(call.width);
  const double products = steps * gates * width * (width + double(call.features));
  constexpr double worth_waking = 2e6;  // products, some 40 microseconds of one core
  if (threads <= 1 || products < worth_waking) return {1, false};
  // Too few rows to go round, or so few per lane that every lane would only read weights: each reads its own part.
  const double per_step = steps / double(call.batch.time) * gates * width * width;
  constexpr double worth_a_barrier = 5e4;  // products of one step, about a microsecond of one core
  const bool few_rows = call.batch.rows <= 4 * threads && gates * width * width > 131072;
  if (call.batch.rows < threads || few_rows) return per_step < worth_a_barrier ? Plan{1, false} : Plan{threads, true};
  return {threads, false};
}

}  // namespace saiki
