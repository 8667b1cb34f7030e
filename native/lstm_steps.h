// LSTM, step by step, with any of: peepholes (vector 0), coupled gates, projection (product 1), layer norm of the products and of the
// cell state (vectors 1 and 2: gain and shift), zoneout. Gates (i,) f, g, o.
#pragma once
#include "steprows.h"

namespace saiki::SAIKI_ISA {

template <class T> struct LstmSteps {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 2, outputs = 1, vectors = 3;
  static constexpr bool holds = false, direct = false, sees = false;
  enum { Before, I, F, G, O, Norm };  // c before, gates, normalised c and its scale
  static long kept(const Steps& c) { return Norm * c.width + (normed(c) ? c.width + 1 : 0); }

  static void forward(const StepRows<T>& s) {
    const Steps& c = s.call;
    s.recur(0, 0);
    if (c.coupled) c.vector[0] ? gates<true, true>(s) : gates<true, false>(s);
    else c.vector[0] ? gates<false, true>(s) : gates<false, false>(s);
    for (long j = 0; j < s.n; ++j) output(s, j);
    if (!projected(c)) return;
    s.multiply(1);
    for (long j = 0; j < s.n; ++j) copy(s.state(0, j), s.result(j), 0, c.size[0]);
  }

  static void backward(const StepRows<T>& s) {
    const Steps& c = s.call;
    if (projected(c)) {
      for (long j = 0; j < s.n; ++j) copy(s.gradient(1, j), s.dstate(0, j), 0, c.size[0]);
      s.back(1, false);
    }
    for (long j = 0; j < s.n; ++j) output_back(s, j, projected(c) ? s.result(j) : s.dstate(0, j));
    if (c.coupled) c.vector[0] ? gates_back<true, true>(s) : gates_back<true, false>(s);
    else c.vector[0] ? gates_back<false, true>(s) : gates_back<false, false>(s);
    for (long j = 0; j < s.n; ++j) std::memset(s.dstate(0, j), 0, size_t(c.size[0]) * sizeof(T));
    s.recur_back(0, 0);
  }

 private:
  // c after the step, computed again.
  static SAIKI_INLINE V now(const T* kept, long w, long u, long left) {
    auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
    return of(F) * of(Before) + of(I) * of(G);
  }
  static bool normed(const Steps& c) { return c.vector[1]; }
  static bool projected(const Steps& c) { return c.products - c.transitions == 2; }

  template <bool Coupled, bool Peephole> static void gates(const StepRows<T>& s) {
    const long w = s.call.width;
    constexpr int f_at = Coupled ? 0 : 1;  // number of the gate f; g and o follow it
    const T* peep = s.vector(0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *c = s.state(1, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto sum = [&](int gate) SAIKI_LAMBDA { return load(x + gate * w + u, left) + load(r + gate * w + u, left); };
        auto hole = [&](int gate, V cell) SAIKI_LAMBDA { return Peephole ? load(peep + gate * w + u, left) * cell : V{}; };
        const V before = load(c + u, left), f = sigmoid<T>(sum(f_at) + hole(f_at, before)), g = tanh<T>(sum(f_at + 1));
        const V i = Coupled ? T(1) - f : sigmoid<T>(sum(0) + hole(0, before)), now = f * before + i * g;
        store(kept + Before * w + u, before, left), store(kept + F * w + u, f, left), store(kept + G * w + u, g, left);
        store(kept + I * w + u, i, left), store(c + u, now, left);
        store(kept + O * w + u, sigmoid<T>(sum(f_at + 2) + hole(f_at + 1, now)), left);
      });
    }
  }

  static void output(const StepRows<T>& s, long j) {
    const long w = s.call.width;
    const T* c = s.state(1, j);
    T *kept = s.kept(j), *up = projected(s.call) ? s.entered(1, j) : s.state(0, j), *norm = kept + Norm * w;
    const bool normal = normed(s.call);
    const T *gain = s.vector(1), *shift = s.vector(2);
    if (normal) norm[w] = normalise(c, norm, w);
    each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
      const V seen = normal ? load(norm + u, left) * load(gain + u, left) + load(shift + u, left) : load(c + u, left);
      store(up + u, load(kept + O * w + u, left) * tanh<T>(seen), left);
    });
  }

  // From the gradient of what went up to those of the gate o and of c.
  static void output_back(const StepRows<T>& s, long j, const T* dup) {
    const long w = s.call.width;
    const T *kept = s.kept(j), *norm = kept + Norm * w, *gain = s.vector(1), *shift = s.vector(2);
    const bool normal = normed(s.call);
    const int o_at = s.call.coupled ? 2 : 3;
    T *dc = s.dstate(1, j), *go = s.dx(j) + o_at * w, *seen = s.result(j) + w;  // behind dup
    each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
      const V t = tanh<T>(normal ? load(norm + u, left) * load(gain + u, left) + load(shift + u, left) : now(kept, w, u, left)), o = load(kept + O * w + u, left), d = load(dup + u, left);
      store(go + u, d * t * o * (T(1) - o), left);
      const V through = d * o * (T(1) - t * t);
      if (!normal) return add(dc + u, through, left);
      store(seen + u, through, left);
      add(s.sum(1) + u, through * load(norm + u, left), left), add(s.sum(2) + u, through, left);
    });
    if (!normal) return;
    normalise_back(norm, norm[w], seen, gain, seen, w);
    s.sum_rows(dc, seen, w);
  }

  template <bool Coupled, bool Peephole> static void gates_back(const StepRows<T>& s) {
    const long w = s.call.width;
    constexpr int f_at = Coupled ? 0 : 1;
    const T* peep = s.vector(0);
    T* dpeep = s.sum(0);
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dc = s.dstate(1, j), *gx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V before = load(kept + Before * w + u, left), i = load(kept + I * w + u, left), f = load(kept + F * w + u, left), g = load(kept + G * w + u, left);
        V d = load(dc + u, left);
        auto hole = [&](int gate, V grad, V cell) SAIKI_LAMBDA {
          add(dpeep + gate * w + u, grad * cell, left);
          return grad * load(peep + gate * w + u, left);
        };
        if (Peephole) d += hole(f_at + 1, load(gx + (f_at + 2) * w + u, left), f * before + i * g);
        const V to_f = d * (Coupled ? before - g : before) * f * (T(1) - f);
        store(gx + f_at * w + u, to_f, left);
        store(gx + (f_at + 1) * w + u, d * i * (T(1) - g * g), left);
        V back = d * f;
        if (Peephole) back += hole(f_at, to_f, before);
        if (!Coupled) {
          const V to_i = d * g * i * (T(1) - i);
          store(gx + u, to_i, left);
          if (Peephole) back += hole(0, to_i, before);
        }
        store(dc + u, back, left);
      });
    }
  }
};

}  // namespace saiki::SAIKI_ISA
