// A reservoir, h_t = (1 - a) h_{t-1} + a f(drive_t + W h_{t-1}), with W sparse and constant. Lanes take rows of the batch, or, where
// there are too few, the units of every step, with a barrier per step; a unit's sum is taken in one order either way.
#pragma once
#include "math.h"
#include "unroll.h"

namespace saiki::SAIKI_ISA {

template <class T> struct ReservoirPass {
  static constexpr long L = lanes_of<T>;
  const Reservoir& call;
  const Batch& batch;
  Team& team;
  const bool by_units;
  ReservoirPass(const Reservoir& c, Team& t) : call(c), batch(c.batch), team(t), by_units(c.batch.rows < t.lanes) {}

  void forward(int lane) const {
    const Part part = part_of(by_units, (call.width + L - 1) / L, lane, team.lanes);
    const long begin = by_units ? part.units.begin * L : 0;
    const long last = by_units ? part.units.end * L : call.width, end = last < call.width ? last : call.width;
    T* const final = cast<T>(call.final);
    for (long j = 0; j < part.rows(batch.rows); ++j) {
      const long b = part.row(j);
      copy(final + b * call.width, cast<T>(call.initial) + b * call.width, begin, end);
    }
    for (long p = 0; p < batch.time; ++p) {
      for (long j = 0; j < part.rows(batch.count(p)); ++j) {
        const long b = part.row(j), at = (batch.row(p) + b) * call.width;
        const T* const before = b < batch.count(p - 1) ? cast<T>(call.y) + (batch.row(p - 1) + b) * call.width : cast<T>(call.initial) + b * call.width;
        T* const y = cast<T>(call.y) + at;
        for (long u = begin; u < end; ++u) y[u] = product(u, before);
        units(cast<T>(call.drive) + at, before, y, begin, end);
        if (b >= batch.count(p + 1)) copy(final + b * call.width, y, begin, end);
      }
      if (by_units) meet(team);
    }
  }

  // Row u of W times the state: four sums side by side, because one would wait for itself.
  SAIKI_INLINE T product(long u, const T* __restrict h) const {
    const T* __restrict const weight = cast<T>(call.weights);
    const int32_t* __restrict const column = call.columns;
    const long end = call.starts[u + 1];
    T a = 0, b = 0, c = 0, d = 0;
    long k = call.starts[u];
    for (; k + 4 <= end; k += 4) {
      a += weight[k] * h[column[k]];
      b += weight[k + 1] * h[column[k + 1]];
      c += weight[k + 2] * h[column[k + 2]];
      d += weight[k + 3] * h[column[k + 3]];
    }
    for (; k < end; ++k) a += weight[k] * h[column[k]];
    return (a + b) + (c + d);
  }

  SAIKI_INLINE void units(const T* drive, const T* before, T* y, long begin, long end) const {
    const T leak = T(call.leak), keep = T(1 - call.leak);
    for (long u = begin; u < end; u += L) {
      const long left = end - u;
      Vec<T> in = load(drive + u, left) + load(y + u, left);
      if (call.squash) in = tanh<T>(in);
      store(y + u, keep * load(before + u, left) + leak * in, left);
    }
  }
};

template <class T> void reservoir(const Reservoir& call, Team& team) {
  ReservoirPass<T> pass(call, team);
  auto body = [&](int lane) { pass.forward(lane); };
  on_all_lanes(team, body);
}

}  // namespace saiki::SAIKI_ISA
