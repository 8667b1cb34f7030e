// The linear recurrence y_t = d_t y_{t-1} + u_t, elementwise, and its gradient. In packed rows the rows of a step that go on
// stand together, so a step is one pass over contiguous numbers; lanes share the columns of the flattened step and never wait.
#pragma once
#include "unroll.h"

namespace saiki::SAIKI_ISA {

// Numbers begin .. end - 1 of a step, as far as the step has them.
struct Columns {
  long begin, end;
  Columns within(long count) const {
    const long last = end < count ? end : count;
    return {begin, last > begin ? last : begin};  // never below begin: what is there belongs to another lane
  }
};

template <class T> struct ScanPass {
  const Scan& scan;
  const Batch& batch;
  Team& team;
  ScanPass(const Scan& s, Team& t) : scan(s), batch(s.batch), team(t) {}

  Columns columns(int lane) const {
    const Share vectors((batch.rows * scan.width + lanes_of<T> - 1) / lanes_of<T>, lane, team.lanes);
    return Columns{vectors.begin * lanes_of<T>, vectors.end * lanes_of<T>}.within(batch.rows * scan.width);
  }
  long numbers(long p) const { return batch.count(p) * scan.width; }
  template <class P> P* at(P* tensor, long p) const { return tensor + batch.row(p) * scan.width; }

  void forward(int lane) const {
    const Columns mine = columns(lane);
    const T* const initial = cast<T>(scan.initial);
    T *const y = cast<T>(scan.y), *const final = cast<T>(scan.final);
    copy(final, initial, mine.begin, mine.end);
    for (long p = 0; p < batch.time; ++p) {
      const Columns all = mine.within(numbers(p)), started = all.within(numbers(p - 1)), more = mine.within(numbers(p + 1));
      const T *const d = at(cast<T>(scan.decay), p), *const u = at(cast<T>(scan.inflow), p);
      T* const here = at(y, p);
      if (p) step(here, d, u, at(y, p - 1), started.begin, started.end);
      step(here, d, u, initial, p ? started.end : all.begin, all.end);
      if (more.end < all.end) copy(final, here, more.end, all.end);
    }
  }

  static void step(T* __restrict y, const T* __restrict d, const T* __restrict u, const T* __restrict before, long begin, long end) {
    for (long i = begin; i < end; ++i) y[i] = d[i] * before[i] + u[i];
  }

  // The inflow's gradient is that of y with all that flows back into it: g_t = dy_t + d_{t+1} g_{t+1}.
  void backward(int lane) const {
    const Columns mine = columns(lane);
    const T *const initial = cast<T>(scan.initial), *const dfinal = cast<T>(scan.dfinal), *const y = cast<T>(scan.y);
    T* const dinitial = cast<T>(scan.dinitial);
    for (long i = mine.begin; i < mine.end; ++i) dinitial[i] = dfinal ? dfinal[i] : T(0);
    for (long p = batch.time - 1; p >= 0; --p) {
      const Columns all = mine.within(numbers(p)), started = all.within(numbers(p - 1));
      const T *const d = at(cast<T>(scan.decay), p), *const dy = scan.dy ? at(cast<T>(scan.dy), p) : nullptr;
      T *const du = at(cast<T>(scan.dinflow), p), *const dd = at(cast<T>(scan.ddecay), p);
      for (long i = all.begin; i < all.end; ++i) {  // dinitial carries what flows back
        du[i] = dinitial[i] + (dy ? dy[i] : T(0));
        dinitial[i] = du[i] * d[i];
      }
      if (p) multiply(dd, du, at(y, p - 1), started.begin, started.end);
      multiply(dd, du, initial, p ? started.end : all.begin, all.end);
    }
  }

  static void multiply(T* __restrict to, const T* __restrict a, const T* __restrict b, long begin, long end) {
    for (long i = begin; i < end; ++i) to[i] = a[i] * b[i];
  }
};

template <class T> void scan_forward(const Scan& scan, Team& team) {
  ScanPass<T> pass(scan, team);
  auto body = [&](int lane) { pass.forward(lane); };
  on_all_lanes(team, body);
}

template <class T> void scan_backward(const Scan& scan, Team& team) {
  ScanPass<T> pass(scan, team);
  auto body = [&](int lane) { pass.backward(lane); };
  on_all_lanes(team, body);
}

}  // namespace saiki::SAIKI_ISA
