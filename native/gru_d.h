// GRU-D, step by step: the state decays, then a GRU with the reset gate before the product. Gates: r, z, n, and what the decay is made of.
#pragma once
#include "gru_steps.h"

namespace saiki::SAIKI_ISA {

template <class T> struct GruD {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = false, sees = false;
  static long kept(const Steps& c) { return inner(c) + 2 * c.width; }  // what the GRU keeps, h before it decayed, the gate of the decay

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width, own = inner(s.call);
    for (long j = 0; j < s.n; ++j) {
      const T* x = s.x(j) + 3 * w;
      T *h = s.state(0, j), *kept = s.kept(j) + own;
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(h + u, left), gate = load(x + u, left);
        store(kept + u, before, left), store(kept + w + u, gate, left);
        store(h + u, decay(gate) * before, left);
      });
    }
    GruSteps<T>::forward_before(s);
  }

  static void backward(const StepRows<T>& s) {
    GruSteps<T>::backward_before(s);
    const long w = s.call.width, own = inner(s.call);
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j) + own;
      T *dh = s.dstate(0, j), *dx = s.dx(j) + 3 * w;
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V gate = load(kept + w + u, left), back = load(dh + u, left) * decay(gate);
        store(dx + u, gate > V{} ? -back * load(kept + u, left) : V{}, left);
        store(dh + u, back, left);
      });
    }
  }

 private:
  static long inner(const Steps& c) { return GruSteps<T>::kept(c); }
  // exp(-max(0, a))
  static SAIKI_INLINE V decay(V a) {
    const V low = V{} + Simd<T>::lowest, m = minus_abs<T>(a < V{} ? V{} : a);
    const Power<T> e = power<T>(m < low ? low : m);
    return e.scale + e.scale * e.p;
  }
};

}  // namespace saiki::SAIKI_ISA
