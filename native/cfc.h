// Closed-form continuous-time cell, step by step: product 0 is the backbone, product 1 the heads a, b, p, q. Gates: what the backbone
// sees of the input, and in the last column the time since the step before.
#pragma once
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> struct CfC {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 1, outputs = 1, vectors = 0;
  static constexpr bool holds = false, direct = false, sees = false;
  static constexpr T height = T(1.7159), slope = T(2) / T(3);
  enum { U, A, B, Share, P, Gap };  // u; tanh of a and b; how much of b; p; and one number, the gap
  static long kept(const Steps& c) { return Gap * c.width + 1; }

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *to = s.entered(1, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V out = height * tanh<T>(slope * (load(x + u, left) + load(r + u, left)));
        store(to + u, out, left), store(kept + U * w + u, out, left);
      });
    }
    s.multiply(1);
    for (long j = 0; j < s.n; ++j) {
      const T* r = s.result(j);
      const T gap = s.x(j)[w];
      T *h = s.state(0, j), *kept = s.kept(j);
      kept[Gap * w] = gap;
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto keep = [&](int part, V v) SAIKI_LAMBDA { store(kept + part * w + u, v, left); };
        const V a = tanh<T>(load(r + u, left)), b = tanh<T>(load(r + w + u, left)), p = load(r + 2 * w + u, left);
        const V share = sigmoid<T>(p * gap + load(r + 3 * w + u, left));
        keep(A, a), keep(B, b), keep(Share, share), keep(P, p);
        store(h + u, a + share * (b - a), left);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      const T gap = kept[Gap * w];
      T *dh = s.dstate(0, j), *to = s.gradient(1, j);
      V sum = {};
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V a = of(A), b = of(B), share = of(Share), d = load(dh + u, left), to_q = d * (b - a) * share * (T(1) - share);
        store(to + u, d * (T(1) - share) * (T(1) - a * a), left);
        store(to + w + u, d * share * (T(1) - b * b), left);
        store(to + 2 * w + u, to_q * gap, left), store(to + 3 * w + u, to_q, left);
        store(dh + u, V{}, left);
        sum += to_q * of(P);
      });
      T to_gap = 0;
      for (long i = 0; i < lanes_of<T>; ++i) to_gap += sum[i];
      s.dx(j)[w] = to_gap;
    }
    s.back(1, false);
    for (long j = 0; j < s.n; ++j) {
      const T *kept = s.kept(j), *r = s.result(j);
      T* dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V out = load(kept + U * w + u, left) / height;
        store(dx + u, load(r + u, left) * (height * slope) * (T(1) - out * out), left);
      });
    }
    s.recur_back(0, 0);
  }
};

}  // namespace saiki::SAIKI_ISA
