// sLSTM: an LSTM with exponential gates, a normaliser n and a stabiliser m; states h, c, n, m; gates i, f, g, o. The gradient of the
// stabiliser is kept too: a state may be read by anyone.
#pragma once
#include "steprows.h"

namespace saiki::SAIKI_ISA {

// exp(x) of x <= 0, exactly 0 where float32 or float64 has no normal number.
template <class T, class V = Vec<T>> SAIKI_INLINE V exp_below(V x) {
  const V low = V{} + Simd<T>::lowest;
  const Power<T> e = power<T>(x < low ? low : x);
  return x < low ? V{} : e.scale + e.scale * e.p;
}

// log σ(x) = min(x, 0) - log(1 + exp(-|x|)), with log(1 + e) = 2 artanh(e / (2 + e)), a series in at most 1/9.
template <class T, class V = Vec<T>> SAIKI_INLINE V log_sigmoid(V x) {
  const V e = exp_below<T>(minus_abs<T>(x)), s = e / (T(2) + e), q = s * s;
  constexpr int terms = sizeof(T) == 4 ? 8 : 17;
  V sum = V{} + T(1) / T(2 * terms + 1);
  for (int i = terms - 1; i >= 0; --i) sum = sum * q + T(1) / T(2 * i + 1);
  return (x < V{} ? x : V{}) - T(2) * s * sum;
}

template <class T> struct Slstm {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 4, outputs = 1, vectors = 0;
  static constexpr bool holds = true;
  enum { C0, N0, I, F, G, O, C, N, Shut, Lead, M0, M, Parts };  // before: C0, N0, M0; Shut: σ(-f~); Lead: of the past over i in m
  static long kept(const Steps& c) { return Parts * c.width; }

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *h = s.state(0, j), *c = s.state(1, j), *n = s.state(2, j), *m = s.state(3, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto sum = [&](int gate) SAIKI_LAMBDA { return load(x + gate * w + u, left) + load(r + gate * w + u, left); };
        auto keep = [&](int part, V v) SAIKI_LAMBDA { store(kept + part * w + u, v, left); };
        const V log_i = sum(0), to_f = sum(1), g = tanh<T>(sum(2)), o = sigmoid<T>(sum(3));
        const V c0 = load(c + u, left), n0 = load(n + u, left), m0 = load(m + u, left);
        const V past = log_sigmoid<T>(to_f) + m0, top = past < log_i ? log_i : past;
        const V i = exp_below<T>(log_i - top), f = exp_below<T>(past - top);
        const V c1 = f * c0 + i * g, n1 = f * n0 + i;
        store(c + u, c1, left), store(n + u, n1, left), store(m + u, top, left), store(h + u, o * c1 / n1, left);
        keep(C0, c0), keep(N0, n0), keep(I, i), keep(F, f), keep(G, g), keep(O, o), keep(C, c1), keep(N, n1);
        keep(Shut, sigmoid<T>(-to_f)), keep(Lead, past - log_i), keep(M0, m0), keep(M, top);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dh = s.dstate(0, j), *dc = s.dstate(1, j), *dn = s.dstate(2, j), *dm = s.dstate(3, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V i = of(I), f = of(F), g = of(G), o = of(O), n1 = of(N), up = of(C) / n1, lead = of(Lead), d = load(dh + u, left);
        const V to_c = load(dc + u, left) + d * o / n1, to_n = load(dn + u, left) - d * o * up / n1;
        const V past = f * (to_c * of(C0) + to_n * of(N0)), fresh = i * (to_c * g + to_n), rest = load(dm + u, left) - past - fresh;
        const V half = V{} + T(0.5), one = V{} + T(1), share = lead > V{} ? one : lead < V{} ? V{} : half;
        const V to_past = past + share * rest;
        store(dx + u, fresh + (T(1) - share) * rest, left);
        store(dx + w + u, to_past * of(Shut), left);
        store(dx + 2 * w + u, to_c * i * (T(1) - g * g), left);
        store(dx + 3 * w + u, d * up * o * (T(1) - o), left);
        store(dh + u, V{}, left), store(dc + u, to_c * f, left), store(dn + u, to_n * f, left), store(dm + u, to_past, left);
      });
    }
    s.recur_back(0, 0);
  }

  // Zoneout of c and n after bringing them to one scale m: the larger of both, where both have a share.
  struct Scales {
    V m, grown, stayed, ahead, behind;  // ahead: of the new m over m, at most 0; behind: of the old one
  };
  static SAIKI_INLINE Scales scales(V share, V now, V old) {
    const V one = V{} + T(1), most = now < old ? old : now;
    Scales s;
    s.m = share == V{} ? now : share == one ? old : most;
    s.ahead = now - s.m, s.behind = old - s.m;
    s.grown = exp_below<T>(s.ahead > V{} ? V{} : s.ahead) * (one - share);
    s.stayed = exp_below<T>(s.behind > V{} ? V{} : s.behind) * share;
    return s;
  }

  static void hold(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T *z = s.zones(j), *old = s.carry(j);
      T *h = s.state(0, j), *c = s.state(1, j), *n = s.state(2, j), *m = s.state(3, j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V fresh = load(h + u, left);
        store(h + u, fresh + load(z + u, left) * (load(old + u, left) - fresh), left);
        const Scales k = scales(load(z + w + u, left), load(m + u, left), load(old + 3 * w + u, left));
        store(c + u, k.grown * load(c + u, left) + k.stayed * load(old + w + u, left), left);
        store(n + u, k.grown * load(n + u, left) + k.stayed * load(old + 2 * w + u, left), left);
        store(m + u, k.m, left);
      });
    }
  }

  static void hold_back(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T *z = s.zones(j), *kept = s.kept(j);
      T *dh = s.dstate(0, j), *dc = s.dstate(1, j), *dn = s.dstate(2, j), *dm = s.dstate(3, j), *carry = s.carry(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V d = load(dh + u, left), stays = d * load(z + u, left);
        store(carry + u, stays, left), store(dh + u, d - stays, left);
        const V share = load(z + w + u, left), now = of(M), old = of(M0), to_c = load(dc + u, left), to_n = load(dn + u, left);
        const Scales k = scales(share, now, old);
        const V one = V{} + T(1), half = V{} + T(0.5);
        const V grows = k.ahead > V{} ? V{} : k.grown * (to_c * of(C) + to_n * of(N));
        const V holds = k.behind > V{} ? V{} : k.stayed * (to_c * of(C0) + to_n * of(N0));
        const V top = load(dm + u, left) - grows - holds;
        const V larger = now > old ? one : now < old ? V{} : half, part = share == V{} ? one : share == one ? V{} : larger;
        store(dm + u, grows + part * top, left), store(carry + 3 * w + u, holds + (one - part) * top, left);
        store(dc + u, to_c * k.grown, left), store(carry + w + u, to_c * k.stayed, left);
        store(dn + u, to_n * k.grown, left), store(carry + 2 * w + u, to_n * k.stayed, left);
      });
    }
  }
};

}  // namespace saiki::SAIKI_ISA
