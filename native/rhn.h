// Recurrent highway network: per layer, a product of its own; s = s + t (g - s), g = tanh, t = σ; gates g, t.
#pragma once
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> struct Rhn {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = false, sees = false;
  static long layers(const Steps& c) { return c.products - c.transitions; }
  // Of every layer: g, t, and s before, which without a mask is what was entered.
  static long row(const Steps& c) { return (c.mask ? 3 : 2) * c.width; }
  static long kept(const Steps& c) { return layers(c) * row(c); }

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width, row = Rhn::row(s.call);
    const bool masked = s.call.mask;
    for (int layer = 0; layer < layers(s.call); ++layer) {
      s.recur(layer, 0);
      for (long j = 0; j < s.n; ++j) {
        const T *x = s.x(j), *r = s.result(j);
        T *h = s.state(0, j), *kept = s.kept(j) + layer * row;
        each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
          V to_g = load(r + u, left), to_t = load(r + w + u, left);
          if (layer == 0) to_g += load(x + u, left), to_t += load(x + w + u, left);
          const V before = load(h + u, left), g = tanh<T>(to_g), t = sigmoid<T>(to_t);
          store(kept + u, g, left), store(kept + w + u, t, left);
          if (masked) store(kept + 2 * w + u, before, left);
          store(h + u, before + t * (g - before), left);
        });
      }
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width, row = Rhn::row(s.call);
    const bool masked = s.call.mask;
    for (int layer = int(layers(s.call)); layer-- > 0;) {
      for (long j = 0; j < s.n; ++j) {
        const T* kept = s.kept(j) + layer * row;
        const T* from = masked ? kept + 2 * w : s.entered(layer, j);
        T *dh = s.dstate(0, j), *to = s.gradient(layer, j);
        each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
          const V before = load(from + u, left), g = load(kept + u, left), t = load(kept + w + u, left), d = load(dh + u, left);
          store(to + u, d * t * (T(1) - g * g), left);
          store(to + w + u, d * (g - before) * t * (T(1) - t), left);
          store(dh + u, d * (T(1) - t), left);
        });
      }
      s.recur_back(layer, 0);
    }
  }
};

}  // namespace saiki::SAIKI_ISA
